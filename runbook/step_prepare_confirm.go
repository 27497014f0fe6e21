package runbook

import (
	"fmt"
	"time"
)

var stepConfirmPlan = step{
	id: StepConfirmPlan,
	gate: func(k *knowledge) Gate {
		warnings := 0
		for _, f := range k.findings {
			if f.Severity == SeverityWarn {
				warnings++
			}
		}
		return Gate{
			Title: "Begin the maintenance window?",
			Text: "From the next step on, clients are refused until the end. " +
				"Stop peers and clients now if you can: their logs fill with harmless errors otherwise. " +
				"The way back stays open until the channels leave maintenance mode on Raft.",
			Facts: []string{
				fmt.Sprintf("Network %s: %s, %s", k.plan.Network, count(len(k.channels), "channel"), count(len(k.plan.Orderers), "orderer")),
				"Channels: " + list(k.channels),
				"Raft metadata: " + short(k.metadataHash()),
				fmt.Sprintf("Checks: %d made, %s", len(k.findings), count(warnings, "warning")),
			},
		}
	},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Confirm the plan",
			What:  "Nothing is done. You read the plan and begin the window.",
			Why: "The migration needs downtime: every orderer is stopped twice, " +
				"every broker twice.",
			Verify:   "Your confirmation is kept in the journal.",
			Estimate: time.Minute,
			Guide:    guideAssumptions,
		}
	},
}
