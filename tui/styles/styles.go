// Package styles maps tones to lipgloss styles. It uses the terminal's own
// foreground and background, at most the 16 ANSI colours, and only red, green
// and yellow of them, each beside a word that says the same. Mono uses bold,
// faint and reverse alone.
//
// Styles render through a renderer of their own with a fixed colour profile:
// nothing is asked of the terminal or the environment, so that the same
// arguments give the same bytes.
package styles

import (
	"io"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"raftmig/tui/present"
)

// Styles is how everything looks.
type Styles struct {
	*lipgloss.Renderer
	tones    [present.Code + 1]lipgloss.Style
	selected lipgloss.Style
	Border   lipgloss.Border
	Glyphs   Glyphs
}

// Glyphs are the signs beside the words, one column wide each.
type Glyphs struct {
	Done, Running, Waiting, Failed, Skipped, Pending string
	Full, Empty                                      rune // of a progress bar
	Ellipsis                                         string
	Cursor                                           string // marks the selected row
}

var unicodeGlyphs = Glyphs{
	Done: "✓", Running: "»", Waiting: "?", Failed: "✗", Skipped: "-", Pending: "·",
	Full: '█', Empty: '░', Ellipsis: "…", Cursor: "›",
}

var asciiGlyphs = Glyphs{
	Done: "*", Running: ">", Waiting: "?", Failed: "x", Skipped: "-", Pending: ".",
	Full: '#', Empty: '.', Ellipsis: "~", Cursor: ">",
}

// New makes styles. mono leaves colours out; ascii draws with ASCII only.
func New(mono, ascii bool) Styles {
	r := lipgloss.NewRenderer(io.Discard)
	// Without colours too: lipgloss leaves bold and reverse out of its Ascii profile.
	r.SetColorProfile(termenv.ANSI)
	r.SetHasDarkBackground(true) // no style depends on it; set so that nobody asks
	plain, bold := r.NewStyle(), r.NewStyle().Bold(true)
	s := Styles{Renderer: r, Glyphs: unicodeGlyphs, Border: lipgloss.NormalBorder(), selected: plain.Reverse(true)}
	if ascii {
		s.Glyphs, s.Border = asciiGlyphs, lipgloss.ASCIIBorder()
	}
	s.tones = [...]lipgloss.Style{
		present.Normal: plain, present.Good: plain, present.Code: plain,
		present.Muted: plain.Faint(true), present.Mark: bold.Reverse(true),
		present.Strong: bold, present.Label: bold, present.Warn: bold, present.Bad: bold,
	}
	if !mono {
		s.tones[present.Good] = plain.Foreground(lipgloss.ANSIColor(termenv.ANSIGreen))
		s.tones[present.Warn] = plain.Foreground(lipgloss.ANSIColor(termenv.ANSIYellow))
		s.tones[present.Bad] = bold.Foreground(lipgloss.ANSIColor(termenv.ANSIRed))
	}
	return s
}

// Of is the style of a tone.
func (s Styles) Of(t present.Tone) lipgloss.Style {
	if int(t) >= len(s.tones) {
		return s.tones[present.Normal]
	}
	return s.tones[t]
}

// Tone renders text in a tone.
func (s Styles) Tone(t present.Tone, text string) string {
	if text == "" {
		return ""
	}
	return s.Of(t).Render(text)
}

// Line renders a line.
func (s Styles) Line(l present.Line) string {
	var out strings.Builder
	for _, sp := range l {
		out.WriteString(s.Tone(sp.Tone, sp.Text))
	}
	return out.String()
}

// Selected renders plain text as the selection: in reverse video.
func (s Styles) Selected(text string) string { return s.selected.Render(text) }

// Badge renders a word that must be found at once: reverse video in its tone.
func (s Styles) Badge(t present.Tone, word string) string {
	return s.Of(t).Reverse(true).Render(" " + word + " ")
}
