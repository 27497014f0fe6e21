package dialog

import (
	"unicode"

	"github.com/charmbracelet/bubbles/cursor"
	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"
)

// maxInput bounds what can be typed; network names are shorter.
const maxInput = 256

// NewInput is an empty one-line input that has the keys. Its cursor does not
// blink, and it does not read a clipboard: that would be the one of the
// machine the tool runs on, not the operator's. What a terminal pastes is typed.
func NewInput() textinput.Model {
	in := textinput.New()
	in.CharLimit = maxInput
	in.KeyMap.Paste.SetEnabled(false)
	in.Cursor.SetMode(cursor.CursorStatic)
	in.Focus()
	return in
}

// Edit is the input after a key. Control characters of what is pasted are left
// out: the input would make spaces of them, and a name with a line break after
// it would be a wrong name.
func Edit(in textinput.Model, k tea.KeyMsg) textinput.Model {
	var runes []rune
	for _, r := range k.Runes {
		if !unicode.IsControl(r) {
			runes = append(runes, r)
		}
	}
	k.Runes, k.Paste = runes, false
	in, _ = in.Update(k)
	return in
}
