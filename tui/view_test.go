package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"
	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/tui/dialog"
	"raftmig/tui/internal/script"
	"raftmig/tui/keymap"
	"raftmig/tui/present"
)

var zone = time.FixedZone("CET", 3600)

// deadLink is a connection on which nothing comes and everything is accepted.
func deadLink() *link {
	return &link{
		listen: func(int) tea.Cmd { return func() tea.Msg { return nil } },
		send:   func(c runbook.Command) tea.Cmd { return func() tea.Msg { return sentMsg{kind: c.Kind} } },
		close:  func() {},
	}
}

func press(m model, keys ...string) model {
	for _, k := range keys {
		next, _ := m.Update(keyMsg(k))
		m = next.(model)
	}
	return m
}

func keyMsg(k string) tea.KeyMsg {
	types := map[string]tea.KeyType{
		"enter": tea.KeyEnter, "esc": tea.KeyEsc, "up": tea.KeyUp, "down": tea.KeyDown, "ctrl+c": tea.KeyCtrlC, "tab": tea.KeyTab,
		"backspace": tea.KeyBackspace, "left": tea.KeyLeft, "right": tea.KeyRight, "end": tea.KeyEnd, "home": tea.KeyHome, "pgdown": tea.KeyPgDown,
	}
	if t, ok := types[k]; ok {
		return tea.KeyMsg{Type: t}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
}

func send(m model, msgs ...tea.Msg) model {
	for _, msg := range msgs {
		next, _ := m.Update(msg)
		m = next.(model)
	}
	return m
}

// meet brings a model into a scene.
func meet(sc script.Scene, opts Options, width, height int) model {
	opts.Local, opts.By = zone, "eva@bastion"
	m := newModel(opts, deadLink())
	b := batchMsg{at: sc.Now, snapshot: sc.Snapshot}
	for _, l := range sc.Log {
		b.log = append(b.log, present.LogRowOf(l))
	}
	if sc.Progress != nil {
		b.progress = map[runbook.EffectID]runbook.Progress{sc.Progress.Effect: *sc.Progress}
	}
	m = send(m, tea.WindowSizeMsg{Width: width, Height: height}, b)
	if sc.Lost {
		m.opts.AttachHint = "raftmig attach --dir /var/lib/raftmig/rehearsal-net"
		m = send(m, batchMsg{at: sc.Now.Add(time.Minute), closed: true})
	}
	return send(m, graceMsg{m.graced})
}

// views are all pages and dialogs that a scene can show.
func views(m model) []struct{ name, view string } {
	var out []struct{ name, view string }
	add := func(name string, m model) {
		out = append(out, struct{ name, view string }{name, m.View()})
	}
	if m.dlg != nil {
		add("dialog", m)
		if m.dlg.Kind == dialog.Gate && m.dialogText().Typed != "" {
			add("dialog, typing", press(m, "t", "r", "e", "h"))
			add("dialog, wrong name", press(m, "t", "x", "enter"))
		}
		m = press(m, "esc")
	}
	m.notice = ""
	for _, p := range []struct{ key, name string }{
		{"s", "steps"}, {"enter", "step in full"}, {"c", "channels"}, {"l", "log"}, {"e", "evidence"}, {"f", "findings"}, {"?", "help"},
	} {
		m = press(m, p.key)
		add(p.name, m)
	}
	m = press(m, "s")
	for _, d := range []struct {
		kind dialog.Kind
		name string
	}{{dialog.Abort, "abort"}, {dialog.GiveUp, "give up"}, {dialog.Leave, "leave"}} {
		m.dlg = &dialog.State{Kind: d.kind}
		add(d.name+" dialog", m)
		if d.kind == dialog.Abort && m.dialogText().Choice[2].Off == "" {
			add(d.name+" dialog, saying why", press(m, "w", "wrong window"))
		}
	}
	return out
}

var sizes = []struct{ w, h int }{{60, 20}, {80, 24}, {120, 40}}

func TestViewsAreAsReviewed(t *testing.T) {
	for _, sc := range script.Scenes() {
		for _, size := range sizes {
			for _, mono := range []bool{true, false} {
				name := fmt.Sprintf("%s/%dx%d-%s", sc.Name, size.w, size.h, map[bool]string{true: "mono", false: "colour"}[mono])
				t.Run(name, func(t *testing.T) {
					m := meet(sc, Options{NoColor: mono}, size.w, size.h)
					var b strings.Builder
					for i, v := range views(m) {
						if !mono && i > 1 { // colour differs from mono in tones only
							break
						}
						requireFits(t, v.view, size.w, size.h)
						text := v.view
						if mono {
							text = ansi.Strip(text)
						}
						fmt.Fprintf(&b, "== %s\n%s\n", v.name, text)
					}
					golden.RequireEqual(t, []byte(b.String()))
				})
			}
		}
	}
}

// requireFits demands exactly height rows, none wider than width, none with
// trailing blanks outside of styles, and only known escape sequences.
func requireFits(t *testing.T, view string, width, height int) {
	t.Helper()
	rows := strings.Split(view, "\n")
	require.Len(t, rows, height, "rows")
	for i, r := range rows {
		require.LessOrEqual(t, ansi.StringWidth(r), width, "row %d is too wide: %q", i, r)
		require.Equal(t, strings.TrimRight(r, " "), r, "row %d ends in blanks", i)
	}
}

func TestEveryScreenFitsEverySize(t *testing.T) {
	for _, sc := range script.Scenes() {
		for _, size := range []struct{ w, h int }{{1, 1}, {8, 3}, {20, 5}, {39, 11}, {40, 12}, {75, 21}, {76, 22}, {80, 8}, {200, 60}} {
			for _, ascii := range []bool{true, false} {
				for _, v := range views(meet(sc, Options{ASCII: ascii}, size.w, size.h)) {
					t.Run(fmt.Sprintf("%s/%dx%d/%s", sc.Name, size.w, size.h, v.name), func(t *testing.T) {
						requireFits(t, v.view, size.w, size.h)
						if ascii {
							for _, r := range ansi.Strip(v.view) {
								require.Less(t, r, rune(128), "not ASCII: %q", r)
							}
						}
					})
				}
			}
		}
	}
}

var _ = keymap.PageSteps
