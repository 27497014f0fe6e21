package runbook

import "time"

var stepRollbackStartBrokers = step{
	id:     StepRollbackStartBrokers,
	skip:   skipUnlessStopped,
	do:     []wave{startWave(TierZooKeeper), startWave(TierBrokers)},
	verify: performAgain,
	undo:   undoRollback,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Start ZooKeeper, then Kafka",
			What: "Start ZooKeeper (" + list(k.plan.ZooKeeper) + "), then the brokers (" +
				list(k.plan.Brokers) + ").",
			Why:      "The orderers need them to run on Kafka again.",
			Verify:   "Every address accepts connections.",
			Estimate: 20 * time.Second,
			Guide:    guideAbort,
			Commands: append(commandsControl("start", k.plan.ZooKeeper), commandsControl("start", k.plan.Brokers)...),
		}
	},
}

// skipUnlessStopped skips starting what was never stopped.
func skipUnlessStopped(k *knowledge) string {
	switch {
	case !k.changed:
		return "nothing was changed"
	case !k.stopped:
		return "nothing was stopped"
	default:
		return ""
	}
}
