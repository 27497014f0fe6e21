package runbook

import (
	"fmt"
	"slices"
	"strings"
)

// The waves that several steps share.

// awaitWave waits until a condition holds on every node of the channels.
func awaitWave(channels func(k *knowledge) []string, expect func(k *knowledge) Expectation, hint string) wave {
	return wave{
		effects: func(k *knowledge) []Effect {
			names, x := channels(k), expect(k)
			return []Effect{{Kind: AwaitChannels, Channels: names, Expect: &x, Timeout: patience(k)}}
		},
		judge: func(k *knowledge, e Effect, ev Evidence) *Problem { return judgeChannels(k, e, ev, hint) },
	}
}

// judgeChannels demands that the evidence shows every node of every channel
// that the effect names (R8), and that the effect's expectation holds there.
func judgeChannels(k *knowledge, e Effect, ev Evidence, hint string) *Problem {
	if p := unseen(k.named(e), e.Channels, ev.Channels); p != nil {
		return p
	}
	if e.Expect == nil {
		return nil
	}
	problems := e.Expect.Judge(ev.Channels)
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return gravity(e, b) - gravity(e, a) })
	p := problems[0]
	if n := len(problems) - 1; n > 0 {
		p.Why = strings.TrimPrefix(fmt.Sprintf("%s; and %d more", p.Why, n), "; ")
	}
	for _, f := range ev.Findings {
		if f.Severity == SeverityError {
			p.Why += "; " + strings.Join(append([]string{f.Summary}, f.Evidence...), ": ")
		}
	}
	switch {
	case p.Hint != "":
	case p.What == unreadable:
		p.Hint = "See that the node runs and can be reached, then retry; if it ended, its log says why."
		if e.Expect.Leader { // what keeps it from serving may be what is looked for
			p.Hint += " " + hint
		}
	default:
		p.Hint = hint
	}
	return &p
}

// gravity orders what is wrong with channels for the one problem that is said
// first: what has its own advice comes first, as a fork does. What could not be
// read by an effect that reads once proves nothing, and comes last.
func gravity(e Effect, p Problem) int {
	switch {
	case p.Hint != "":
		return 2
	case (e.Kind == ReadChannels || e.Kind == ReadLedgers) && p.What == unreadable:
		return 0
	default:
		return 1
	}
}

// unseen says which of the nodes' views of which channel is missing from states.
func unseen(nodes, channels []string, states []ChannelState) *Problem {
	for _, name := range channels {
		i := slices.IndexFunc(states, func(c ChannelState) bool { return c.Name == name })
		if i < 0 {
			return &Problem{What: "channel was not read", Where: name}
		}
		for _, node := range nodes {
			if !slices.ContainsFunc(states[i].Nodes, func(n NodeState) bool { return n.Node == node }) {
				return &Problem{What: "channel was not read", Where: at(name, node)}
			}
		}
	}
	return nil
}

func allChannels(k *knowledge) []string { return slices.Clone(k.channels) }

// systemChannel is where a round of updates begins: the system channel, or,
// where there is none, the first channel.
func systemChannel(k *knowledge) []string { return slices.Clone(k.channels[:min(1, len(k.channels))]) }

// stopWave stops a tier; a tier without processes needs nothing.
func stopWave(t Tier) wave {
	return wave{effects: tierEffect(StopNodes, t), judge: judgeDown}
}

func startWave(t Tier) wave {
	return wave{effects: tierEffect(StartNodes, t), judge: accepted}
}

func tierEffect(kind EffectKind, t Tier) func(k *knowledge) []Effect {
	return func(k *knowledge) []Effect {
		if len(k.nodes(t)) == 0 {
			return nil
		}
		return []Effect{{Kind: kind, Tier: t}}
	}
}

// judgeDown refuses evidence that shows a process of the tier running.
func judgeDown(_ *knowledge, _ Effect, ev Evidence) *Problem {
	for _, p := range ev.Processes {
		if p.Running {
			return &Problem{
				What: "process still runs", Where: p.Node,
				Hint: "Stop it by hand and retry. Look for a supervisor that restarts it.",
			}
		}
	}
	return nil
}

func accepted(*knowledge, Effect, Evidence) *Problem { return nil }

// verifyStopped asks whether the processes of a tier are down.
var verifyStopped = verification{
	ask: func(_ *knowledge, e Effect) *Effect {
		return &Effect{Kind: ReadProcesses, Tier: e.Tier, Nodes: e.Nodes}
	},
	holds: func(k *knowledge, e Effect, answer *Evidence) (bool, *Problem) {
		if answer == nil {
			return false, nil // stopping what is down changes nothing
		}
		for _, node := range k.named(e) {
			i := slices.IndexFunc(answer.Processes, func(p ProcessState) bool { return p.Node == node })
			if i < 0 || answer.Processes[i].Running {
				return false, nil
			}
		}
		return true, nil
	},
}

// performAgain is for effects that may be performed any number of times:
// starting a process that runs proves that it is ready, which looking at it
// does not; restoring a restored backup gives the same files.
var performAgain = verification{}
