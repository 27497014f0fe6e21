package runbook

import "time"

var stepBackupStopOrderers = step{
	id:     StepBackupStopOrderers,
	do:     []wave{stopWave(TierOrderers)},
	verify: verifyStopped,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Stop the orderers",
			What:  "Stop " + list(k.plan.Orderers) + " in an orderly way.",
			Why: "Orderers stop first, always. If brokers stop with them, an orderer's " +
				"ledger can be ahead of Kafka, and the network may not start again.",
			Verify:   "Each process is proven down before anything else is stopped.",
			Estimate: 5 * time.Second,
			Guide:    guideBackup,
			Commands: commandsControl("stop", k.plan.Orderers),
		}
	},
}
