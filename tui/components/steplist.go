package components

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"raftmig/runbook"
	"raftmig/tui/present"
	"raftmig/tui/styles"
)

// StepList renders the rows of the step list in exactly width columns and at
// most height rows, scrolled so that the selected step is in sight. long shows
// titles instead of short names.
func StepList(st styles.Styles, rows []present.StepRow, selected, width, height int, long bool) []string {
	at := 0
	for i, r := range rows {
		if !r.Phase && r.Step == selected || r.Phase && r.Step == selected && at == 0 {
			at = i
		}
	}
	off := 0
	if len(rows) > height {
		off = max(0, min(at-height/2, len(rows)-height))
	}
	var out []string
	for i := off; i < len(rows) && len(out) < height; i++ {
		out = append(out, stepLine(st, rows[i], !rows[i].Phase && rows[i].Step == selected, width, long))
	}
	return out
}

func stepLine(st styles.Styles, r present.StepRow, selected bool, width int, long bool) string {
	name, indent, tone := r.Name, "   ", present.StatusTone(r.Status)
	if long && !r.Phase {
		name = r.Title
	}
	if r.Phase {
		indent = " "
	}
	detail := r.Detail
	room := width - ansi.StringWidth(indent) - 2 - 1
	if room-ansi.StringWidth(detail)-1 < ansi.StringWidth(name) { // the sign says it already
		detail = strings.TrimPrefix(detail, "running ")
	}
	detail = Cut(st, detail, max(0, room-4))
	nameWidth := max(1, room-ansi.StringWidth(detail)-1)
	body := Pad(st, name, nameWidth) + " " + detail
	if selected {
		return st.Selected(Pad(st, indent+Glyph(st, r.Status)+" "+body, width))
	}
	line := present.Line{
		{Tone: present.Normal, Text: indent}, {Tone: tone, Text: Glyph(st, r.Status)}, {Tone: present.Normal, Text: " "},
	}
	switch {
	case r.Phase && r.Status != runbook.StatusPending && r.Status != runbook.StatusDone:
		line = append(line, present.Span{Tone: present.Strong, Text: body})
	case r.Status == runbook.StatusWaiting || r.Status == runbook.StatusFailed:
		line = append(line, present.Span{Tone: tone, Text: body})
	case r.Status == runbook.StatusRunning:
		line = append(line, present.Span{Tone: present.Strong, Text: body})
	default:
		line = append(line, present.Span{Tone: present.Normal, Text: body})
	}
	return PadLine(st, line, width)
}

// Glyph is the sign of a step's state.
func Glyph(st styles.Styles, s runbook.Status) string {
	switch s {
	case runbook.StatusDone:
		return st.Glyphs.Done
	case runbook.StatusRunning:
		return st.Glyphs.Running
	case runbook.StatusWaiting:
		return st.Glyphs.Waiting
	case runbook.StatusFailed:
		return st.Glyphs.Failed
	case runbook.StatusSkipped:
		return st.Glyphs.Skipped
	default:
		return st.Glyphs.Pending
	}
}
