package runbook

import "fmt"

// The updates of an operation on Raft, and their proof.

var stepUpdateSubmit = step{
	id:     StepUpdateSubmit,
	do:     raftRound(mainChange),
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
				k.plan.Operation, first, count(len(k.others()), "other channel")) + signedElsewhere(k),
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
	do:   []wave{proveRaft(mainChange, allChannels)},
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

// The endpoint comes last: until a node follows, clients and orderers that try
// it lose their time, the node itself among them while it copies the channels.

var stepEndpointSubmit = step{
	id:     StepEndpointSubmit,
	skip:   noEndpoint,
	do:     raftRound(endpointChange),
	verify: verifyUpdate,
	undo:   undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Add its endpoint to every channel",
			What: fmt.Sprintf("One configuration update a channel: %s joins the orderer endpoints, of its organization where the "+
				"channel has such. First on one channel, proven there, then on the others.", dashed(k.plan.Operation.Endpoint)) + signedElsewhere(k),
			Why:      "Peers and clients learn where the orderers are from the channels. They must not be sent to a node that does not serve yet.",
			Verify:   "The config block that carries the update is read from the orderers.",
			Estimate: updateEstimate(k),
			Guide:    guideReconfiguration,
			Commands: commandsEndpoint(k),
		}
	},
}

var stepEndpointVerify = step{
	id:   StepEndpointVerify,
	skip: noEndpoint,
	do:   []wave{proveRaft(endpointChange, allChannels)},
	undo: undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title:    "Prove the endpoint everywhere",
			What:     "Read every channel from every consenter until all show the endpoint. Nothing is changed.",
			Why:      "The report must show the state that the network was left in.",
			Verify:   "The endpoint, the same metadata and leader on every consenter of every channel, no consenter behind.",
			Estimate: readEstimate(k),
			Guide:    guideReconfiguration,
			Commands: commandsFetch(k, k.channels),
		}
	},
}

func noEndpoint(k *knowledge) string {
	if k.plan.Operation.Endpoint == "" {
		return "the plan names no endpoint"
	}
	return ""
}

func dashed(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
