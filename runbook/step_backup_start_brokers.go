package runbook

import "time"

var stepBackupStartBrokers = step{
	id:     StepBackupStartBrokers,
	do:     []wave{startWave(TierZooKeeper), startWave(TierBrokers)},
	verify: performAgain,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Start ZooKeeper, then Kafka",
			What: "Start ZooKeeper (" + list(k.plan.ZooKeeper) + "), then the brokers (" +
				list(k.plan.Brokers) + ").",
			Why:      "The type change is ordered by Kafka, so it must run once more.",
			Verify:   "Every address accepts connections.",
			Estimate: 20 * time.Second,
			Guide:    guideBackup,
			Commands: append(commandsControl("start", k.plan.ZooKeeper), commandsControl("start", k.plan.Brokers)...),
		}
	},
}
