package runbook

import "time"

var stepRestartStartOrderers = step{
	id:     StepRestartStartOrderers,
	do:     []wave{startWave(TierOrderers)},
	verify: performAgain,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Start the orderers as Raft nodes",
			What:  "Start " + list(k.plan.Orderers) + " and nothing else.",
			Why: "They find the new type in the last config block, create their Raft " +
				"folders and connect to each other with their TLS certificates.",
			Verify:   "Every orderer accepts connections. Leaders are proven next.",
			Estimate: 10 * time.Second,
			Guide:    guideRestart,
			Commands: commandsControl("start", k.plan.Orderers),
		}
	},
}
