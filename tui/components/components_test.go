package components

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/tui/present"
	"raftmig/tui/styles"
)

var mono = styles.New(true, false)

func texts(ls []present.Line) []string {
	var out []string
	for _, l := range ls {
		out = append(out, l.String())
	}
	return out
}

func TestLinesAreBrokenAtSpaces(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  []string
	}{
		{"", 5, []string{""}},
		{"one two", 7, []string{"one two"}},
		{"one two", 6, []string{"one", "two"}},
		{"one  two", 5, []string{"one", "two"}},
		{"abcdefgh", 3, []string{"abc", "def", "gh"}},
		{"a abcdefgh b", 3, []string{"a", "abc", "def", "gh", "b"}},
		{"中文字", 4, []string{"中文", "字"}},
		{"x", 0, []string{"x"}},
	} {
		require.Equal(t, c.want, texts(Wrap(present.T(present.Normal, c.in), c.width)), "%q at %d", c.in, c.width)
	}
}

func TestWrappingLosesNothingButSpaces(t *testing.T) {
	words := rapid.SliceOfN(rapid.StringMatching(`[a-zü中]{1,9}`), 0, 12)
	rapid.Check(t, func(rt *rapid.T) {
		var l present.Line
		for _, w := range words.Draw(rt, "words") {
			tone := present.Tone(rapid.IntRange(0, int(present.Code)).Draw(rt, "tone"))
			l = append(l, present.Span{Tone: tone, Text: w + strings.Repeat(" ", rapid.IntRange(0, 3).Draw(rt, "blanks"))})
		}
		width := rapid.IntRange(2, 30).Draw(rt, "width")
		var got strings.Builder
		for _, row := range Wrap(l, width) {
			if w := ansi.StringWidth(row.String()); w > width {
				rt.Fatalf("%q is %d wide", row.String(), w)
			}
			got.WriteString(row.String())
		}
		flat := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if flat(got.String()) != flat(l.String()) {
			rt.Fatalf("%q became %q", l.String(), got.String())
		}
	})
}

func TestCommandsKeepTheirSpacesAndAreNeverLost(t *testing.T) {
	items := []present.Item{{Line: present.T(present.Code, "    jq .a.b.c > x"), Verbatim: true}}
	require.Equal(t, []string{"    jq .a.b.c > x"}, Items(mono, items, 40))
	require.Equal(t, []string{`    jq \`, ".a.b.c > x"}, Items(mono, items, 10))
	require.Equal(t, []string{"    jq ", ".a.b.c ", "> x"}, Items(mono, items, 7))
	require.Equal(t, []string{"    jq .a…"}, Brief(mono, items, 10))
}

func TestLabelsStandInAColumn(t *testing.T) {
	rows := Items(mono, []present.Item{present.Field("what", present.Normal, "one two three")}, 20)
	require.Equal(t, []string{"what     one two", "         three"}, []string{ansi.Strip(rows[0]), rows[1]})
	for _, w := range []int{1, 2, 5, 10} {
		for _, r := range Items(mono, []present.Item{present.Field("metadata", present.Normal, "one two")}, w) {
			require.LessOrEqual(t, ansi.StringWidth(r), w, "width %d", w)
		}
	}
}

func TestColumnsAreDroppedInOrderAndTheLastIsCut(t *testing.T) {
	tab := present.Table{
		Head: []present.Column{{Title: "NAME", Max: 20}, {Title: "HASH", Drop: 4}, {Title: "SEQ", Right: true, Drop: 3}, {Title: "STATE"}},
		Rows: [][]present.Span{{{Text: "settlement"}, {Text: "5d1f0c9a"}, {Text: "7"}, {Text: "maintenance"}}},
	}
	at := func(w int) []string {
		var out []string
		for _, r := range Table(mono, tab, w, TableView{Selected: -1, Height: 5}) {
			require.LessOrEqual(t, ansi.StringWidth(r), w)
			out = append(out, ansi.Strip(r))
		}
		return out
	}
	require.Equal(t, []string{"NAME        HASH      SEQ  STATE", "settlement  5d1f0c9a    7  maintenance"}, at(60))
	require.Equal(t, []string{"NAME        SEQ  STATE", "settlement    7  maintenance"}, at(30))
	require.Equal(t, []string{"NAME        STATE", "settlement  maintenance"}, at(25))
	require.Equal(t, []string{"NAME        STATE", "settlement  maint…"}, at(18))
}

func TestATableScrollsToItsOffset(t *testing.T) {
	tab := present.Table{Head: []present.Column{{Title: "N"}}}
	for _, n := range []string{"a", "b", "c", "d"} {
		tab.Rows = append(tab.Rows, []present.Span{{Text: n}})
	}
	rows := Table(mono, tab, 10, TableView{Selected: 3, Offset: 9, Height: 3})
	require.Len(t, rows, 3)
	require.Equal(t, "c", rows[1])
	require.Equal(t, "d", strings.TrimSpace(ansi.Strip(rows[2])))
	require.NotEqual(t, ansi.Strip(rows[2]), rows[2], "the selection is not marked")
	require.Nil(t, Table(mono, tab, 10, TableView{Height: 0}))
}

func TestTheNewestLogLinesAreInSight(t *testing.T) {
	var rows []present.LogRow
	for _, s := range []string{"one", "two", "three", "four"} {
		rows = append(rows, present.LogRow{Time: "22:00:00", Node: "orderer0", Label: "INFO", Text: s})
	}
	last := func(back, height int) string {
		out := Log(mono, rows, 60, height, back, false)
		if len(out) == 0 {
			return ""
		}
		return out[len(out)-1]
	}
	require.Contains(t, last(0, 2), "four")
	require.Contains(t, last(1, 2), "three")
	require.Contains(t, last(99, 2), "two", "the sight stops at the oldest lines")
	require.Empty(t, last(0, 0))
	require.Empty(t, Log(mono, nil, 60, 5, 0, false))
	long := []present.LogRow{{Kind: present.LogLeader, Node: "n", Label: "LEADER", Text: strings.Repeat("word ", 30)}}
	require.Len(t, Log(mono, long, 60, 9, 0, false), 1)
	require.Greater(t, len(Log(mono, long, 60, 9, 0, true)), 3)
}

func TestAProgressBarFillsWithItsShare(t *testing.T) {
	require.Equal(t, "[█████░░░░░]  50%  x", Progress(mono, 0.5, "x", 40))
	require.Equal(t, "just text", Progress(mono, -1, "just text", 40))
	require.Equal(t, "[####......]  40%  x", Progress(styles.New(true, true), 0.4, "x", 40))
}

func TestColoursAreNeverTheOnlySign(t *testing.T) {
	colour := styles.New(false, false)
	line := present.Line{{Tone: present.Bad, Text: "FAIL"}, {Tone: present.Good, Text: "ok"}}
	require.Equal(t, "FAILok", ansi.Strip(colour.Line(line)))
	for tone := present.Normal; tone <= present.Code; tone++ {
		require.NotRegexp(t, `\x1b\[[0-9;]*(3[0-9]|4[0-9]|9[0-7]|10[0-7])`, mono.Tone(tone, "x"), "mono has a colour")
		require.NotRegexp(t, `\x1b\[[0-9;]*(37|97|40|48|38)`, colour.Tone(tone, "x"), "a colour that light terminals cannot show, or more than 16")
	}
}
