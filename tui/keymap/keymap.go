// Package keymap says which keys do what, and why some cannot be used now.
// Help, the row of hints and the handling of keys read the same bindings, so
// they cannot drift apart. Every action has a plain letter; no action needs
// ctrl-a, -b, -s, -q, -z or alt, which terminals, multiplexers and shells take.
package keymap

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
	Marks // only marked log lines
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

// Binding is one action with its keys.
type Binding struct {
	Action Action
	Keys   []string // as bubbletea names them
	Show   string   // as the help shows them; "" where another binding's help covers it
	Text   string
	Hint   string // short text for the bottom row, "" if not shown there
	Off    string // why it cannot be used now, "" if it can
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
		Binding{Action: Steps, Keys: []string{"s", "1"}, Show: "s c l", Text: "pages: steps, channels, log of the orderers"},
		Binding{Action: Channels, Keys: []string{"c", "2"}},
		Binding{Action: Log, Keys: []string{"l", "3"}},
		Binding{Action: Evidence, Keys: []string{"e", "4"}, Show: "e f", Text: "pages: evidence of a step, findings of the checks"},
		Binding{Action: Findings, Keys: []string{"f", "5"}},
		Binding{Action: NextPage, Keys: []string{"tab"}, Show: "tab", Text: "next page; the keys 1 to 5 are the pages too"},
		Binding{Action: Redraw, Keys: []string{"u", "ctrl+l"}, Show: "u", Text: "draw the screen anew"},
		Binding{Action: Help, Keys: []string{"?"}, Show: "?", Text: "this help", Hint: "help"},
		Binding{Action: Leave, Keys: []string{"q", "ctrl+c"}, Show: "q", Text: pick(c.InProcess, "leave; it ends this process (asks first)", "leave this screen; the run goes on"), Hint: "leave"},
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
			{Action: Open, Keys: []string{"enter"}, Show: "enter", Text: "the selected step in full", Hint: "details"},
			{Action: Current, Keys: []string{"t"}, Show: "t", Text: "back to the current step, and follow it", Off: off},
		}
	case PageStep, PageEvidence:
		return []Binding{
			{Action: Next, Keys: []string{"n", "right"}, Show: "n", Text: "next step", Hint: "next step"},
			{Action: Prev, Keys: []string{"b", "left"}, Show: "b", Text: "step before", Hint: "step before"},
			{Action: Current, Keys: []string{"t"}, Show: "t", Text: "to the current step"},
		}
	case PageLog:
		return []Binding{
			{Action: Filter, Keys: []string{"/"}, Show: "/", Text: "show only lines with these words", Hint: "filter"},
			{Action: Follow, Keys: []string{"p"}, Show: "p", Text: "pause, or follow the newest line", Hint: pick(c.Following, "pause", "follow")},
			{Action: Marks, Keys: []string{"m"}, Show: "m", Text: "only leaders, warnings and errors, or all", Hint: "marked only"},
			{Action: Wrap, Keys: []string{"w"}, Show: "w", Text: "wrap long lines, or cut them", Hint: "wrap"},
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
		{Action: Up, Keys: []string{"k", "up"}, Show: "k j", Text: what + ", or the arrows"},
		{Action: Down, Keys: []string{"j", "down"}},
		{Action: PageUp, Keys: []string{"pgup", "K"}, Show: "K J", Text: "half a screen up, down, or pgup, pgdn, space"},
		{Action: PageDown, Keys: []string{"pgdown", "J", " "}},
		{Action: Top, Keys: []string{"home", "<"}, Show: "< >", Text: "to the start, to the end, or home, end"},
		{Action: Bottom, Keys: []string{"end", ">", "G"}},
		{Action: Back, Keys: []string{"esc", "backspace"}, Show: "esc", Text: "one level back"},
	}
	return out
}

func actBindings(c Context) []Binding {
	act := func(b Binding, off string) Binding {
		switch {
		case c.ReadOnly:
			b.Off = "this terminal is read-only"
		case !c.Known:
			b.Off = "nothing has been received from the run yet"
		case c.Ended:
			b.Off = "the run has ended"
		case c.Lost:
			b.Off = "the connection to the run is lost"
		default:
			b.Off = off
		}
		if b.Off != "" {
			b.Hint = ""
		}
		return b
	}
	answerOff := "nothing waits for an answer"
	still := "no step has failed"
	if c.Still {
		still = ""
	}
	answer := Binding{Action: Answer, Keys: []string{"g"}, Show: "g", Text: "answer what the run waits for"}
	switch {
	case c.Lost && !c.Ended:
		answer.Text, answer.Hint = "reattach to the run", "lost: reattach"
	case c.Waiting || c.Still:
		answer.Hint = "answer"
		answer = act(answer, "")
		if c.ReadOnly { // looking is allowed
			answer.Off, answer.Hint = "", "look"
		}
	default:
		answer.Off = answerOff
	}
	return []Binding{
		answer,
		act(Binding{Action: Retry, Keys: []string{"r"}, Show: "r", Text: "retry the failed step", Hint: "retry"}, still),
		act(Binding{Action: Abort, Keys: []string{"a"}, Show: "a", Text: "abort: back to Kafka (asks first)", Hint: "abort"}, c.AbortOff),
		act(Binding{Action: GiveUp, Keys: []string{"x"}, Show: "x", Text: "give up: end the run where it stands (asks first)"}, still),
	}
}

// Find is the binding of a key, nil if the key does nothing.
func Find(bs []Binding, key string) *Binding {
	for i := range bs {
		for _, k := range bs[i].Keys {
			if k == key {
				return &bs[i]
			}
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
