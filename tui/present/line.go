package present

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Tone says how a piece of text is meant; the styles decide how it looks. No
// meaning hangs on tone alone: the text says it too.
type Tone uint8

// The tones.
const (
	Normal Tone = iota
	Muted       // can be passed over
	Strong      // titles and names
	Label       // field names
	Good        // proven
	Warn        // needs a look
	Bad         // needs a hand
	Mark        // must not be missed: leader lines, states of the run
	Code        // to be copied
)

// Span is text in one tone.
type Span struct {
	Tone Tone
	Text string
}

// Line is a line of spans, without line breaks.
type Line []Span

// String is the line's text without tones.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// T makes a line of one span of clean text.
func T(tone Tone, text string) Line { return Line{{tone, Clean(text)}} }

// Item is a paragraph: an optional label in a column of its own and a text
// that may be wrapped. Verbatim text is to be copied: its spaces stay, and it
// starts at the left edge so that it can be taken off the screen.
type Item struct {
	Label    string
	Line     Line
	Indent   int // columns before the text, in a paragraph without label
	Verbatim bool
}

// Para makes an item without label.
func Para(tone Tone, text string) Item { return Item{Line: T(tone, text)} }

// Field makes an item with a label.
func Field(label string, tone Tone, text string) Item {
	return Item{Label: label, Line: T(tone, text)}
}

// Blank is an empty row between items.
func Blank() Item { return Item{} }

// Clean makes foreign text safe to print on one line: escape sequences are
// removed, line breaks and tabs become spaces, other control characters and
// direction overrides become "?", and what is not UTF-8 is dropped or replaced.
func Clean(s string) string {
	if isClean(s) {
		return s
	}
	s = ansi.Strip(s)
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func isClean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
				return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
			}) < 0
		}
	}
	return true
}
