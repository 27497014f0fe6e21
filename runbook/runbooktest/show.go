package runbooktest

import (
	"fmt"
	"strings"

	"raftmig/runbook"
)

// news shows what came into the journal since the last time, the steps whose
// state changed, and what the run waits for.
func (env *Env) news() string {
	if env.Run == nil {
		return ""
	}
	var b strings.Builder
	for ; env.shown < len(env.Run.Journal); env.shown++ {
		fmt.Fprintf(&b, "%3d %s\n", env.shown+1, event(env.Run.Journal[env.shown]))
	}
	s := env.Run.Book.Snapshot()
	for _, v := range s.Steps {
		text := string(v.Status)
		if v.Note != "" {
			text += " (" + v.Note + ")"
		}
		if env.last[v.ID] != text && (v.Status != runbook.StatusPending || env.last[v.ID] != "") {
			fmt.Fprintf(&b, "    %s: %s\n", v.ID, text)
		}
		env.last[v.ID] = text
	}
	b.WriteString(waiting(s))
	return b.String()
}

func event(ev runbook.Event) string {
	switch ev.Kind {
	case runbook.EventIntended:
		text := fmt.Sprintf("intended %s: %s", ev.ID, ev.Effect)
		if x := ev.Effect.Expect; x != nil {
			text += fmt.Sprintf(" [%s]", x)
		}
		return text
	case runbook.EventDone:
		return fmt.Sprintf("done     %s: %s", ev.ID, ev.Evidence.Summary)
	case runbook.EventFailed:
		return fmt.Sprintf("failed   %s: %s", ev.ID, ev.Problem)
	case runbook.EventConfirmed:
		return fmt.Sprintf("confirmed %s by %s", ev.Step, ev.By)
	default:
		return string(ev.Kind)
	}
}

func waiting(s runbook.Snapshot) string {
	var b strings.Builder
	if s.Gate != nil {
		fmt.Fprintf(&b, "gate %s: %s", s.Gate.Step, s.Gate.Title)
		if s.Gate.Typed != "" {
			fmt.Fprintf(&b, " Type %q.", s.Gate.Typed)
		}
		b.WriteString("\n")
	}
	if p := s.Problem; p != nil {
		fmt.Fprintf(&b, "problem: %s\n", p)
	}
	if s.Outcome != "" {
		fmt.Fprintf(&b, "outcome: %s\n", s.Outcome)
	}
	return b.String()
}

// status shows the whole snapshot.
func (env *Env) status() string {
	s := env.Run.Book.Snapshot()
	var b strings.Builder
	fmt.Fprintf(&b, "phase %s, current %d\n", s.Phase, s.Current)
	for _, v := range s.Steps {
		fmt.Fprintf(&b, "  %-28s %-8s %s\n", v.ID, v.Status, v.Note)
	}
	for _, e := range s.Active {
		fmt.Fprintf(&b, "active %s: %s\n", e.ID, e)
	}
	b.WriteString(waiting(s))
	fmt.Fprintf(&b, "abort offered: %t\n%s\n", s.AbortOffered, s.AbortNote)
	return b.String()
}

// channels shows what every node shows of every channel.
func (env *Env) channels() string {
	var b strings.Builder
	for _, c := range env.Net.States() {
		for _, n := range c.Nodes {
			if n.Error != "" {
				fmt.Fprintf(&b, "%s on %s: %s\n", c.Name, n.Node, n.Error)
				continue
			}
			fmt.Fprintf(&b, "%s on %s: %s %s height %d leader %d\n", c.Name, n.Node, n.Type, n.State, n.Height, n.Leader)
		}
	}
	return b.String()
}

// rules shows which rules are broken, and what happened to the network that
// must never happen.
func (env *Env) rules() string {
	broken := append(runbook.Broken(env.Run.Journal), env.Net.Faults()...)
	if len(broken) == 0 {
		return "all hold\n"
	}
	return strings.Join(broken, "\n") + "\n"
}
