package runbook

import (
	"fmt"
	"time"
)

var stepExitConfirm = step{
	id: StepExitConfirm,
	gate: func(k *knowledge) Gate {
		g := Gate{
			Title: "The point of no return",
			Text: "Type the network's name to leave maintenance mode on Raft. After the first update " +
				"there is no way back to Kafka: clients write to Raft from then on. " +
				"You may wait here as long as the window allows; aborting now restores Kafka.",
			Severe: true,
			Typed:  k.plan.Network,
			Facts: []string{
				fmt.Sprintf("%s on etcdraft, in maintenance, with a leader on every orderer", count(len(k.channels), "channel")),
				"Raft metadata: " + short(k.metadataHash()) + ", the same everywhere",
			},
		}
		if k.backup != nil {
			g.Facts = append(g.Facts, "Backup: "+k.backup.Dir+", manifest "+short(k.backup.Manifest))
		}
		for _, c := range k.matrix() {
			if len(c.Nodes) > 0 {
				g.Facts = append(g.Facts, fmt.Sprintf("%s: height %d, leader %d", c.Name, highest(c), c.Nodes[0].Leader))
			}
		}
		return g
	},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Confirm: no way back after this",
			What:  "Nothing is done. You read the evidence and type the network's name.",
			Why: "Until here the backup brings Kafka back without losing anything. " +
				"Once clients write to Raft it would lose their transactions.",
			Verify:   "Your confirmation is kept in the journal.",
			Estimate: time.Minute,
			Guide:    guideExit,
		}
	},
}
