package runbook

import "time"

var stepRollbackStopBrokers = step{
	id:     StepRollbackStopBrokers,
	skip:   skipUnlessSwitching,
	do:     []wave{stopWave(TierBrokers), stopWave(TierZooKeeper)},
	verify: verifyStopped,
	undo:   undoRollback,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Stop Kafka and ZooKeeper",
			What: "Stop the brokers (" + list(k.plan.Brokers) + "), then ZooKeeper (" +
				list(k.plan.ZooKeeper) + ").",
			Why:      "Kafka has the type change too. It goes back together with the orderers.",
			Verify:   "Each process is proven down.",
			Estimate: 40 * time.Second,
			Guide:    guideAbort,
			Commands: append(commandsControl("stop", k.plan.Brokers), commandsControl("stop", k.plan.ZooKeeper)...),
		}
	},
}
