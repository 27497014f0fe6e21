package runbook

import "time"

var stepChannels = step{
	id: StepChannels,
	do: []wave{{
		effects: func(*knowledge) []Effect { return []Effect{{Kind: ListChannels}} },
		judge:   accepted,
	}},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "List every channel",
			What: "Collect the channels from the system channel's blocks, from the " +
				"orderers' ledgers and from the Kafka topics. Nothing is changed.",
			Why: "All channels migrate in the same window. A channel that is forgotten " +
				"serves nobody after the restart, and says so only in a log line.",
			Verify:   "The sources are compared; the next step judges differences.",
			Estimate: 5 * time.Second,
			Guide:    guidePrepare,
			Commands: []string{
				"ls $LEDGER/chains/chains   # on every orderer",
				"kafka-topics.sh --bootstrap-server $BROKER --list",
			},
		}
	},
}
