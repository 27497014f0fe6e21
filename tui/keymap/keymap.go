// Package keymap says which keys do what, and why some cannot be used now.
// Help, the row of hints and the handling of keys read the same bindings, so
// they cannot drift apart. Every action has a plain letter; no action needs
// ctrl-a, -b, -s, -q, -z or alt, which terminals, multiplexers and shells take.
package keymap

import (
	"fmt"

	"github.com/charmbracelet/bubbles/key"
)

// Action is what a key asks for.
type Action int

// The actions.
const (
	None Action = iota
	Leave
	Help
	Steps
	Channels
	Log
	Evidence
	Findings
	NextPage
	Up
	Down
	PageUp
	PageDown
	Top
	Bottom
	Open    // details of the selection
	Back    // one level back
	Next    // next step
	Prev    // previous step
	Current // follow the current step
	Filter
	Follow
	Marks // which log lines: usual, marked, all
	Wrap
	Answer // open what waits for an answer
	Abort
	Retry
	GiveUp
	Redraw
)

// Page is what is on the screen.
type Page int

// The pages, in the order of the tabs.
const (
	PageSteps Page = iota
	PageChannels
	PageLog
	PageEvidence
	PageFindings
	PageHelp
	PageStep // one step in full
)

// Binding is one action with its keys and their help; without help, another
// binding's help covers it. It is disabled if and only if Off is not empty.
type Binding struct {
	key.Binding
	Action Action
	Hint   string // short text for the bottom row, "" if not shown there
	Off    string // why it cannot be used now, "" if it can
}

// bind makes a binding; show are the keys as the help shows them, "" for none.
func bind(a Action, show, text string, keys ...string) Binding {
	return Binding{Action: a, Binding: key.NewBinding(key.WithKeys(keys...), key.WithHelp(show, text))}
}

// hint puts the binding into the bottom row.
func (b Binding) hint(text string) Binding {
	b.Hint = text
	return b
}

// off disables the binding for a reason; "" enables it.
func (b Binding) off(why string) Binding {
	b.Off = why
	b.SetEnabled(why == "")
	return b
}

// Short is the binding as the bottom row shows it.
func (b Binding) Short() key.Binding {
	k := b.Binding
	k.SetHelp(k.Help().Key, b.Hint)
	return k
}

// Context is what decides whether an action can be used.
type Context struct {
	Page      Page
	ReadOnly  bool
	Lost      bool
	Ended     bool
	Known     bool   // a snapshot has arrived
	Waiting   bool   // at a gate
	Still     bool   // on a problem
	AbortOff  string // why the way back is closed, "" if it is open
	Following bool   // steps: the current step; log: the newest line
	InProcess bool   // the run ends with this process
}

// Bindings are the keys of a page: first the page's own, then moving about,
// then acting on the run, then the rest.
func Bindings(c Context) []Binding {
	out := pageBindings(c)
	out = append(out, moveBindings(c)...)
	out = append(out, actBindings(c)...)
	return append(out,
		bind(Steps, "s c l", "pages: steps, channels, log of the orderers", "s", "1"),
		bind(Channels, "", "", "c", "2"),
		bind(Log, "", "", "l", "3"),
		bind(Evidence, "e f", "pages: evidence of a step, findings of the checks", "e", "4"),
		bind(Findings, "", "", "f", "5"),
		bind(NextPage, "tab", "next page; the keys 1 to 5 are the pages too", "tab"),
		bind(Redraw, "u", "draw the screen anew", "u", "ctrl+l"),
		bind(Help, "?", "this help", "?").hint("help"),
		bind(Leave, "q", pick(c.InProcess, "leave; it ends this process (asks first)", "leave this screen; the run goes on"), "q", "ctrl+c").hint("leave"),
	)
}

func pageBindings(c Context) []Binding {
	switch c.Page {
	case PageSteps:
		off := ""
		if c.Following {
			off = "the current step is selected"
		}
		return []Binding{
			bind(Open, "enter", "the selected step in full", "enter").hint("details"),
			bind(Current, "t", "back to the current step, and follow it", "t").off(off),
		}
	case PageStep, PageEvidence:
		return []Binding{
			bind(Next, "n", "next step", "n", "right").hint("next step"),
			bind(Prev, "b", "step before", "b", "left").hint("step before"),
			bind(Current, "t", "to the current step", "t"),
		}
	case PageLog:
		return []Binding{
			bind(Filter, "/", "show only lines with these words", "/").hint("filter"),
			bind(Follow, "p", "pause, or follow the newest line", "p").hint(pick(c.Following, "pause", "follow")),
			bind(Marks, "m", "usual lines; only leaders, warnings and errors; or all", "m").hint("more or less"),
			bind(Wrap, "w", "wrap long lines, or cut them", "w").hint("wrap"),
		}
	default:
		return nil
	}
}

func moveBindings(c Context) []Binding {
	what := map[Page]string{
		PageSteps: "select a step", PageChannels: "select a channel", PageLog: "older or newer lines",
	}[c.Page]
	if what == "" {
		what = "scroll"
	}
	out := []Binding{
		bind(Up, "k j", what+", or the arrows", "k", "up"),
		bind(Down, "", "", "j", "down"),
		bind(PageUp, "K J", "half a screen up, down, or pgup, pgdn, space", "pgup", "K"),
		bind(PageDown, "", "", "pgdown", "J", " "),
		bind(Top, "< >", "to the start, to the end, or home, end", "home", "<"),
		bind(Bottom, "", "", "end", ">", "G"),
		bind(Back, "esc", "one level back", "esc", "backspace"),
	}
	return out
}

func actBindings(c Context) []Binding {
	act := func(b Binding, off string) Binding {
		switch {
		case c.ReadOnly:
			off = "this terminal is read-only"
		case !c.Known:
			off = "nothing has been received from the run yet"
		case c.Ended:
			off = "the run has ended"
		case c.Lost:
			off = "the connection to the run is lost"
		}
		return b.off(off)
	}
	still := "no step has failed"
	if c.Still {
		still = ""
	}
	answer := bind(Answer, "g", "answer what the run waits for", "g")
	switch {
	case c.Lost && !c.Ended:
		answer = bind(Answer, "g", "reattach to the run", "g").hint("lost: reattach")
	case (c.Waiting || c.Still) && c.ReadOnly: // looking is allowed
		answer = answer.hint("look")
	case c.Waiting || c.Still:
		answer = act(answer.hint("answer"), "")
	default:
		answer = answer.off("nothing waits for an answer")
	}
	return []Binding{
		answer,
		act(bind(Retry, "r", "retry the failed step", "r").hint("retry"), still),
		act(bind(Abort, "a", "abort: back to Kafka (asks first)", "a").hint("abort"), c.AbortOff),
		act(bind(GiveUp, "x", "give up: end the run where it stands (asks first)", "x"), still),
	}
}

// Find is the binding of a key, nil if the key does nothing. It finds disabled
// ones too: they say why.
func Find(bs []Binding, k fmt.Stringer) *Binding {
	for i := range bs {
		on := bs[i].Binding
		on.SetEnabled(true)
		if key.Matches(k, on) {
			return &bs[i]
		}
	}
	return nil
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}
