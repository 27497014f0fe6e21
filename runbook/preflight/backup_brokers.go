package preflight

import (
	"slices"

	"raftmig/runbook"
)

var backupBrokers = check{
	id:    "backup.brokers",
	title: "brokers in the backup",
	hint: "Name the brokers, their data folders and how they are stopped in raftmig.yaml. Orderers that are set back " +
		"without Kafka read the type change again: there would be no way back.",
	ok: say("Kafka is stopped, backed up and restored together with the orderers"),
	judge: func(f runbook.Facts) []complaint {
		if !slices.ContainsFunc(f.Brokers, func(b runbook.BrokerFacts) bool { return b.Tier == runbook.TierBrokers }) {
			return []complaint{bad("no broker is named")}
		}
		return nil
	},
}
