// Package dialog is the question on the screen: which choice is selected, what
// has been typed, and whether keys are swallowed because it opened by itself.
// It knows nothing of the run; present says what a dialog reads.
package dialog

import (
	"unicode"

	tea "github.com/charmbracelet/bubbletea"

	"raftmig/tui/present"
)

// Kind is which question it is.
type Kind int

// The kinds.
const (
	Gate Kind = iota + 1
	Problem
	Abort
	GiveUp
	Leave
	Lost
)

// maxInput bounds what can be typed; network names are shorter.
const maxInput = 256

// State is an open dialog.
type State struct {
	Kind   Kind
	ID     string // what it is about; the same question does not open twice
	Choice int    // selected; 0 is the default, which changes nothing
	Typing bool   // the input has the keys
	Input  string
	Scroll int
	// Grace is set while keys are swallowed: the dialog opened by itself and
	// the keyboard has not been quiet since. Seq numbers the quiet periods.
	Grace bool
	Seq   int
	// Sending is set from the answer to the run's reply; Refused is that reply.
	Sending bool
	Refused string
}

// Verdict is what a key did.
type Verdict int

// The verdicts.
const (
	Stay     Verdict = iota
	Swallow          // grace: the quiet period starts anew
	Close            // back to the screen, nothing was answered
	Chosen           // the selected choice, or the name was typed
	Quit             // leave the screen
	Disabled         // the choice cannot be taken; Refused says why
)

// Key handles a key. text is what the dialog reads now.
func (d *State) Key(k tea.KeyMsg, text present.DialogText) Verdict {
	if k.Type == tea.KeyCtrlC {
		return Quit
	}
	if d.Grace {
		return Swallow
	}
	if d.Typing {
		return d.typed(k, text)
	}
	switch k.String() {
	case "q":
		return Quit
	case "esc", "backspace":
		return Close
	case "up", "k", "shift+tab":
		d.Choice = max(0, d.Choice-1)
	case "down", "j", "tab":
		d.Choice = min(len(text.Choice)-1, d.Choice+1)
	case "pgdown", "J", " ":
		d.Scroll += 5
	case "pgup", "K":
		d.Scroll = max(0, d.Scroll-5)
	case "enter":
		return d.choose(text)
	default:
		for i, c := range text.Choice {
			if c.Key == k.String() {
				d.Choice, d.Refused = i, ""
				if text.Typed != "" && i == 1 { // the letter goes straight to typing
					return d.choose(text)
				}
				return Stay
			}
		}
	}
	return Stay
}

func (d *State) choose(text present.DialogText) Verdict {
	if d.Sending {
		return Stay
	}
	if d.Choice >= len(text.Choice) {
		d.Choice = 0
	}
	c := text.Choice[d.Choice]
	switch {
	case c.Off != "":
		d.Refused = c.Off
		return Disabled
	case d.Choice == 0:
		return Close
	case text.Typed != "":
		d.Typing, d.Refused = true, ""
		return Stay
	default:
		return Chosen
	}
}

// typed handles a key of the input. Only the exact name answers.
func (d *State) typed(k tea.KeyMsg, text present.DialogText) Verdict {
	switch k.Type {
	case tea.KeyEsc:
		d.Typing, d.Input, d.Refused, d.Choice = false, "", "", 0
	case tea.KeyEnter:
		if d.Sending {
			return Stay
		}
		if d.Input == text.Typed {
			return Chosen
		}
		d.Refused = "That is not the name: nothing was done. Type it exactly, or press esc to wait."
		d.Input = ""
	default:
		d.Input = Edit(d.Input, k)
		d.Refused = ""
	}
	return Stay
}

// Edit is what a one-line input holds after a key: letters and pastes are
// added, backspace takes one, ctrl-u all. Control characters are left out.
func Edit(in string, k tea.KeyMsg) string {
	switch k.Type {
	case tea.KeyRunes, tea.KeySpace:
		for _, r := range k.Runes {
			if !unicode.IsControl(r) && len(in) < maxInput {
				in += string(r)
			}
		}
	case tea.KeyBackspace:
		if rs := []rune(in); len(rs) > 0 {
			in = string(rs[:len(rs)-1])
		}
	case tea.KeyCtrlU:
		in = ""
	}
	return in
}
