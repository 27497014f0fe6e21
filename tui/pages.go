package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/bubbles/viewport"
	"github.com/charmbracelet/lipgloss"

	"raftmig/tui/components"
	"raftmig/tui/keymap"
	"raftmig/tui/present"
)

// stepsPage is the step list, the selected step, the effect in hand, the log.
func (m *model) stepsPage(width, height int) []string {
	if m.snap == nil {
		return components.Items(m.st, []present.Item{present.Blank(), present.Para(present.Normal, "Waiting for the run to say where it is.")}, width)
	}
	logRows := 0
	if m.height >= logPane && width >= oneColumn {
		logRows = max(4, height*3/10-1)
	}
	listRows := height - 1 // the activity
	if logRows > 0 {
		listRows -= logRows + 1
	}
	var out []string
	if width >= oneColumn {
		out = m.stepsBeside(width, listRows)
	} else {
		out = m.stepsAlone(width, listRows)
	}
	share, text := m.activity()
	out = append(out, components.Progress(m.st, share, text, width))
	if logRows > 0 {
		out = append(out, m.logRule(width))
		out = append(out, m.logRows(width, logRows)...)
	}
	return out
}

func (m *model) stepsBeside(width, height int) []string {
	left := 27
	if width >= 110 {
		left = 32
	}
	right := width - left - 3
	steps := components.StepList(m.st, present.StepRows(m.snap, m.now, m.step, height), m.step, left, height, false)
	text := m.fitted(components.Brief(m.st, present.ExplainItems(m.snap.Steps[m.step], m.now), right), right, height)
	text = append(text, m.matrixBelow(right, height-len(text))...)
	bar := m.st.Of(present.Muted).Padding(0, 1).Render(strings.TrimSuffix(strings.Repeat(m.st.Border.Left+"\n", height), "\n"))
	list := m.st.PlaceHorizontal(left, lipgloss.Left, strings.Join(steps, "\n"))
	return strings.Split(lipgloss.JoinHorizontal(lipgloss.Top, list, bar, strings.Join(text, "\n")), "\n")
}

// matrixBelow fills room below the explanation with the matrix, if it is worth it.
func (m *model) matrixBelow(width, height int) []string {
	if len(m.snap.Channels) == 0 || height < 6 {
		return nil
	}
	table := present.ChannelTable(m.snap, false)
	rows := min(height-2, len(table.Rows)+1)
	out := make([]string, height-rows-1, height)
	out = append(out, components.FitLine(m.st, m.channelsSum(width), width))
	return append(out, components.Table(m.st, table, width, components.TableView{Selected: -1, Offset: present.WorstChannel(m.snap, rows-1), Height: rows})...)
}

// channelsSum sums the matrix up and says how old it is.
func (m *model) channelsSum(width int) present.Line {
	sum := present.ChannelsLine(m.snap)
	if m.snap == nil || len(m.snap.Channels) == 0 {
		return sum
	}
	if m.lost {
		return append(sum, present.Span{Tone: present.Bad, Text: "; seen at " + present.Clock(m.snap.ObservedAt, nil)})
	}
	sum = append(sum, present.Span{Tone: present.Muted, Text: "; seen " + present.Age(m.now, m.snap.ObservedAt)})
	if legend := "; * system"; lipgloss.Width(sum.String())+len(legend) <= width {
		sum = append(sum, present.Span{Tone: present.Muted, Text: legend})
	}
	return sum
}

// fitted cuts text to height rows and says that there is more.
func (m *model) fitted(rows []string, width, height int) []string {
	if len(rows) <= height || height < 1 {
		return rows
	}
	hidden := len(rows) - height + 1
	more := fmt.Sprintf("enter: %s more", present.Plural(hidden, "row"))
	if n := len(m.snap.Steps[m.step].Explain.Commands); n > 0 && hidden > n {
		more += ", with the commands"
	}
	return append(rows[:height-1:height-1], m.st.Tone(present.Muted, components.Cut(m.st, more, width)))
}

// stepsAlone is the one-column list, with the current step's purpose below.
func (m *model) stepsAlone(width, height int) []string {
	what := components.Wrap(present.T(present.Normal, m.snap.Steps[m.step].Explain.What), width)
	whatRows := 0
	if height >= 10 {
		whatRows = min(len(what), 3)
	}
	listRows := height - whatRows
	if whatRows > 0 {
		listRows--
	}
	out := components.StepList(m.st, present.StepRows(m.snap, m.now, m.step, listRows), m.step, width, listRows, width >= 44)
	for len(out) < listRows {
		out = append(out, "")
	}
	if whatRows > 0 {
		out = append(out, components.Rule(m.st, present.StepName(m.snap.Steps[m.step].ID), "enter: more", width))
		for i, l := range what[:whatRows] {
			if i == whatRows-1 && len(what) > whatRows {
				l = append(l, present.Span{Text: " " + what[whatRows].String()})
			}
			out = append(out, components.FitLine(m.st, l, width))
		}
	}
	return out
}

func (m *model) logRule(width int) string {
	filter, show := m.log.Filter()
	var remark []string
	if filter != "" {
		remark = append(remark, "filter: "+filter)
	}
	switch {
	case show == present.ShowMarked:
		remark = append(remark, "marked lines only")
	case m.opts.SlowLink && m.page != keymap.PageLog:
		remark = append(remark, "slow link: marked lines only")
	case show == present.ShowAll:
		remark = append(remark, "all lines")
	}
	if m.logBack > 0 && m.page == keymap.PageLog {
		remark = append(remark, "PAUSED, p follows")
	}
	if n := m.log.Leaders(); n > 0 {
		remark = append(remark, present.Plural(n, "leader line"))
	}
	return components.Rule(m.st, "log, UTC", strings.Join(remark, ", "), width)
}

