package plain

import (
	"fmt"
	"strconv"
	"strings"

	"raftmig/tui/present"
)

// request handles what the operator asks for by word at any time.
func (s *session) request(line string) {
	word, arg, _ := strings.Cut(line, " ")
	if s.snap == nil && word != "?" && word != "help" {
		s.say("Nothing has been received from the run yet.")
		return
	}
	switch word {
	case "?", "help", "h":
		s.help()
	case "s", "status", "steps":
		s.status()
	case "c", "channels":
		s.channels()
	case "l", "log":
		s.log(arg)
	case "e", "evidence":
		s.evidence(arg)
	case "f", "findings":
		s.items(append([]present.Item{{Line: present.FindingsLine(s.snap.Findings)}}, present.FindingItems(s.snap.Findings)...))
	case "w", "what", "step":
		if i, ok := s.stepIndex(arg); ok {
			s.items(present.ExplainItems(s.snap.Steps[i], s.snap.Steps[i].EndedAt))
		}
	case "a", "abort":
		s.act(s.abortChoice())
	case "r", "retry":
		if s.question() != "" && s.snap.Gate == nil {
			s.ask(true)
			return
		}
		s.say("Not now: no step has failed.")
	case "x", "give":
		s.act(s.giveUpChoice())
	case "g", "answer":
		if s.question() == "" {
			s.say("Nothing waits for an answer.")
			return
		}
		s.ask(true)
	default:
		s.say("%q is nothing I know. Type ? for what you can ask.", present.Clean(line))
	}
}

func (s *session) act(c choice) {
	if c.off != "" {
		s.say("Not now: %s.", strings.TrimSuffix(c.off, "."))
		return
	}
	c.do()
}

func (s *session) help() {
	for _, l := range []string{
		"s            status: the steps, and the way back",
		"w [step]     what a step does, why, how it is proven, the commands",
		"c            channels on every node",
		"e [step]     evidence of a step; a step is its number or its name",
		"f            findings of the checks",
		"l [words]    newest log lines, only those with these words",
		"g            answer what the run waits for",
		"a, r, x      abort (roll back), retry, give up: each asks first",
		"q            leave",
	} {
		s.say("%s", l)
	}
	if s.menu != nil && len(s.menu.choices) > 0 {
		s.say("The run waits for your answer:")
		s.choices()
	}
}

func (s *session) status() {
	sn := s.snap
	s.say("%s: network %s, %s, %s", present.MoodOf(sn, false), present.Clean(sn.Plan.Network), present.PhaseWord(sn.Phase), present.StepCount(sn))
	s.say("%s", present.WayBack(sn).String())
	for _, e := range sn.Active {
		text := present.EffectText(e)
		if s.progress != nil && s.progress.Effect == e.ID {
			text += ": " + present.ProgressText(s.progress)
		}
		s.say("now: %s", text)
	}
	for n, i := range present.Visible(sn) {
		st := sn.Steps[i]
		line := fmt.Sprintf("%d. %s: %s", n+1, present.Clean(string(st.ID)), present.StatusWord(st.Status))
		if t := present.StepTime(st, st.StartedAt); t != "" && !st.EndedAt.IsZero() {
			line += " " + t
		}
		s.say("%s", line)
	}
}

func (s *session) channels() {
	s.say("%s; seen at %s", present.ChannelsLine(s.snap).String(), present.Clock(s.snap.ObservedAt, s.opts.Local))
	for i, ch := range s.snap.Channels {
		t := present.NodeTable(s.snap, i)
		name := present.Clean(ch.Name)
		if ch.System {
			name += ", system channel"
		}
		s.say("channel %s", name)
		for _, row := range t.Rows {
			parts := []string{}
			for k, c := range row {
				if k > 1 && k < len(t.Head) && c.Text != "-" && len(row) == len(t.Head) {
					parts = append(parts, strings.ToLower(t.Head[k].Title)+" "+c.Text)
				} else if c.Text != "-" {
					parts = append(parts, c.Text)
				}
			}
			s.say("  %s", strings.Join(parts, ", "))
		}
	}
}

func (s *session) log(words string) {
	n := 0
	for _, l := range s.recent {
		ok := true
		for _, w := range strings.Fields(strings.ToLower(words)) {
			ok = ok && strings.Contains(strings.ToLower(l), w)
		}
		if ok {
			s.say("%s", l)
			n++
		}
	}
	if n == 0 {
		s.say("No log line.")
	}
}

func (s *session) evidence(arg string) {
	if i, ok := s.stepIndex(arg); ok {
		s.items(present.EvidenceItems(s.snap.Steps[i], s.opts.Local))
	}
}

// stepIndex finds a step by number or name; the current one for "".
func (s *session) stepIndex(arg string) (int, bool) {
	arg = strings.TrimSpace(arg)
	vis := present.Visible(s.snap)
	if arg == "" && len(vis) > 0 {
		return present.LastStep(s.snap), true
	}
	if n, err := strconv.Atoi(arg); err == nil && n >= 1 && n <= len(vis) {
		return vis[n-1], true
	}
	for _, i := range vis {
		if string(s.snap.Steps[i].ID) == arg || present.StepName(s.snap.Steps[i].ID) == arg {
			return i, true
		}
	}
	s.say("There is no step %q.", present.Clean(arg))
	return 0, false
}

func (s *session) items(items []present.Item) {
	for _, it := range items {
		s.item(it)
	}
}

func (s *session) goodbye() {
	switch {
	case s.snap == nil:
		s.say("Left; nothing was received from the run.")
		return
	case s.snap.Outcome != "":
		s.say("%s", present.Outcome(s.snap))
		return
	}
	if s.opts.InProcess {
		s.say("Left; the run stops where it is and can be resumed: %s, %s.", present.PhaseWord(s.snap.Phase), present.StepCount(s.snap))
		s.say("%s", present.WayBack(s.snap).String())
		return
	}
	s.say("Left; the run goes on: %s, %s.", present.PhaseWord(s.snap.Phase), present.StepCount(s.snap))
	s.say("%s", present.WayBack(s.snap).String())
	if s.opts.AttachHint != "" {
		s.say("Come back with: %s", s.opts.AttachHint)
	}
}
