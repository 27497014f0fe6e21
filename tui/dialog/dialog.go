// Package dialog is the question on the screen: which choice is selected, what
// has been typed, and whether keys are swallowed because it opened by itself.
// It knows nothing of the run; present says what a dialog reads.
package dialog

import (
	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/bubbles/textinput"
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

// State is an open dialog.
type State struct {
	Kind   Kind
	ID     string          // what it is about; the same question does not open twice
	Choice int             // selected; 0 is the default, which changes nothing
	Typing bool            // the input has the keys
	Input  textinput.Model // empty unless Typing
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

// The keys of a dialog, beside the letters of its choices.
var (
	Take  = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "take the choice"))
	Send  = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "send"))
	Back  = key.NewBinding(key.WithKeys("esc", "backspace"), key.WithHelp("esc", "back"))
	Wait  = key.NewBinding(key.WithKeys("esc"), key.WithHelp("esc", "wait"))
	Exit  = key.NewBinding(key.WithKeys("q", "ctrl+c"), key.WithHelp("q", "leave"))
	Break = key.NewBinding(key.WithKeys("ctrl+c"), key.WithHelp("ctrl-c", "leave")) // while typing

	prev     = key.NewBinding(key.WithKeys("up", "k", "shift+tab"))
	next     = key.NewBinding(key.WithKeys("down", "j", "tab"))
	pageUp   = key.NewBinding(key.WithKeys("pgup", "K"))
	pageDown = key.NewBinding(key.WithKeys("pgdown", "J", " "))
)

// Key handles a key. text is what the dialog reads now.
func (d *State) Key(k tea.KeyMsg, text present.DialogText) Verdict {
	switch {
	case key.Matches(k, Break):
		return Quit
	case d.Grace:
		return Swallow
	case d.Typing:
		return d.typed(k, text)
	case key.Matches(k, Exit):
		return Quit
	case key.Matches(k, Back):
		return Close
	case key.Matches(k, prev):
		d.Choice = max(0, d.Choice-1)
	case key.Matches(k, next):
		d.Choice = min(len(text.Choice)-1, d.Choice+1)
	case key.Matches(k, pageDown):
		d.Scroll += 5
	case key.Matches(k, pageUp):
		d.Scroll = max(0, d.Scroll-5)
	case key.Matches(k, Take):
		return d.choose(text)
	default:
		return d.letter(k.String(), text)
	}
	return Stay
}

// letter selects the choice with a letter. Where something is to be typed, it
// goes straight to typing.
func (d *State) letter(k string, text present.DialogText) Verdict {
	for i, c := range text.Choice {
		if c.Key == k {
			d.Choice, d.Refused = i, ""
			if text.Typed != "" && i == 1 || c.Ask != "" {
				return d.choose(text)
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
	case text.Typed != "" || c.Ask != "":
		d.Typing, d.Refused, d.Input = true, "", NewInput()
		return Stay
	default:
		return Chosen
	}
}

// typed handles a key of the input. Where a name must be typed, only the exact
// name answers.
func (d *State) typed(k tea.KeyMsg, text present.DialogText) Verdict {
	switch {
	case key.Matches(k, Wait):
		d.Typing, d.Input, d.Refused, d.Choice = false, textinput.Model{}, "", 0
	case key.Matches(k, Send):
		if d.Sending {
			return Stay
		}
		if text.Typed == "" || d.Input.Value() == text.Typed {
			return Chosen
		}
		d.Refused = "That is not the name: nothing was done. Type it exactly, or press esc to wait."
		d.Input.Reset()
	default:
		d.Input = Edit(d.Input, k)
		d.Refused = ""
	}
	return Stay
}