// logRows is the newest of the log, for the pane on the steps page.
func (m *model) logRows(width, height int) []string {
	rows := m.log.Shown()
	if m.opts.SlowLink {
		var marked []present.LogRow
		for i := len(rows) - 1; i >= 0 && len(marked) < height; i-- {
			if present.ShowMarked.Shows(rows[i].Kind) {
				marked = append([]present.LogRow{rows[i]}, marked...)
			}
		}
		rows = marked
	}
	return components.Log(m.st, rows, width, height, 0, false)
}

func (m *model) logPage(width, height int) []string {
	out := []string{m.logRule(width)}
	rows := components.Log(m.st, m.log.Shown(), width, height-1, m.logBack, m.logWrap)
	if len(rows) == 0 {
		text := "No log line yet."
		filter, _ := m.log.Filter()
		switch {
		case m.log.Len() > 0 && filter == "":
			text = fmt.Sprintf("None of %s is of the kind that is shown. m shows other kinds.", present.Plural(m.log.Len(), "line"))
		case m.log.Len() > 0:
			text = fmt.Sprintf("None of %s passes the filter. Esc clears it, m shows other lines.", present.Plural(m.log.Len(), "line"))
		}
		rows = []string{m.st.Tone(present.Muted, components.Cut(m.st, text, width))}
	}
	return append(out, rows...)
}

// channelsPage is the matrix, and below it the selected channel node by node.
func (m *model) channelsPage(width, height int) []string {
	s := m.snap
	out := []string{components.FitLine(m.st, m.channelsSum(width), width)}
	if s == nil || len(s.Channels) == 0 {
		return out
	}
	table := present.ChannelTable(s, true)
	if components.NaturalWidth(table, 2) > width {
		table = present.ChannelTable(s, false)
	}
	detail := present.NodeTable(s, m.channel)
	detailRows := len(detail.Rows) + 2
	if height < 8+detailRows {
		detailRows = max(0, min(detailRows, height-6))
	}
	if detailRows < 4 {
		detailRows = 0
	}
	listRows := min(len(table.Rows)+1, height-1-detailRows)
	off := max(0, min(m.channel-(listRows-1)/2, len(table.Rows)-(listRows-1)))
	out = append(out, components.Table(m.st, table, width, components.TableView{Selected: m.channel, Offset: off, Height: listRows})...)
	if detailRows > 0 {
		remark := ""
		if len(table.Rows) > listRows-1 {
			remark = fmt.Sprintf("%d of %d channels", m.channel+1, len(table.Rows))
		}
		out = append(out, components.Rule(m.st, present.Clean(s.Channels[m.channel].Name)+" on every node", remark, width))
		out = append(out, components.Table(m.st, detail, width, components.TableView{Selected: -1, Height: detailRows - 1})...)
	}
	return out
}

// textRows is the whole text of a page that scrolls.
func (m *model) textRows(width int) []string {
	switch m.page {
	case keymap.PageHelp:
		return components.Items(m.st, present.HelpItems(m.helpKeys(), m.opts.InProcess), width)
	case keymap.PageFindings:
		if m.snap == nil || len(m.snap.Findings) == 0 {
			return components.Items(m.st, []present.Item{{Line: present.FindingsLine(nil)}}, width)
		}
		items := append([]present.Item{{Line: present.FindingsLine(m.snap.Findings)}, present.Blank()}, present.FindingItems(m.snap.Findings)...)
		return components.Items(m.st, items, width)
	}
	if m.snap == nil || m.step >= len(m.snap.Steps) {
		return components.Items(m.st, []present.Item{present.Para(present.Muted, "Nothing has been received from the run yet.")}, width)
	}
	st := m.snap.Steps[m.step]
	if m.page == keymap.PageEvidence {
		return components.Items(m.st, present.EvidenceItems(st, m.opts.local()), width)
	}
	items := present.ExplainItems(st, m.now)
	items = append(items, present.Blank())
	return components.Items(m.st, append(items, present.EvidenceItems(st, m.opts.local())...), width)
}

func (m *model) helpKeys() []present.HelpKey {
	page := m.page
	m2 := *m
	if page == keymap.PageHelp {
		m2.page = m.back
	}
	var out []present.HelpKey
	for _, b := range m2.keys() {
		if h := b.Help(); h.Key != "" {
			out = append(out, present.HelpKey{Key: h.Key, Text: h.Desc, Off: b.Off})
		}
	}
	return out
}

// textView is the part of the page's text that is in sight. Where it does not
// fit, the last row stays free for where that is.
func (m *model) textView(width, height int) viewport.Model {
	rows := m.textRows(width)
	if len(rows) > height {
		height--
	}
	return components.Scroll(rows, m.scroll, width, max(0, height))
}

func (m *model) textPage(width, height int) []string {
	v := m.textView(width, height)
	rows := strings.Split(v.View(), "\n")
	if v.TotalLineCount() <= height {
		return rows
	}
	foot := fmt.Sprintf("rows %d to %d of %d", v.YOffset+1, v.YOffset+v.VisibleLineCount(), v.TotalLineCount())
	if !v.AtBottom() {
		foot += "; j scrolls"
	}
	return append(rows, m.st.Tone(present.Muted, components.Cut(m.st, foot, width)))
}
