package runbook

import "fmt"

// The updates of an operation on Raft, and their proof.

var stepUpdateSubmit = step{
	id: StepUpdateSubmit,
	do: []wave{
		submitRaft(systemChannel),
		awaitRaft((*knowledge).witnesses, systemChannel, func(k *knowledge) Expectation { return expectLed(k, systemChannel(k)) }, hintRaftBehind),
		submitRaft((*knowledge).others),
	},
	verify: verifyUpdate,
	undo:   undoOperation,
	explain: func(k *knowledge) Explain {
		first := "the first channel"
		if k.system != "" {
			first = "the system channel " + k.system
		}
		return Explain{
			Title: "Update every channel",
			What: fmt.Sprintf("One configuration update a channel: %s. First on %s, proven there, then on %s.",
				k.plan.Operation, first, count(len(k.others()), "other channel")),
			Why: "If the first channel finds its leader with the new set, so do the others. A node must be in the system " +
				"channel before it is in any other.",
			Verify:   "The config block that carries the update is read from the orderers.",
			Estimate: updateEstimate(k),
			Guide:    guideOf(k),
			Commands: commandsOnRaft(k),
		}
	},
}

var stepUpdateVerify = step{
	id:   StepUpdateVerify,
	do:   []wave{awaitRaft((*knowledge).witnesses, allChannels, func(k *knowledge) Expectation { return expectLed(k, k.channels) }, hintRaftBehind)},
	undo: undoOperation,
	explain: func(k *knowledge) Explain {
		x := Explain{
			Title: "Prove the update everywhere",
			What:  "Read every channel from " + list(k.witnesses()) + " until all show the new configuration. Nothing is changed.",
			Why:   "Nothing is done to a node before all others are proven to go on without it.",
			Verify: "Type etcdraft, STATE_NORMAL, metadata " + short(k.metadataHash()) + ", no orderer behind, no two orderers with " +
				"different blocks at the same height.",
			Estimate: readEstimate(k),
			Guide:    guideOf(k),
			Commands: commandsFetch(k, k.channels),
		}
		if k.quorate() {
			x.Verify = "A leader, the same on every orderer. " + x.Verify
		}
		if k.plan.Operation.Kind == SetOptions {
			x.What += " Only the snapshot interval takes effect at once; the other options do when an orderer is started the next time."
		}
		return x
	},
}
