package runbook

var stepSwitchVerify = step{
	id: StepSwitchVerify,
	do: []wave{awaitWave(allChannels, func(k *knowledge) Expectation {
		return expectProven(k, ChangeSwitchType, k.channels)
	}, hintBehind+" If an orderer was restarted since the switch began, abort: it may have stopped following Kafka.")},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove the switch everywhere",
			What: "Read the last config block of every channel from every orderer, " +
				"until all show the same. Nothing is changed.",
			Why: "A channel with other metadata, or an orderer without the change, " +
				"finds no quorum after the restart.",
			Verify: "Type etcdraft, State STATE_MAINTENANCE, metadata " + short(k.metadataHash()) +
				"; same height, last block and config sequence on every orderer.",
			Estimate: readEstimate(k),
			Guide:    guideSwitch,
			Commands: commandsFetch(k, k.channels),
		}
	},
}
