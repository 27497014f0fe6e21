package runbook

import "time"

var stepRestartStopOrderers = step{
	id: StepRestartStopOrderers,
	// After a resumption time has passed since the gate: as long as all orderers
	// run, another update can have come in, so the gate is passed again.
	afresh: true,
	do: []wave{
		{
			effects: func(k *knowledge) []Effect {
				if !k.resumed {
					return nil
				}
				return []Effect{{Kind: ReadProcesses, Tier: TierOrderers}}
			},
			judge: accepted,
		},
		lastBlockWave(func(k *knowledge) bool {
			return k.resumed && k.countRunning(TierOrderers) == len(k.plan.Orderers)
		}),
		{
			effects: func(k *knowledge) []Effect {
				if k.resumed && k.countRunning(TierOrderers) == 0 {
					return nil
				}
				return []Effect{{Kind: StopNodes, Tier: TierOrderers}}
			},
			judge: judgeDown,
		},
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
