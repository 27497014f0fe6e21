package screen

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// terminal is as much of a VT102 as the writer uses.
type terminal struct {
	grid        [][]cell
	w, h        int
	row, col    int
	top, bottom int
	style       string
}

func newTerminal(w, h int) *terminal {
	t := &terminal{w: w, h: h, bottom: h - 1}
	for range h {
		t.grid = append(t.grid, t.emptyRow())
	}
	return t
}

func (t *terminal) emptyRow() []cell {
	row := make([]cell, t.w)
	for i := range row {
		row[i] = blank
	}
	return row
}

func (t *terminal) feed(b []byte) error {
	s, state := string(b), byte(0)
	p := ansi.NewParser()
	for len(s) > 0 {
		seq, width, n, next := ansi.DecodeSequence(s, state, p)
		s, state = s[n:], next
		if width > 0 {
			if t.col+width > t.w {
				return fmt.Errorf("%q is written over the edge at %d,%d", seq, t.row, t.col)
			}
			t.grid[t.row][t.col] = cell{seq, t.style}
			for i := 1; i < width; i++ {
				t.grid[t.row][t.col+i] = cell{"", t.style}
			}
			t.col += width
			continue
		}
		if !strings.HasPrefix(seq, "\x1b[") {
			return fmt.Errorf("unexpected %q", seq)
		}
		if err := t.csi(seq[2:len(seq)-1], seq[len(seq)-1]); err != nil {
			return err
		}
	}
	return nil
}

func (t *terminal) csi(params string, final byte) error {
	arg := func(i, def int) int {
		if parts := strings.Split(params, ";"); i < len(parts) && parts[i] != "" {
			n, err := strconv.Atoi(parts[i])
			if err == nil {
				return n
			}
		}
		return def
	}
	switch final {
	case 'H':
		t.row, t.col = arg(0, 1)-1, arg(1, 1)-1
	case 'C':
		if t.col >= t.w {
			return fmt.Errorf("moved on from over the edge")
		}
		t.col += arg(0, 1)
	case 'K':
		if t.col >= t.w || t.style != "" {
			return fmt.Errorf("erased over the edge, or in style %q", t.style)
		}
		copy(t.grid[t.row][t.col:], t.emptyRow())
	case 'J':
		for i := range t.grid {
			t.grid[i] = t.emptyRow()
		}
	case 'm':
		t.style = merge(t.style, params)
	case 'r':
		t.top, t.bottom = arg(0, 1)-1, arg(1, t.h)-1
		t.row, t.col = 0, 0
	case 'M', 'L':
		if t.row != t.top || t.style != "" {
			return fmt.Errorf("moved lines from row %d of region %d-%d in style %q", t.row, t.top, t.bottom, t.style)
		}
		for range arg(0, 1) {
			if final == 'M' {
				copy(t.grid[t.top:t.bottom], t.grid[t.top+1:t.bottom+1])
				t.grid[t.bottom] = t.emptyRow()
			} else {
				copy(t.grid[t.top+1:t.bottom+1], t.grid[t.top:t.bottom])
				t.grid[t.top] = t.emptyRow()
			}
		}
	default:
		return fmt.Errorf("unknown sequence %q%c", params, final)
	}
	if t.row < 0 || t.row >= t.h || t.col < 0 || t.col > t.w {
		return fmt.Errorf("the cursor left the screen: %d,%d", t.row, t.col)
	}
	return nil
}

// shows compares the screen with a frame.
func (t *terminal) shows(frame []string) error {
	for i, r := range frame {
		want := t.emptyRow()
		copy(want, parse(r))
		for c := range want {
			if t.grid[i][c] != want[c] {
				return fmt.Errorf("row %d column %d shows %q, not %q", i, c, t.grid[i][c], want[c])
			}
		}
	}
	if t.style != "" {
		return fmt.Errorf("style %q is left on", t.style)
	}
	return nil
}

const testWidth, testHeight = 24, 9

// frames draws a frame that is somehow like the one before: rows changed in
// part, replaced, emptied, and stretches moved.
func nextFrame(rt *rapid.T, prev []string) []string {
	next := append([]string(nil), prev...)
	for range rapid.IntRange(0, 4).Draw(rt, "changes") {
		i := rapid.IntRange(0, len(next)-1).Draw(rt, "row")
		switch rapid.IntRange(0, 4).Draw(rt, "kind") {
		case 0:
			next[i] = drawRow(rt)
		case 1:
			next[i] = ""
		case 2: // rows move up, a new one comes in at the bottom
			j := rapid.IntRange(i, len(next)-1).Draw(rt, "to")
			copy(next[i:j], next[i+1:j+1])
			next[j] = drawRow(rt)
		case 3: // rows move down
			j := rapid.IntRange(i, len(next)-1).Draw(rt, "to")
			copy(next[i+1:j+1], next[i:j])
			next[i] = drawRow(rt)
		case 4: // a few cells change
			next[i] = strings.Replace(next[i], "a", "b", rapid.IntRange(1, 3).Draw(rt, "n"))
		}
	}
	return next
}

