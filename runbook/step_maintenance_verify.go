package runbook

import "time"

var stepVerifyMaintenance = step{
	id: StepVerifyMaintenance,
	do: []wave{awaitWave(allChannels, func(k *knowledge) Expectation {
		return expectProven(k, ChangeEnterMaintenance, k.channels)
	}, hintBehind)},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove maintenance mode everywhere",
			What: "Read the last config block of every channel from every orderer, " +
				"until all show the same. Nothing is changed.",
			Why: "The backup is valid only if every channel of every orderer stands " +
				"still. One orderer that is behind would be saved behind.",
			Verify: "Type kafka, Metadata empty, State STATE_MAINTENANCE; same height, " +
				"last block and config sequence on every orderer.",
			Estimate: readEstimate(k),
			Guide:    guideEntry,
			Commands: commandsFetch(k, k.channels),
		}
	},
}

// readEstimate is how long reading every channel from every orderer takes.
func readEstimate(k *knowledge) time.Duration {
	return time.Second + time.Duration(len(k.channels)*len(k.plan.Orderers))*10*time.Millisecond
}
