package components

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"raftmig/tui/present"
	"raftmig/tui/styles"
)

// Rule is a horizontal line with a title in it, and a remark at its right end.
func Rule(st styles.Styles, title, remark string, width int) string {
	g := st.Glyphs.Horizontal
	head := ""
	if title != "" {
		head = g + " " + title + " "
	}
	if remark != "" {
		remark = " " + remark + " " + g
	}
	if ansi.StringWidth(head)+ansi.StringWidth(remark) > width {
		remark = ""
	}
	head = Cut(st, head, width)
	fill := width - ansi.StringWidth(head) - ansi.StringWidth(remark)
	return st.Tone(present.Muted, head+strings.Repeat(g, max(0, fill))+remark)
}

// Progress is a bar for a share of 0 to 1 with text at its right; without a
// known share (below 0) only the text.
func Progress(st styles.Styles, share float64, text string, width int) string {
	if share < 0 {
		return Cut(st, text, width)
	}
	bar := min(24, width/4)
	full := int(share * float64(bar))
	b := "[" + strings.Repeat(st.Glyphs.Full, full) + strings.Repeat(st.Glyphs.Empty, bar-full) + "]"
	return Cut(st, fmt.Sprintf("%s %3d%%  %s", b, int(share*100), text), width)
}

// Tab is one entry of the row of pages.
type Tab struct {
	Key, Name string
	Active    bool
}

// Tabs is the row of pages, with a remark at its right end.
func Tabs(st styles.Styles, tabs []Tab, remark present.Span, width int) string {
	var b strings.Builder
	used := 0
	for _, t := range tabs {
		name := t.Key + " " + t.Name
		if t.Name == "" {
			name = t.Key
		}
		w := ansi.StringWidth(name) + 2
		if used+w > width {
			break
		}
		used += w
		if t.Active {
			b.WriteString(st.Selected(" " + name + " "))
		} else {
			b.WriteString(" " + name + " ")
		}
	}
	if rest := width - used - 1; remark.Text != "" && ansi.StringWidth(remark.Text) <= rest {
		b.WriteString(spaces(width - used - ansi.StringWidth(remark.Text)))
		b.WriteString(st.Tone(remark.Tone, remark.Text))
	}
	return b.String()
}

// Hint is a key with what it does, for the row at the bottom.
type Hint struct{ Key, Text string }

// Hints is the row of keys; those that do not fit are left out from the end.
func Hints(st styles.Styles, hints []Hint, width int) string {
	var b strings.Builder
	used := 0
	for i, h := range hints {
		w := ansi.StringWidth(h.Key) + 1 + ansi.StringWidth(h.Text)
		if i > 0 {
			w += 2
		}
		if used+w > width {
			break
		}
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(st.Tone(present.Label, h.Key) + " " + h.Text)
		used += w
	}
	return b.String()
}
