package runbook

import "time"

var stepRestartStopOrderers = step{
	id: StepRestartStopOrderers,
	// After a resumption time has passed since the gate, so it is asked again.
	do: []wave{
		lastBlockWave(func(k *knowledge) bool { return k.stale }),
		stopWave(TierOrderers),
	},
	verify: verifyStopped,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Stop all orderers",
			What:  "Stop " + list(k.plan.Orderers) + " in an orderly way, all of them.",
			Why: "The orderers change to Raft together. One that is restarted alone " +
				"would find nobody to talk to.",
			Verify:   "Each process is proven down.",
			Estimate: 5 * time.Second,
			Guide:    guideRestart,
			Commands: commandsControl("stop", k.plan.Orderers),
		}
	},
}
