package runbook

import "time"

var stepRollbackStopOrderers = step{
	id:   StepRollbackStopOrderers,
	skip: skipUnlessSwitching,
	do: []wave{
		{
			// Only after an exit failed: look once more before the ledgers go.
			effects: func(k *knowledge) []Effect {
				if !k.exiting {
					return nil
				}
				x := expectAfter(k, ChangeSwitchType)
				return []Effect{{Kind: ReadChannels, Channels: allChannels(k), Expect: &x}}
			},
			judge: judgeStay("The channel is not as the type change left it. " +
				"Restoring the backup may lose something. Give up this run and repair by hand."),
		},
		stopWave(TierOrderers),
	},
	verify: verifyStopped,
	undo:   undoRollback,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title:    "Stop the orderers",
			What:     "Stop " + list(k.plan.Orderers) + ".",
			Why:      "Their files are replaced by the backup. Orderers stop before brokers.",
			Verify:   "Each process is proven down.",
			Estimate: 5 * time.Second,
			Guide:    guideAbort,
			Commands: commandsControl("stop", k.plan.Orderers),
		}
	},
}

// skipUnlessSwitching skips what is needed only if the type may have changed.
func skipUnlessSwitching(k *knowledge) string {
	switch {
	case !k.changed:
		return "nothing was changed"
	case !k.switching():
		return "no channel's type was changed: the ledgers are as they were"
	default:
		return ""
	}
}

func undoRollback(*knowledge) string {
	return "The run is on its way back and goes on to its end. To migrate, start a new run afterwards."
}
