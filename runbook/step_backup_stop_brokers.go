package runbook

import "time"

var stepBackupStopBrokers = step{
	id:     StepBackupStopBrokers,
	do:     []wave{stopWave(TierBrokers), stopWave(TierZooKeeper)},
	verify: verifyStopped,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Stop Kafka, then ZooKeeper",
			What: "Stop the brokers (" + list(k.plan.Brokers) + "), which write their " +
				"logs to disk as they end, then stop ZooKeeper (" + list(k.plan.ZooKeeper) + ").",
			Why: "Files that are still being written make a worthless copy. Brokers " +
				"need ZooKeeper to stop in order, so it goes last.",
			Verify:   "Each process is proven down.",
			Estimate: 40 * time.Second,
			Guide:    guideBackup,
			Commands: append(commandsControl("stop", k.plan.Brokers), commandsControl("stop", k.plan.ZooKeeper)...),
		}
	},
}
