package runbook

import "time"

var stepRollbackStartOrderers = step{
	id:     StepRollbackStartOrderers,
	skip:   skipIfNothingChanged,
	do:     []wave{startDownWave(TierOrderers)},
	verify: performAgain,
	undo:   undoRollback,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title:    "Start the orderers",
			What:     "Start " + list(k.plan.Orderers) + " where they were stopped or died.",
			Why:      "They come up on Kafka, in maintenance mode.",
			Verify:   "Every orderer accepts connections.",
			Estimate: 10 * time.Second,
			Guide:    guideAbort,
			Commands: commandsControl("start", k.plan.Orderers),
		}
	},
}
