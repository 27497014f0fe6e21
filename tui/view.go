package tui

import (
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/lipgloss"

	"raftmig/runbook"
	"raftmig/tui/components"
	"raftmig/tui/dialog"
	"raftmig/tui/keymap"
	"raftmig/tui/present"
)

// The layout follows the size. From oneColumn columns on the step list stands
// beside the explanation; from logPane rows on the log has a pane below.
const (
	oneColumn = 76
	logPane   = 22
)

// View implements tea.Model. It draws exactly height rows, none wider than width.
func (m model) View() string {
	if m.width <= 0 || m.height <= 0 {
		return ""
	}
	blocks := m.top()
	if room := m.height - len(blocks) - 1; room > 0 {
		body := strings.Join(m.body(m.width, room), "\n")
		blocks = append(blocks, m.st.NewStyle().Height(room).MaxHeight(room).Render(body))
	}
	blocks = append(blocks, m.bottom())
	// Wider or higher only where a screen is too small for any layout.
	screen := m.st.NewStyle().MaxWidth(m.width).MaxHeight(m.height).Render(strings.Join(blocks, "\n"))
	rows := strings.Split(screen, "\n")
	for i, r := range rows {
		rows[i] = strings.TrimRight(r, " ")
	}
	return strings.Join(rows, "\n")
}

// body is the page, or the dialog over it.
func (m *model) body(width, height int) []string {
	if m.dlg != nil {
		return components.Dialog(m.st, m.dialogText(), m.dlg, width, height)
	}
	switch m.page {
	case keymap.PageChannels:
		return m.channelsPage(width, height)
	case keymap.PageLog:
		return m.logPage(width, height)
	case keymap.PageSteps:
		return m.stepsPage(width, height)
	default:
		return m.textPage(width, height)
	}
}

// top is the rows that are always there: the run, the way back, the pages.
func (m *model) top() []string {
	out := []string{m.header()}
	if m.height < 8 {
		return out
	}
	limit := 1
	if m.height >= 30 {
		limit = 2
	}
	back := components.Wrap(present.WayBack(m.snap), m.width)
	if len(back) > limit { // rather a whole sentence than half of two
		back = components.Wrap(present.FirstSentence(present.WayBack(m.snap)), m.width)
	}
	if len(back) > limit { // what does not fit is in the abort dialog
		out = append(out, m.wayBackCut(back, limit)...)
	} else {
		for _, l := range back {
			out = append(out, m.st.Line(l))
		}
	}
	return append(out, m.tabs())
}

func (m *model) wayBackCut(back []present.Line, limit int) []string {
	var out []string
	for _, l := range back[:limit-1] {
		out = append(out, m.st.Line(l))
	}
	last := append(append(present.Line{}, back[limit-1]...), present.Span{Text: " " + back[limit].String()})
	return append(out, components.FitLine(m.st, last, m.width))
}

// header says which run this is and how it stands.
func (m *model) header() string {
	s, mood := m.snap, m.mood()
	line := present.Line{{Tone: present.Strong, Text: "raftmig"}}
	add := func(tone present.Tone, text string) {
		if text != "" {
			line = append(line, present.Span{Text: "  "}, present.Span{Tone: tone, Text: text})
		}
	}
	badge := m.st.Badge(mood.Tone(), string(mood))
	badgeWidth := len(mood) + 2
	if s == nil {
		return components.FitLine(m.st, line, m.width-badgeWidth-2) + "  " + badge
	}
	add(present.Strong, present.Clean(s.Plan.Network))
	head := components.FitLine(m.st, line, max(8, m.width-badgeWidth-3))
	line = nil
	rest := m.width - badgeWidth - 2 - lipgloss.Width(head)
	add = func(tone present.Tone, text string) { // what does not fit is left out
		if text != "" && lipgloss.Width(line.String())+2+lipgloss.Width(text) <= rest {
			line = append(line, present.Span{Text: "  "}, present.Span{Tone: tone, Text: text})
		}
	}
	if s.Outcome == "" {
		add(present.Normal, present.PhaseWord(s.Phase))
	}
	add(present.Normal, present.StepCount(s))
	add(present.Normal, m.elapsed())
	if left := present.Remaining(s, m.now); left > 0 && mood == present.MoodRunning {
		add(present.Muted, strings.TrimPrefix(present.About(left), "about ")+" left")
	}
	if m.opts.ReadOnly {
		add(present.Muted, "read-only")
	}
	if m.clients > 1 {
		add(present.Muted, present.Plural(m.clients, "terminal"))
	}
	if rest < 0 {
		return components.Cut(m.st, string(mood)+" "+present.Clean(s.Plan.Network), m.width)
	}
	return head + "  " + badge + m.st.Line(line)
}

