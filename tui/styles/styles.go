// Package styles maps tones to terminal attributes. It uses the terminal's own
// foreground and background, at most the 16 ANSI colours, and only red, green
// and yellow of them, each beside a word that says the same. Mono uses bold,
// faint and reverse alone.
package styles

import (
	"github.com/charmbracelet/x/ansi"

	"raftmig/tui/present"
)

// Styles is how everything looks.
type Styles struct {
	tones    [present.Code + 1]string
	selected string
	Glyphs   Glyphs
}

// Glyphs are the signs beside the words, one column wide each.
type Glyphs struct {
	Done, Running, Waiting, Failed, Skipped, Pending string
	Horizontal, Vertical                             string
	TopLeft, TopRight, BottomLeft, BottomRight       string
	Full, Empty                                      string // of a progress bar
	Ellipsis                                         string
	Cursor                                           string // marks the selected row
}

var unicodeGlyphs = Glyphs{
	Done: "✓", Running: "»", Waiting: "?", Failed: "✗", Skipped: "-", Pending: "·",
	Horizontal: "─", Vertical: "│",
	TopLeft: "┌", TopRight: "┐", BottomLeft: "└", BottomRight: "┘",
	Full: "█", Empty: "░", Ellipsis: "…", Cursor: "›",
}

var asciiGlyphs = Glyphs{
	Done: "*", Running: ">", Waiting: "?", Failed: "x", Skipped: "-", Pending: ".",
	Horizontal: "-", Vertical: "|",
	TopLeft: "+", TopRight: "+", BottomLeft: "+", BottomRight: "+",
	Full: "#", Empty: ".", Ellipsis: "~", Cursor: ">",
}

// New makes styles. mono leaves colours out; ascii draws with ASCII only.
func New(mono, ascii bool) Styles {
	plain := ansi.Style{}
	s := Styles{Glyphs: unicodeGlyphs, selected: plain.Reverse(true).String()}
	if ascii {
		s.Glyphs = asciiGlyphs
	}
	s.tones[present.Muted] = plain.Faint().String()
	s.tones[present.Strong] = plain.Bold().String()
	s.tones[present.Label] = plain.Bold().String()
	s.tones[present.Mark] = plain.Bold().Reverse(true).String()
	s.tones[present.Warn] = plain.Bold().String()
	s.tones[present.Bad] = plain.Bold().String()
	if mono {
		return s
	}
	s.tones[present.Good] = plain.ForegroundColor(ansi.Green).String()
	s.tones[present.Warn] = plain.ForegroundColor(ansi.Yellow).String()
	s.tones[present.Bad] = plain.Bold().ForegroundColor(ansi.Red).String()
	return s
}

// Tone renders text in a tone.
func (s Styles) Tone(t present.Tone, text string) string {
	if text == "" || int(t) >= len(s.tones) || s.tones[t] == "" {
		return text
	}
	return s.tones[t] + text + ansi.ResetStyle
}

// Line renders a line.
func (s Styles) Line(l present.Line) string {
	out := ""
	for _, sp := range l {
		out += s.Tone(sp.Tone, sp.Text)
	}
	return out
}

// Selected renders plain text as the selection: in reverse video.
func (s Styles) Selected(text string) string { return s.selected + text + ansi.ResetStyle }

// Badge renders a word that must be found at once: reverse video in its tone.
func (s Styles) Badge(t present.Tone, word string) string {
	seq := ""
	if int(t) < len(s.tones) {
		seq = s.tones[t]
	}
	return seq + s.selected + " " + word + " " + ansi.ResetStyle
}
