package runbook

var stepBackupRecheck = step{
	id: StepBackupRecheck,
	do: []wave{awaitWave(allChannels, func(k *knowledge) Expectation {
		return expectProven(k, ChangeEnterMaintenance, k.channels)
	}, "Look at the log of the node named. \"requested offset is outside the range\" means that Kafka lost data.")},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove that nothing was lost",
			What: "Read every channel from every orderer again, and compare with what " +
				"was proven before the stop. Nothing is changed.",
			Why: "A restart is where Kafka loses what was not on a lasting disk. " +
				"Better found now than after the type change.",
			Verify: "Still kafka and STATE_MAINTENANCE; no channel is shorter; all " +
				"orderers agree.",
			Estimate: readEstimate(k),
			Guide:    guideBackup,
			Commands: commandsFetch(k, k.channels),
		}
	},
}