// elapsed moves by seconds while the run moves and by minutes while it waits.
func (m *model) elapsed() string {
	d := present.Elapsed(m.snap, m.now)
	if m.lost {
		d = present.Elapsed(m.snap, m.lostAt)
	}
	switch m.mood() {
	case present.MoodWaiting, present.MoodStill:
		if d >= time.Minute {
			d = d.Truncate(time.Minute)
			return strings.TrimSuffix(present.Duration(d), "00s")
		}
		return ""
	default:
		return present.Duration(d)
	}
}

func (m *model) tabs() string {
	names := []struct {
		page keymap.Page
		key  string
		name string
	}{
		{keymap.PageSteps, "s", "steps"}, {keymap.PageChannels, "c", "channels"}, {keymap.PageLog, "l", "log"},
		{keymap.PageEvidence, "e", "evidence"}, {keymap.PageFindings, "f", "findings"}, {keymap.PageHelp, "?", "help"},
	}
	var tabs []components.Tab
	for _, n := range names {
		t := components.Tab{Key: n.key, Name: n.name, Active: n.page == m.page || n.page == keymap.PageSteps && m.page == keymap.PageStep}
		if m.width < 60 {
			t.Name = ""
		}
		tabs = append(tabs, t)
	}
	remark := present.Span{}
	switch {
	case m.dlg != nil || m.question() == "":
	case m.lost:
		remark = present.Span{Tone: present.Bad, Text: "g: reattach"}
	default:
		remark = present.Span{Tone: present.Warn, Text: "g: answer the run"}
	}
	return components.Tabs(m.st, tabs, remark, m.width)
}

// bottom is the last row: a notice, the filter, or the keys.
func (m *model) bottom() string {
	switch {
	case m.filtering:
		hints := components.Hints(m.st, nil, []key.Binding{keepFilter, clearFilter}, m.width/2)
		room := max(12, m.width-lipgloss.Width(hints)-3)
		in := components.Input(m.st, m.filter, "filter: ", present.Normal, room)
		return lipgloss.JoinHorizontal(lipgloss.Top, m.st.PlaceHorizontal(room, lipgloss.Left, in), "   ", hints)
	case m.notice != "":
		return m.st.Tone(present.Strong, components.Cut(m.st, m.notice, m.width))
	case m.dlg != nil && m.dlg.Typing && m.dlg.Kind == dialog.Gate:
		return components.Hints(m.st, nil, []key.Binding{dialog.Send, dialog.Wait, dialog.Break}, m.width)
	case m.dlg != nil && m.dlg.Typing:
		return components.Hints(m.st, nil, []key.Binding{dialog.Send, dialog.Back, dialog.Break}, m.width)
	case m.dlg != nil:
		return components.Hints(m.st, nil, []key.Binding{dialog.Take, dialog.Back, dialog.Exit}, m.width)
	}
	var page, always []key.Binding
	for _, b := range m.keys() {
		switch {
		case b.Hint == "":
		case b.Action == keymap.Help || b.Action == keymap.Leave:
			always = append(always, b.Short())
		default:
			page = append(page, b.Short())
		}
	}
	return components.Hints(m.st, page, always, m.width)
}

// activity says what is being done now, and how far it is.
func (m *model) activity() (share float64, text string) {
	s := m.snap
	if s == nil || s.Outcome != "" {
		return -1, present.Outcome(s)
	}
	var e *runbook.Effect
	for i := range s.Active {
		if e == nil || s.Active[i].ID == m.newest {
			e = &s.Active[i]
		}
	}
	switch {
	case present.Waits(s):
		return -1, "The run waits for your answer: g."
	case present.Still(s) && present.ProblemOf(s) != nil:
		return -1, "PROBLEM: " + present.Clean(present.ProblemOf(s).Error())
	case e == nil:
		return -1, ""
	}
	text, share = present.EffectText(*e), -1
	if p, ok := m.progress[e.ID]; ok {
		share = present.Fraction(&p)
		text = present.ProgressText(&p)
	}
	if n := len(s.Active); n > 1 {
		text += "  (and " + present.Plural(n-1, "other") + ")"
	}
	return share, text
}
