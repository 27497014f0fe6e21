// Package components draws present's lines, items and tables into rows of a
// given width. Components hold no state and read no clock: the same arguments
// give the same rows. No row is wider than asked.
package components

import (
	"strings"

	"github.com/charmbracelet/bubbles/viewport"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"raftmig/tui/present"
	"raftmig/tui/styles"
)

// LabelWidth is the width of the label column of items.
const LabelWidth = 9

// Cut shortens plain text to width columns, with an ellipsis where something is lost.
func Cut(st styles.Styles, text string, width int) string {
	if width <= 0 {
		return ""
	}
	return ansi.Truncate(text, width, st.Glyphs.Ellipsis)
}

// Pad cuts and fills plain text to exactly width columns.
func Pad(st styles.Styles, text string, width int) string {
	return st.PlaceHorizontal(width, lipgloss.Left, Cut(st, text, width))
}

func padLeft(st styles.Styles, text string, width int) string {
	return st.PlaceHorizontal(width, lipgloss.Right, Cut(st, text, width))
}

func spaces(n int) string { return strings.Repeat(" ", max(0, n)) }

// FitLine renders a line in at most width columns.
func FitLine(st styles.Styles, l present.Line, width int) string {
	var b strings.Builder
	for i, s := range l {
		w := ansi.StringWidth(s.Text)
		if w > width || w == width && i < len(l)-1 {
			b.WriteString(st.Tone(s.Tone, Cut(st, strings.TrimRight(s.Text, " ")+st.Glyphs.Ellipsis, width)))
			break
		}
		b.WriteString(st.Tone(s.Tone, s.Text))
		width -= w
	}
	return b.String()
}

// PadLine renders a line in exactly width columns.
func PadLine(st styles.Styles, l present.Line, width int) string {
	return st.PlaceHorizontal(width, lipgloss.Left, FitLine(st, l, width))
}

// Wrap breaks a line into rows of at most width columns, at spaces where it can.
func Wrap(l present.Line, width int) []present.Line {
	width = max(1, width)
	var rows []present.Line
	var row present.Line
	used := 0
	put := func(tone present.Tone, text string) {
		if n := len(row); n > 0 && row[n-1].Tone == tone {
			row[n-1].Text += text
		} else {
			row = append(row, present.Span{Tone: tone, Text: text})
		}
		used += ansi.StringWidth(text)
	}
	flush := func() {
		rows, row, used = append(rows, row), nil, 0
	}
	for _, s := range l {
		for _, word := range splitWords(s.Text) {
			blank := word[0] == ' '
			w := ansi.StringWidth(word)
			switch {
			case used+w <= width:
				if !blank || used > 0 {
					put(s.Tone, word)
				}
				continue
			case blank:
				flush()
				continue
			case used > 0:
				trimLast(row)
				flush()
			}
			for ansi.StringWidth(word) > width {
				head := ansi.Truncate(word, width, "")
				if head == "" { // a rune wider than the row
					break
				}
				put(s.Tone, head)
				flush()
				word = word[len(head):]
			}
			if word != "" && ansi.StringWidth(word) <= width {
				put(s.Tone, word)
			}
		}
	}
	if used > 0 || len(rows) == 0 {
		trimLast(row)
		flush()
	}
	return rows
}

func trimLast(row present.Line) {
	if n := len(row); n > 0 {
		row[n-1].Text = strings.TrimRight(row[n-1].Text, " ")
	}
}

func splitWords(s string) []string {
	var out []string
	start := 0
	for i := 1; i <= len(s); i++ {
		if i == len(s) || (s[i] == ' ') != (s[i-1] == ' ') {
			if i > start {
				out = append(out, s[start:i])
			}
			start = i
		}
	}
	return out
}

// Items renders paragraphs in rows of at most width columns. Nothing is lost:
// verbatim text that is too wide is
// broken as a shell reads it.
func Items(st styles.Styles, items []present.Item, width int) []string {
	return renderItems(st, items, width, false)
}

// Brief is Items for a pane: verbatim text that is too wide is cut.
func Brief(st styles.Styles, items []present.Item, width int) []string {
	return renderItems(st, items, width, true)
}

func renderItems(st styles.Styles, items []present.Item, width int, brief bool) []string {
	var out []string
	var at shell // quotes go on from line to line of a command
	for _, it := range items {
		if it.Verbatim {
			if brief {
				out = append(out, Cut(st, it.Line.String(), width))
				continue
			}
			for _, row := range at.fold(it.Line.String(), width) {
				out = append(out, Cut(st, row, width))
			}
			continue
		}
		at = shell{}
		indent := it.Indent
		if it.Label != "" {
			indent = LabelWidth
		}
		if indent > width/2 {
			indent = min(2, width/2)
		}
		for i, row := range Wrap(it.Line, width-indent) {
			lead := spaces(indent)
			if i == 0 && it.Label != "" {
				lead = st.PlaceHorizontal(indent, lipgloss.Left, st.Tone(present.Label, Cut(st, it.Label, indent-1)))
			}
			out = append(out, strings.TrimRight(lead+st.Line(row), " "))
		}
	}
	return out
}

// Scroll is a viewport of width columns and height rows on rows, from row off
// on; where that is beyond the last rows, these are in sight.
func Scroll(rows []string, off, width, height int) viewport.Model {
	v := viewport.New(width, height)
	v.SetContent(strings.Join(rows, "\n"))
	v.SetYOffset(off)
	return v
}
