package runbook

var stepExitVerify = step{
	id: StepExitVerify,
	do: []wave{awaitWave(allChannels, func(k *knowledge) Expectation {
		x := expectProven(k, ChangeExitMaintenance, k.channels)
		x.Leader = true
		return x
	}, "Look at the log of the node named; retry once it has caught up.")},
	undo: undoClosed,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove normal operation everywhere",
			What: "Read every channel from every orderer until all show STATE_NORMAL. " +
				"Nothing is changed.",
			Why: "The guide asks for the system channel on one orderer, and for all " +
				"of them for completeness. Completeness is what counts here.",
			Verify: "Type etcdraft, State STATE_NORMAL, metadata " + short(k.metadataHash()) +
				", a leader, on every orderer of every channel.",
			Estimate: readEstimate(k),
			Guide:    guideExit,
			Commands: commandsFetch(k, k.channels),
		}
	},
}

// undoClosed is the undo of steps after the point of no return.
func undoClosed(*knowledge) string {
	return "There is no way back to Kafka any more. If the step fails, repair and retry."
}
