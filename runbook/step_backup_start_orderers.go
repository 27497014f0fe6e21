package runbook

import "time"

var stepBackupStartOrderers = step{
	id:     StepBackupStartOrderers,
	do:     []wave{startWave(TierOrderers)},
	verify: performAgain,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title:    "Start the orderers",
			What:     "Start " + list(k.plan.Orderers) + ".",
			Why:      "They come back on Kafka, in maintenance mode, to order the type change.",
			Verify:   "Every orderer accepts connections.",
			Estimate: 10 * time.Second,
			Guide:    guideBackup,
			Commands: commandsControl("start", k.plan.Orderers),
		}
	},
}
