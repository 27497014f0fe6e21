package runbook

var stepRollbackVerify = step{
	id: StepRollbackVerify,
	skip: func(k *knowledge) string {
		if !k.changed {
			return "nothing was changed"
		}
		return ""
	},
	do: []wave{awaitWave(allChannels, func(k *knowledge) Expectation {
		return expectProven(k, ChangeExitMaintenance, k.channels)
	}, "Look at the log of the node named, then retry.")},
	undo: undoRollback,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove that Kafka is back",
			What: "Read every channel from every orderer until all show the same. " +
				"Nothing is changed.",
			Why:      "The network must be left as it was found.",
			Verify:   "Type kafka, STATE_NORMAL, no metadata, no channel shorter than before.",
			Estimate: readEstimate(k),
			Guide:    guideAbort,
			Commands: commandsFetch(k, k.channels),
		}
	},
}
