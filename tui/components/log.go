package components

import (
	"github.com/charmbracelet/x/ansi"

	"raftmig/tui/present"
	"raftmig/tui/styles"
)

// Log renders log rows, the newest last, in at most width columns and height
// rows. back is how many rows the sight lies before the newest. wrap breaks
// long lines instead of cutting them.
func Log(st styles.Styles, rows []present.LogRow, width, height, back int, wrap bool) []string {
	height = max(0, height)
	end := min(len(rows), max(min(height, len(rows)), len(rows)-max(0, back)))
	node := nodeWidth(rows[max(0, end-height):end])
	var out []string
	for i := end - 1; i >= 0 && len(out) < height; i-- {
		lines := logLines(st, rows[i], node, width, wrap)
		for j := len(lines) - 1; j >= 0 && len(out) < height; j-- {
			out = append(out, lines[j])
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func nodeWidth(rows []present.LogRow) int {
	w := 8
	for _, r := range rows {
		w = max(w, min(16, ansi.StringWidth(r.Node)))
	}
	return w
}

func logLines(st styles.Styles, r present.LogRow, node, width int, wrap bool) []string {
	head := Pad(st, r.Time, 8) + " " + Pad(st, r.Node, node) + " "
	label := Pad(st, r.Label, 8) + " "
	lead := ansi.StringWidth(head) + ansi.StringWidth(label)
	if lead > width-20 { // too narrow for the columns
		head, lead = "", ansi.StringWidth(label)
	}
	texts := []string{Cut(st, r.Text, width-lead)}
	if wrap {
		texts = texts[:0]
		for _, l := range Wrap(present.T(present.Normal, r.Text), width-lead) {
			texts = append(texts, l.String())
		}
	}
	out := make([]string, 0, len(texts))
	for i, t := range texts {
		if i > 0 {
			head, label = spaces(ansi.StringWidth(head)), spaces(ansi.StringWidth(label))
		}
		out = append(out, logLine(st, r.Kind, head, label, t, width))
	}
	return out
}

func logLine(st styles.Styles, kind present.LogKind, head, label, text string, width int) string {
	switch kind {
	case present.LogLeader:
		return st.Tone(present.Mark, Pad(st, head+label+text, width))
	case present.LogExpected:
		return st.Tone(present.Muted, head+label+text)
	default:
		return head + st.Tone(kind.Tone(), label) + text
	}
}
