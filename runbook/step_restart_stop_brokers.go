package runbook

import "time"

var stepRestartStopBrokers = step{
	id:     StepRestartStopBrokers,
	do:     []wave{stopWave(TierBrokers), stopWave(TierZooKeeper)},
	verify: verifyStopped,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Stop Kafka and ZooKeeper",
			What: "Stop the brokers (" + list(k.plan.Brokers) + "), then ZooKeeper (" +
				list(k.plan.ZooKeeper) + "). They are not started again.",
			Why: "Nothing may be ordered by Kafka any more. Keep its data until the " +
				"migration is proven.",
			Verify:   "Each process is proven down.",
			Estimate: 40 * time.Second,
			Guide:    guideRestart,
			Commands: append(commandsControl("stop", k.plan.Brokers), commandsControl("stop", k.plan.ZooKeeper)...),
		}
	},
}
