package components

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"raftmig/tui/dialog"
	"raftmig/tui/present"
	"raftmig/tui/styles"
)

// Dialog renders a dialog in exactly height rows of at most width columns: the
// text scrolls, the choices and the input are always in sight.
func Dialog(st styles.Styles, text present.DialogText, d *dialog.State, width, height int) []string {
	boxed := width >= 40 && height >= 12
	inner := width
	if boxed {
		inner = min(width-4, 96)
	}
	foot := dialogFoot(st, text, d, inner)
	rows := Items(st, text.Items, inner)
	room := height - len(foot)
	if boxed {
		room -= 2
	} else {
		room-- // the title
	}
	var body []string
	switch {
	case height <= 0:
		return nil
	case room <= 0: // the choices, and the selected one at any rate
		first := max(0, min(d.Choice, len(foot)-(height-1)))
		foot = foot[first:min(len(foot), first+height-1)]
	case len(rows) <= room:
		body = rows
		if room-len(rows) > 0 && boxed {
			body = append(body, "")
		}
	default:
		shown, above, below := Window(rows, d.Scroll, room-1)
		body = append(body, shown...)
		body = append(body, st.Tone(present.Muted, Cut(st, more(above, below), inner)))
	}
	body = append(body, foot...)
	if !boxed {
		out := append([]string{st.Tone(text.Tone, Cut(st, text.Title, width))}, body...)
		return out[:min(len(out), height)]
	}
	return box(st, text, body, inner)
}

func more(above, below int) string {
	switch {
	case below > 0 && above > 0:
		return present.Plural(above, "row") + " above, " + present.Plural(below, "row") + " below: J and K scroll"
	case below > 0:
		return present.Plural(below, "more row") + " below: J scrolls"
	default:
		return present.Plural(above, "row") + " above: K scrolls back"
	}
}

func box(st styles.Styles, text present.DialogText, body []string, inner int) []string {
	g := st.Glyphs
	title := " " + Cut(st, text.Title, inner-4) + " "
	fill := strings.Repeat(g.Horizontal, max(0, inner+1-ansi.StringWidth(title)))
	out := []string{g.TopLeft + g.Horizontal + st.Tone(text.Tone, title) + fill + g.TopRight}
	for _, r := range body {
		out = append(out, g.Vertical+" "+r+spaces(inner-ansi.StringWidth(r))+" "+g.Vertical)
	}
	return append(out, g.BottomLeft+strings.Repeat(g.Horizontal, inner+2)+g.BottomRight)
}

// dialogFoot is the part that never scrolls away.
func dialogFoot(st styles.Styles, text present.DialogText, d *dialog.State, width int) []string {
	var out []string
	if d.Typing {
		out = append(out, Cut(st, "Type "+text.Typed+" and enter. Esc: wait.", width),
			st.Tone(present.Strong, "> ")+tail(d.Input, width-3)+st.Selected(" "))
	} else {
		for i, c := range text.Choice {
			out = append(out, choiceLine(st, c, i == d.Choice, i == 0, width))
		}
	}
	switch {
	case d.Sending:
		out = append(out, st.Tone(present.Strong, Cut(st, "Sent; waiting for the run to take it.", width)))
	case d.Refused != "":
		for _, l := range Wrap(present.T(present.Bad, d.Refused), width) {
			out = append(out, st.Line(l))
		}
	case d.Grace:
		out = append(out, st.Tone(present.Muted, Cut(st, "One moment: keys are ignored until the keyboard is quiet.", width)))
	case d.Typing:
		out = append(out, "")
	default:
		out = append(out, st.Tone(present.Muted, Cut(st, "A letter chooses, enter takes it. Esc: look around.", width)))
	}
	return out
}

func choiceLine(st styles.Styles, c present.Choice, selected, isDefault bool, width int) string {
	mark := " "
	if selected {
		mark = st.Glyphs.Cursor
	}
	text := mark + " " + c.Key + "  " + c.Text
	if isDefault {
		text += " (default)"
	}
	if c.Off != "" {
		text += " - not now: " + c.Off
	}
	switch {
	case selected:
		return st.Selected(Pad(st, text, width))
	case c.Off != "":
		return st.Tone(present.Muted, Cut(st, text, width))
	default:
		return Cut(st, text, width)
	}
}

// tail is the end of an input that is wider than its field.
func tail(s string, width int) string {
	if w := ansi.StringWidth(s); w > width {
		return ansi.TruncateLeft(s, w-width, "")
	}
	return s
}
