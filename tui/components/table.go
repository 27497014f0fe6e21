package components

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"raftmig/tui/present"
	"raftmig/tui/styles"
)

// TableView is a table with the part of it that is in sight.
type TableView struct {
	Selected int // row in reverse video, -1 for none
	Offset   int // first row shown
	Height   int // rows including the head
}

// Table renders a table in at most width columns and view.Height rows. Columns
// are dropped by their Drop order until the rest fits; the last one is cut.
func Table(st styles.Styles, t present.Table, width int, view TableView) []string {
	cols, widths := fitColumns(t, width)
	if len(cols) == 0 || view.Height < 1 {
		return nil
	}
	head := make([]string, len(cols))
	for i, c := range cols {
		head[i] = align(st, t.Head[c], t.Head[c].Title, widths[i], i == len(cols)-1)
	}
	out := []string{st.Tone(present.Label, Cut(st, strings.TrimRight(strings.Join(head, "  "), " "), width))}
	off := max(0, min(view.Offset, len(t.Rows)-(view.Height-1)))
	for r := off; r < len(t.Rows) && len(out) < view.Height; r++ {
		out = append(out, tableRow(st, t, t.Rows[r], cols, widths, width, r == view.Selected))
	}
	return out
}

func tableRow(st styles.Styles, t present.Table, row []present.Span, cols, widths []int, width int, selected bool) string {
	var line present.Line
	for i, c := range cols {
		if i > 0 {
			line = append(line, present.Span{Tone: present.Normal, Text: "  "})
		}
		if c >= len(row) {
			continue
		}
		rest := c == len(row)-1 // a short row's last cell takes the rest
		if rest {
			line = append(line, row[c])
			break
		}
		line = append(line, present.Span{Tone: row[c].Tone, Text: align(st, t.Head[c], row[c].Text, widths[i], i == len(cols)-1)})
	}
	if selected {
		return st.Selected(Pad(st, line.String(), width))
	}
	return strings.TrimRight(FitLine(st, line, width), " ")
}

func align(st styles.Styles, c present.Column, text string, width int, last bool) string {
	switch {
	case c.Right:
		return padLeft(st, text, width)
	case last:
		return Cut(st, text, width)
	default:
		return Pad(st, text, width)
	}
}

// fitColumns chooses the columns that fit and their widths.
func fitColumns(t present.Table, width int) (cols, widths []int) {
	natural := make([]int, len(t.Head))
	for i, c := range t.Head {
		natural[i] = ansi.StringWidth(c.Title)
		for _, r := range t.Rows {
			if i < len(r) && !(i == len(r)-1 && i < len(t.Head)-1) {
				natural[i] = max(natural[i], ansi.StringWidth(r[i].Text))
			}
		}
		if c.Max > 0 {
			natural[i] = min(natural[i], max(c.Max, ansi.StringWidth(c.Title)))
		}
		cols = append(cols, i)
	}
	total := func() int {
		n := 2 * (len(cols) - 1)
		for _, c := range cols {
			n += natural[c]
		}
		return n
	}
	shrink := func() { // the first column gives what it can, down to 14
		natural[cols[0]] -= max(0, min(total()-width, natural[cols[0]]-14))
	}
	for total() > width {
		worst := -1
		for i, c := range cols {
			if t.Head[c].Drop > 0 && (worst < 0 || t.Head[c].Drop > t.Head[cols[worst]].Drop) {
				worst = i
			}
		}
		if worst < 0 || t.Head[cols[worst]].Drop <= 2 && total()-width <= natural[cols[0]]-14 {
			break
		}
		cols = append(cols[:worst:worst], cols[worst+1:]...)
	}
	if total() > width { // what is still too much is taken from the last column
		shrink()
		last := cols[len(cols)-1]
		natural[last] = max(1, natural[last]-max(0, total()-width))
	}
	for _, c := range cols {
		widths = append(widths, natural[c])
	}
	return cols, widths
}

// NaturalWidth is the width of the table with the columns that should not be
// missed: those with a Drop of at most keep.
func NaturalWidth(t present.Table, keep int) int {
	n := -2
	for i, c := range t.Head {
		if c.Drop > keep {
			continue
		}
		n += 2
		w := ansi.StringWidth(c.Title)
		for _, r := range t.Rows {
			if i < len(r) {
				w = max(w, ansi.StringWidth(r[i].Text))
			}
		}
		if c.Max > 0 {
			w = min(w, max(c.Max, ansi.StringWidth(c.Title)))
		}
		n += w
	}
	return n
}
