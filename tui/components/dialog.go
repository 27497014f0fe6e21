package components

import (
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	"github.com/charmbracelet/lipgloss"

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
		v := Scroll(rows, d.Scroll, inner, room-1)
		remark := more(v.YOffset, v.TotalLineCount()-v.YOffset-v.VisibleLineCount())
		body = append(body, v.View(), st.Tone(present.Muted, Cut(st, remark, inner)))
	}
	body = append(body, foot...)
	if !boxed {
		body = append([]string{st.Tone(text.Tone, Cut(st, text.Title, width))}, body...)
		return strings.Split(st.NewStyle().MaxHeight(height).Render(strings.Join(body, "\n")), "\n")
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

// box frames the body. lipgloss has no borders with titles: the upper one is drawn here.
func box(st styles.Styles, text present.DialogText, body []string, inner int) []string {
	b := st.Border
	title := b.TopLeft + b.Top + st.Tone(text.Tone, " "+Cut(st, text.Title, inner-4)+" ")
	title = st.PlaceHorizontal(inner+3, lipgloss.Left, title, lipgloss.WithWhitespaceChars(b.Top)) + b.TopRight
	frame := st.NewStyle().Border(b).BorderTop(false).Padding(0, 1).Width(inner + 2)
	return append([]string{title}, strings.Split(frame.Render(strings.Join(body, "\n")), "\n")...)
}

// dialogFoot is the part that never scrolls away.
func dialogFoot(st styles.Styles, text present.DialogText, d *dialog.State, width int) []string {
	var out []string
	if d.Typing {
		what := text.Typed + " and enter. Esc: wait."
		if text.Typed == "" && d.Choice < len(text.Choice) {
			what = text.Choice[d.Choice].Ask + " and enter. Esc: back."
		}
		out = append(out, Cut(st, "Type "+what, width),
			Input(st, d.Input, "> ", present.Strong, width))
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

// Input is an open text input in at most width columns, with its cursor. The
// cursor does not blink: that would cost bytes while nothing happens.
func Input(st styles.Styles, in textinput.Model, prompt string, tone present.Tone, width int) string {
	in.Prompt, in.PromptStyle, in.TextStyle = prompt, st.Of(tone), st.NewStyle()
	in.Cursor.Style, in.Cursor.TextStyle = in.TextStyle, in.TextStyle
	in.Width = max(1, width-lipgloss.Width(prompt)-1)
	in.SetCursor(in.Position()) // brings the cursor into the width
	return in.View()
}
