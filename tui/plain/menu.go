package plain

import (
	"context"
	"strconv"
	"strings"

	"raftmig/runbook"
	"raftmig/tui/present"
)

// menu is an open question. Its first choice, and the empty line, change nothing.
type menu struct {
	choices []choice
	// typed is what must be typed before then is done; the prompt is prompt.
	typed  string
	prompt string
	then   func(rest string)
	more   bool // more may follow what must be typed, for then
}

type choice struct {
	text string
	off  string
	do   func()
}

// ask opens the question that the run waits for.
// again says that it was asked before, and the problem told long ago.
func (s *session) ask(again bool) {
	if s.snap.Gate != nil {
		s.askGate()
		return
	}
	s.askProblem(again)
}

func (s *session) askGate() {
	g := s.snap.Gate
	d := present.GateDialog(s.snap, s.opts.Local, s.readOnly())
	s.tell(d)
	confirm := func(text string) func(string) {
		return func(string) { s.send(runbook.Command{Kind: runbook.EventConfirmed, Step: g.Step, Text: text}) }
	}
	goOn := choice{text: "go on", off: s.readOnly(), do: func() { s.confirmWord("yes", "Go on? Type yes, or press enter to wait:", confirm("yes")) }}
	if d.Typed != "" {
		goOn.text = "go on: type the network's name"
		goOn.do = func() { s.confirmWord(d.Typed, "Type "+d.Typed+" to go on, or press enter to wait:", confirm(d.Typed)) }
	}
	s.open([]choice{{text: "wait"}, goOn, s.abortChoice()})
}

func (s *session) askProblem(again bool) {
	s.say("The run stands still.")
	if again {
		s.items(present.ProblemItems(present.ProblemOf(s.snap)))
	}
	step := s.step()
	s.open([]choice{
		{text: "wait"},
		{text: "retry the step", off: s.readOnly(), do: func() { s.send(runbook.Command{Kind: runbook.EventRetry, Step: step}) }},
		s.abortChoice(),
		s.giveUpChoice(),
	})
}

func (s *session) abortChoice() choice {
	off := s.readOnly()
	if off == "" && !s.snap.AbortOffered {
		off = present.WayBack(s.snap)[1:].String()
	}
	text := present.AbortText(s.snap)
	return choice{text: strings.ToLower(text[:1]) + text[1:], off: off, do: func() {
		d := present.AbortDialog(s.snap, "")
		s.tell(d)
		s.confirmWord("yes", "Roll back? Type yes, and after it the reason if you like, or press enter to keep going:", func(why string) {
			if why == "" {
				why = "asked for at the terminal"
			}
			s.send(runbook.Command{Kind: runbook.EventAbort, Step: s.step(), Text: why})
		})
		s.menu.more = true
	}}
}

func (s *session) giveUpChoice() choice {
	off := s.readOnly()
	if off == "" && !present.Still(s.snap) {
		off = "no step has failed"
	}
	return choice{text: "give up: end the run where it stands", off: off, do: func() {
		s.tell(present.GiveUpDialog(s.snap, ""))
		s.confirmWord("yes", "Give up? Type yes, or press enter to keep the run:", func(string) {
			s.send(runbook.Command{Kind: runbook.EventGiveUp, Step: s.step(), Text: "given up at the terminal"})
		})
	}}
}

func (s *session) readOnly() string {
	if s.opts.ReadOnly {
		return "this terminal is read-only"
	}
	return ""
}

func (s *session) step() runbook.StepID {
	if sn := s.snap; sn != nil && sn.Current >= 0 && sn.Current < len(sn.Steps) {
		return sn.Steps[sn.Current].ID
	}
	return ""
}

// tell says what a dialog says.
func (s *session) tell(d present.DialogText) {
	s.say("%s", d.Title)
	for _, it := range d.Items {
		s.item(it)
	}
}

func (s *session) item(it present.Item) {
	text := it.Line.String()
	switch label := strings.TrimSpace(it.Label); {
	case text == "":
	case label != "":
		s.say("  %s: %s", strings.ToLower(label), text)
	default:
		s.say("  %s", text)
	}
}

// open shows numbered choices.
func (s *session) open(choices []choice) {
	s.menu = &menu{choices: choices}
	s.choices()
}

func (s *session) choices() {
	for i, c := range s.menu.choices {
		switch {
		case c.off != "":
			s.say("%d. %s (not now: %s)", i+1, c.text, c.off)
		case i == 0:
			s.say("%d. %s (default)", i+1, c.text)
		default:
			s.say("%d. %s", i+1, c.text)
		}
	}
	s.say("Type a number and enter; ? for what else you can ask:")
}

// confirmWord asks for a word to be typed exactly.
func (s *session) confirmWord(word, prompt string, then func(rest string)) {
	if s.menu == nil {
		s.menu = &menu{}
	}
	s.menu.typed, s.menu.prompt, s.menu.then, s.menu.more = word, prompt, then, false
	s.say("%s", prompt)
}

// line handles a line of input.
func (s *session) line(l string) {
	l = strings.TrimRight(l, "\r")
	if s.menu != nil && s.menu.typed != "" {
		s.typed(l)
		return
	}
	word := strings.ToLower(strings.TrimSpace(l))
	n, err := strconv.Atoi(word)
	switch {
	case word == "q" || word == "quit" || word == "exit":
		s.quit()
	case err == nil && s.menu != nil:
		s.choose(n)
	case word != "":
		s.request(word)
	case s.menu != nil:
		s.say("Nothing was done; the run waits.")
	}
}

// quit leaves; where the run lives in this process it asks first.
func (s *session) quit() {
	if !s.opts.InProcess || s.snap != nil && s.snap.Outcome != "" {
		s.leave = true
		return
	}
	s.tell(present.LeaveDialog())
	s.confirmWord("yes", "Leave? Type yes, or press enter to stay:", func(string) { s.leave = true })
}

func (s *session) choose(n int) {
	if n < 1 || n > len(s.menu.choices) {
		s.say("There is no choice %d.", n)
		s.choices()
		return
	}
	c := s.menu.choices[n-1]
	switch {
	case c.off != "":
		s.say("Not now: %s.", strings.TrimSuffix(c.off, "."))
	case c.do == nil:
		s.say("Nothing was done; the run waits. The question stays open: ? shows it again.")
	default:
		c.do()
	}
}

func (s *session) typed(l string) {
	m := s.menu
	word, then := m.typed, m.then
	m.typed, m.then = "", nil
	rest, found := strings.CutPrefix(l, word+" ")
	switch {
	case l == word:
		then("")
	case found && m.more:
		then(present.Clean(strings.TrimSpace(rest)))
	case l == "":
		s.say("Nothing was done.")
	default:
		s.say("That is not %s: nothing was done.", word)
	}
	if m.choices == nil && s.menu == m {
		s.menu = nil
	}
}

func (s *session) send(c runbook.Command) {
	c.By = s.opts.By
	ctx, cancel := context.WithTimeout(s.ctx, sendTimeout)
	defer cancel()
	if err := s.client.Send(ctx, c); err != nil {
		s.say("Refused: %s", present.Clean(err.Error()))
		return
	}
	s.say("Sent: %s.", map[runbook.EventKind]string{
		runbook.EventConfirmed: "confirmed",
		runbook.EventAbort:     "the way back was asked for; what is being done ends first",
		runbook.EventRetry:     "the step is tried again",
		runbook.EventGiveUp:    "gave up",
	}[c.Kind])
	s.menu = nil
}
