package runbook

import (
	"fmt"
	"slices"
	"time"
)

// The first steps of every operation on Raft. They change nothing.

var stepRaftChannels = step{
	id: StepChannels,
	do: []wave{{
		effects: func(k *knowledge) []Effect { return []Effect{{Kind: ListChannels, Operation: operated(k)}} },
		judge:   accepted,
	}},
	undo: undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "List every channel",
			What: "Collect the channels from the system channel's blocks, from the orderers' ledgers and from raftmig.yaml. " +
				"Nothing is changed.",
			Why: "Every channel has a consenter set of its own. One that is forgotten keeps the old one, and shows it only " +
				"when a node is missing.",
			Verify:   "The sources are compared; the checks judge differences.",
			Estimate: 2 * time.Second,
			Guide:    guideOf(k),
			Commands: []string{"ls $LEDGER/chains/chains   # on every orderer"},
		}
	},
}

var stepRaftMetadata = step{
	id: StepConsenters,
	do: []wave{{
		effects: func(k *knowledge) []Effect {
			return []Effect{{Kind: BuildMetadata, Channels: allChannels(k), Operation: operated(k)}}
		},
		judge: judgeRaftMetadata,
	}},
	undo: undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Compute the new Raft metadata",
			What: "Read the Raft metadata of " + count(len(k.channels), "channel") + " and compute what it is to be: " +
				k.plan.Operation.String() + ". Nothing is changed.",
			Why: "Every channel gets the same metadata, byte by byte. So one proof of a quorum counts for all of them.",
			Verify: "The channels have the same metadata now, or the new one already. The engine's own rules are applied to the " +
				"result, among them one consenter at a time.",
			Estimate: readEstimate(k),
			Guide:    guideOf(k),
			Commands: commandsFetch(k, k.channels),
		}
	},
}

// judgeRaftMetadata demands a set that the operation can have led to, and of
// which every node can be read.
func judgeRaftMetadata(k *knowledge, _ Effect, ev Evidence) *Problem {
	o := k.plan.Operation
	wrong := func(why string) *Problem {
		return &Problem{What: "the new consenter set is not what was asked for", Where: o.Node, Why: why, Ref: guideOf(k)}
	}
	var members []string
	for _, c := range ev.Metadata.Consenters {
		if !slices.Contains(k.plan.Orderers, c.Node) {
			return wrong(fmt.Sprintf("consenter %s:%d is not in raftmig.yaml, so it could not be proven", c.Host, c.Port))
		}
		members = append(members, c.Node)
	}
	in := slices.Contains(members, o.Node)
	switch {
	case len(members) == 0:
		return wrong("no consenter would be left")
	case o.Kind == RemoveConsenter && in:
		return wrong("it is in the set")
	case (o.Kind == AddConsenter || o.Kind == RotateCertificates) && !in:
		return wrong("it is not in the set")
	default:
		return nil
	}
}

var stepRaftPreflight = step{
	id: StepPreflight,
	do: []wave{witnessesRead, leaderKnown, {
		effects: func(k *knowledge) []Effect {
			return []Effect{{
				Kind: GatherFacts, Channels: allChannels(k), Operation: operated(k),
				Metadata: slices.Clone(k.metadata.Bytes),
			}}
		},
		judge: factsWave.judge,
	}},
	undo: undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Check everything before the update",
			What: "Look at every consenter and channel: who answers, leaders, states, policies, certificates, clocks. " +
				"Nothing is changed.",
			Why: "A consenter set can be changed only as long as it has a quorum. A change in a set with a node down can " +
				"take the quorum away for good.",
			Verify:   "Every check gives a finding. An error stops the run here.",
			Estimate: 5*time.Second + time.Duration(len(k.channels))*100*time.Millisecond,
			Guide:    guideOf(k),
			Commands: append([]string{command(
				"openssl s_client -connect $ORDERER </dev/null |",
				"  openssl x509 -noout -subject -dates -ext subjectAltName",
			)}, commandsFetch(k, k.channels)...),
		}
	},
}

// leaderKnown gives a network that was started or changed a moment ago some
// time to have leaders, if all witnesses could be read. Whether it has is for
// the checks to judge.
var (
	witnessesRead = wave{
		effects: func(k *knowledge) []Effect {
			return []Effect{{Kind: ReadChannels, Channels: allChannels(k), Nodes: k.witnesses()}}
		},
		judge: accepted,
	}
	leaderKnown = wave{
		effects: func(k *knowledge) []Effect {
			x := Expectation{Leader: true}
			readable := len((Expectation{}).Judge(k.matrix())) == 0
			if !readable || len(x.Judge(k.matrix())) == 0 {
				return nil
			}
			return []Effect{{Kind: AwaitChannels, Channels: allChannels(k), Nodes: k.witnesses(), Expect: &x, Timeout: leaderPatience}}
		},
		judge: accepted,
	}
)

// leaderPatience is the time for an election or two with Fabric's default options.
const leaderPatience = 15 * time.Second

var stepRaftConfirm = step{
	id: StepConfirmPlan,
	gate: func(k *knowledge) Gate {
		o := k.plan.Operation
		g := Gate{
			Title: "Begin: " + o.String() + "?",
			Text: "From the next step on, channel configurations change. There is no way back within this run; what it does is undone " +
				"by a run of its own. Clients are served all the time.",
			Facts: []string{
				fmt.Sprintf("Network %s: %s, %s", k.plan.Network, count(len(k.channels), "channel"), count(len(k.members()), "consenter")+" afterwards"),
				"Channels: " + list(k.channels),
			},
		}
		if k.metadata != nil {
			g.Facts = append(g.Facts, k.metadata.Changes...)
			if len(k.metadata.Changes) == 0 {
				g.Facts = append(g.Facts, "Every channel has this metadata already")
			}
		}
		if n := len(k.members()); n > 0 {
			g.Facts = append(g.Facts, fmt.Sprintf("Quorum afterwards: %d of %d", n/2+1, n))
		}
		switch o.Kind {
		case RemoveConsenter:
			g.Typed = o.Node
		case AddConsenter:
			if !k.quorate() {
				g.Facts = append(g.Facts, "Until "+o.Node+" runs, no channel has a quorum: no client is served")
			}
		case RotateCertificates:
			g.Facts = append(g.Facts, o.Node+" is stopped and started once")
		}
		return g
	},
	undo: undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title:    "Confirm the plan",
			What:     "Nothing is done. You read what will change, and begin.",
			Why:      "An update that is in force is never taken back by itself.",
			Verify:   "Your confirmation is kept in the journal.",
			Estimate: time.Minute,
			Guide:    guideOf(k),
		}
	},
}