func drawRow(rt *rapid.T) string {
	var b strings.Builder
	left := testWidth
	for _, part := range rapid.SliceOfN(rapid.StringMatching(`[a-c ]{1,12}|─{1,4}|中|é|✓ ok`), 0, 4).Draw(rt, "parts") {
		if left -= ansi.StringWidth(part); left < 0 {
			break
		}
		switch rapid.IntRange(0, 3).Draw(rt, "style") {
		case 0:
			part = "\x1b[7m" + part + "\x1b[m"
		case 1:
			part = "\x1b[1m\x1b[31m" + part + "\x1b[0m"
		}
		b.WriteString(part)
	}
	return b.String()
}

func TestTheTerminalShowsEveryFrame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		term := newTerminal(testWidth, testHeight)
		frame := make([]string, testHeight)
		for i := range frame {
			frame[i] = drawRow(rt)
		}
		check := func(b []byte, what string) {
			if err := term.feed(b); err != nil {
				rt.Fatalf("%s %q: %v", what, b, err)
			}
			if err := term.shows(frame); err != nil {
				rt.Fatalf("%s %q: %v", what, b, err)
			}
		}
		check(paint(frame, testWidth), "paint")
		for range rapid.IntRange(1, 6).Draw(rt, "frames") {
			prev := frame
			frame = nextFrame(rt, prev)
			check(diff(prev, frame, testWidth), "diff")
		}
		if b := diff(frame, frame, testWidth); len(b) > 0 {
			rt.Fatalf("the same frame costs %q", b)
		}
	})
}

func TestWhatChangesIsWhatIsWritten(t *testing.T) {
	rows := func(first, n int) []string {
		out := []string{"header", "\x1b[7m tab \x1b[m"}
		for i := range n {
			out = append(out, fmt.Sprintf("22:14:%02d orderer0 INFO     a log line of ordinary length, number %d", first+i, first+i))
		}
		return append(out, "keys")
	}
	counter := func(n int) []string {
		return []string{"header", fmt.Sprintf("elapsed 3m%02ds  step 7 of 27", n), "more"}
	}
	for _, c := range []struct {
		name       string
		prev, next []string
		most       int
	}{
		{"a digit", counter(12), counter(13), 8},
		{"two digits", counter(19), counter(20), 10},
		{"a log line scrolls in", rows(10, 8), rows(11, 8), 100},
		{"three log lines scroll in", rows(10, 8), rows(13, 8), 260},
		{"the log scrolls back by one", rows(11, 8), rows(10, 8), 100},
		{"a row grows", []string{"abc"}, []string{"abcdef"}, 9},
		{"a row shrinks", []string{"abcdef"}, []string{"abc"}, 9},
		{"nothing", rows(1, 3), rows(1, 3), 0},
	} {
		b := diff(c.prev, c.next, 80)
		require.LessOrEqual(t, len(b), c.most, "%s: %q", c.name, b)
		term := newTerminal(80, len(c.next))
		require.NoError(t, term.feed(paint(c.prev, 80)))
		require.NoError(t, term.feed(b), c.name)
		require.NoError(t, term.shows(c.next), c.name)
	}
}

func TestFramesAreReplacedAndTheRestPassesThrough(t *testing.T) {
	var out bytes.Buffer
	w := New(&out)
	put := func(s string) string {
		out.Reset()
		n, err := w.Write([]byte(s))
		require.NoError(t, err)
		require.Equal(t, len(s), n)
		return out.String()
	}
	require.Equal(t, "\x1b[?1049h", put("\x1b[?1049h"))
	require.Equal(t, "\x1b[Hearly", put("\x1b[Hearly"), "no frame is known yet")
	w.Show("one\ntwo", 10)
	require.Equal(t, "\x1b[m\x1b[2J\x1b[1Hone\x1b[2Htwo", put("\x1b[Hwhatever"))
	require.Empty(t, put("\x1b[Hwhatever else"))
	w.Show("one\ntwx", 10)
	require.Equal(t, "\x1b[2;3Hx", put("\x1b[Hframe"))
	require.Equal(t, "\x1b[H", put("\x1b[H"), "a bare cursor move is no frame")
	require.Equal(t, "\x1b[2J", put("\x1b[2J"))
	require.Equal(t, "\x1b[m\x1b[2J\x1b[1Hone\x1b[2Htwx", put("\x1b[Hframe"), "an erased screen is painted anew")
	w.Show("one\ntwx", 20)
	require.Contains(t, put("\x1b[Hframe"), "\x1b[2J", "so is one of another size")
	w.Show("one\ntwx\nthree", 20)
	require.Contains(t, put("\x1b[Hframe"), "\x1b[2J")
}

type broken struct{ err error }

func (b *broken) Write(p []byte) (int, error) { return 0, b.err }

func TestAWriteErrorIsToldAndTheNextFramePaintsAnew(t *testing.T) {
	w := New(&broken{fmt.Errorf("gone")})
	w.Show("one", 10)
	_, err := w.Write([]byte("\x1b[Hframe"))
	require.ErrorContains(t, err, "gone")
	require.Nil(t, w.shown)
}

func BenchmarkDiffOfAScrolledLog(b *testing.B) {
	frame := func(first int) []string {
		out := make([]string, 40)
		for i := range out {
			out[i] = fmt.Sprintf("\x1b[1m22:14:05\x1b[m orderer%d INFO     Writing block [%d] (Raft index: %d) to ledger channel=settlement", i%3, first+i, first+i)
		}
		return out
	}
	one, two := frame(100), frame(101)
	b.ReportMetric(float64(len(diff(one, two, 120))), "bytes/frame")
	for b.Loop() {
		diff(one, two, 120)
	}
}
