package runbook

import "time"

var stepRollbackStartBrokers = step{
	id:   StepRollbackStartBrokers,
	skip: skipIfNothingChanged,
	do: []wave{
		{
			effects: func(k *knowledge) []Effect {
				if k.stopped {
					return nil // everything is started
				}
				return []Effect{{Kind: ReadProcesses}}
			},
			judge: accepted,
		},
		startDownWave(TierZooKeeper),
		startDownWave(TierBrokers),
	},
	verify: performAgain,
	undo:   undoRollback,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Start ZooKeeper, then Kafka",
			What: "Look which processes run. Start ZooKeeper (" + list(k.plan.ZooKeeper) +
				"), then the brokers (" + list(k.plan.Brokers) + ") where they were stopped or died.",
			Why:      "The orderers need them to run on Kafka again.",
			Verify:   "Every address accepts connections.",
			Estimate: 20 * time.Second,
			Guide:    guideAbort,
			Commands: append(commandsControl("start", k.plan.ZooKeeper), commandsControl("start", k.plan.Brokers)...),
		}
	},
}

func skipIfNothingChanged(k *knowledge) string {
	if !k.changed {
		return "nothing was changed"
	}
	return ""
}

// startDownWave starts a tier that was stopped by this run, or of which a
// process was seen not to run.
func startDownWave(t Tier) wave {
	w := startWave(t)
	start := w.effects
	w.effects = func(k *knowledge) []Effect {
		if !k.stopped && k.countRunning(t) == len(k.nodes(t)) {
			return nil
		}
		return start(k)
	}
	return w
}
