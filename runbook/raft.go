package runbook

import "slices"

// What operations on Raft share: who proves what, and the round of updates.

// operationOf is the procedure of an operation.
func operationOf(o Operation) procedure {
	p := procedure{done: OutcomeDone, rules: OperationRules(), closed: operationClosed, cost: operationCost}
	p.steps = []*step{&stepRaftChannels, &stepRaftMetadata, &stepRaftPreflight, &stepRaftConfirm, &stepUpdateSubmit, &stepUpdateVerify}
	switch o.Kind {
	case AddConsenter:
		p.steps = append(p.steps, &stepNodeHandOver, &stepNodeByHand, &stepNodeStart, &stepNodeJoin, &stepNodeFollow, &stepEndpointSubmit, &stepEndpointVerify)
	case RemoveConsenter:
		p.steps = append(p.steps, &stepNodeStop)
	case RotateCertificates:
		p.steps = append(p.steps, &stepNodeStop, &stepNodeInstall, &stepNodeByHand, &stepNodeStart, &stepNodeFollow)
	}
	return p
}

// operationClosed: an update in force is undone by another run only.
func operationClosed(k *knowledge) string {
	if !k.changed {
		return ""
	}
	return "an update was submitted. What it did is undone by an operation of its own, once this one is complete"
}

func operationCost(*knowledge) string {
	return "Nothing has been changed. Going back only ends the run."
}

func undoOperation(k *knowledge) string {
	if k.changed {
		return "There is no way back within this run: complete it, then undo it by a run of its own."
	}
	return operationCost(k)
}

// members are the consenters to be, by node name.
func (k *knowledge) members() []string {
	var out []string
	if k.metadata != nil {
		for _, c := range k.metadata.Consenters {
			out = append(out, c.Node)
		}
	}
	return out
}

// witnesses are the consenters that prove an update: all that are to be, but
// the node that takes part only once it has been started, or started anew. A
// node that is alone is its own witness.
func (k *knowledge) witnesses() []string { return Witnesses(*k.plan.Operation, k.members()) }

// Witnesses returns those of the consenters to be that prove the updates of an
// operation, before the node that it is about is started.
func Witnesses(o Operation, members []string) []string {
	var out []string
	for _, m := range members {
		if m != o.Node || o.Kind == SetOptions {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return slices.Clone(members)
	}
	return out
}

// provers are the nodes that must show an update: the witnesses, or, of one that
// follows the start of the node, all consenters.
func (k *knowledge) provers(c Change) []string {
	if c == ChangeAddEndpoint {
		return k.members()
	}
	return k.witnesses()
}

// quorate reports whether the witnesses alone can elect a leader.
func (k *knowledge) quorate() bool { return len(k.witnesses()) > len(k.members())/2 }

// expectOnRaft is what witnesses must show once the update is in force.
func expectOnRaft(k *knowledge, c Change) Expectation {
	x := Expectation{Type: TypeRaft, State: StateNormal, MetadataHash: k.metadataHash()}
	switch c {
	case ChangeAddEndpoint:
		x.Endpoint = k.plan.Operation.Endpoint
	case ChangeRemoveConsenter:
		x.NoEndpoint = k.plan.Operation.Endpoint
	}
	return x
}

// expectLed is expectOnRaft with heights and, where those that prove it can have
// one, a leader.
func expectLed(k *knowledge, c Change, channels []string) Expectation {
	x := expectOnRaft(k, c)
	x.MinHeights, x.Leader = k.minHeights(channels), len(k.provers(c)) > len(k.members())/2
	return x
}

// raftRound makes one change on every channel: on the first one, proven by all
// that must show it, then on all others at once.
func raftRound(c func(k *knowledge) Change) []wave {
	submit := func(channels func(k *knowledge) []string) wave {
		return wave{
			effects: func(k *knowledge) []Effect { return submitWave(c(k), channels).effects(k) },
			judge:   accepted,
		}
	}
	collect := wave{
		effects: func(k *knowledge) []Effect { return collectWave(c(k), allChannels).effects(k) },
		judge:   collectWave("", allChannels).judge,
	}
	return []wave{collect, submit(systemChannel), proveRaft(c, systemChannel), submit((*knowledge).others)}
}

// proveRaft waits until all that must show a change on channels do.
func proveRaft(c func(k *knowledge) Change, channels func(k *knowledge) []string) wave {
	return awaitRaft(func(k *knowledge) []string { return k.provers(c(k)) }, channels,
		func(k *knowledge) Expectation { return expectLed(k, c(k), channels(k)) }, hintRaftBehind)
}

// awaitRaft waits until the named nodes of channels show what is expected.
func awaitRaft(nodes, channels func(k *knowledge) []string, expect func(k *knowledge) Expectation, hint string) wave {
	return wave{
		effects: func(k *knowledge) []Effect {
			x := expect(k)
			return []Effect{{Kind: AwaitChannels, Channels: channels(k), Nodes: nodes(k), Expect: &x, Timeout: patience(k)}}
		},
		judge: func(k *knowledge, e Effect, ev Evidence) *Problem { return judgeChannels(k, e, ev, hint) },
	}
}

// mainChange and endpointChange are the changes of the two rounds.
func mainChange(k *knowledge) Change   { return k.plan.Operation.Change() }
func endpointChange(*knowledge) Change { return ChangeAddEndpoint }

// operated is the effect's view of the operation.
func operated(k *knowledge) *Operation {
	o := cloneOperation(*k.plan.Operation)
	return &o
}

// theNode is the one node that an operation may stop and start.
func theNode(k *knowledge) []string { return []string{k.plan.Operation.Node} }

const hintRaftBehind = "Look at the log of the node that is named: can it reach the others, and do they know its certificates? " +
	"Retry once it has caught up."

// Sections of the guide for Raft.
const (
	guideReconfiguration = "Configuring and operating a Raft ordering service: Reconfiguration"
	guideRotation        = "Configuring and operating a Raft ordering service: TLS certificate rotation for an orderer node"
	guideRaftOptions     = "Configuring and operating a Raft ordering service: Channel configuration"
)

func guideOf(k *knowledge) string {
	switch k.plan.Operation.Kind {
	case RotateCertificates:
		return guideRotation
	case SetOptions:
		return guideRaftOptions
	default:
		return guideReconfiguration
	}
}
