package components

import (
	"fmt"
	"slices"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/bubbles/progress"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"raftmig/tui/present"
	"raftmig/tui/styles"
)

// Rule is a horizontal line with a title in it, and a remark at its right end.
func Rule(st styles.Styles, title, remark string, width int) string {
	g := st.Border.Top
	head := ""
	if title != "" {
		head = g + " " + title + " "
	}
	if remark != "" {
		remark = " " + remark + " " + g
	}
	if lipgloss.Width(head)+lipgloss.Width(remark) > width {
		remark = ""
	}
	line := st.PlaceHorizontal(width-lipgloss.Width(remark), lipgloss.Left, Cut(st, head, width), lipgloss.WithWhitespaceChars(g))
	return st.Tone(present.Muted, line+remark)
}

// Progress is a bar for a share of 0 to 1 with text at its right; without a
// known share (below 0) only the text.
func Progress(st styles.Styles, share float64, text string, width int) string {
	if share < 0 {
		return Cut(st, text, width)
	}
	bar := min(24, width/4)
	if bar < 1 {
		return Cut(st, text, width)
	}
	// Rounded down, in cells as in percent: nothing is full before it is done.
	full := int(share * float64(bar))
	p := progress.New(progress.WithColorProfile(termenv.Ascii), progress.WithFillCharacters(st.Glyphs.Full, st.Glyphs.Empty),
		progress.WithWidth(bar), progress.WithoutPercentage())
	return Cut(st, fmt.Sprintf("[%s] %3d%%  %s", p.ViewAs(float64(full)/float64(bar)), int(share*100), text), width)
}

// Tab is one entry of the row of pages.
type Tab struct {
	Key, Name string
	Active    bool
}

// Tabs is the row of pages, with a remark at its right end.
func Tabs(st styles.Styles, tabs []Tab, remark present.Span, width int) string {
	var row []string
	used := 0
	for _, t := range tabs {
		name := t.Key + " " + t.Name
		if t.Name == "" {
			name = t.Key
		}
		name = " " + name + " "
		w := lipgloss.Width(name)
		if used+w > width {
			break
		}
		used += w
		if t.Active {
			name = st.Selected(name)
		}
		row = append(row, name)
	}
	if rest := width - used; remark.Text != "" && lipgloss.Width(remark.Text) < rest {
		row = append(row, st.PlaceHorizontal(rest, lipgloss.Right, st.Tone(remark.Tone, remark.Text)))
	}
	return lipgloss.JoinHorizontal(lipgloss.Top, row...)
}

// Hints is the row of keys: those of the page, then those that are always
// there. Where not all fit, those of the page are left out from the end.
func Hints(st styles.Styles, page, always []key.Binding, width int) string {
	h := help.New()
	h.ShortSeparator = "  "
	h.Styles = help.Styles{ShortKey: st.Of(present.Label), ShortDesc: st.NewStyle(), ShortSeparator: st.NewStyle()}
	for {
		row := h.ShortHelpView(slices.Concat(page, always))
		switch {
		case lipgloss.Width(row) <= width:
			return row
		case len(page) > 0:
			page = page[:len(page)-1]
		case len(always) > 0:
			always = always[:len(always)-1]
		default:
			return ""
		}
	}
}
