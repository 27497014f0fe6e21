package runbook

import (
	"fmt"
	"time"
)

var stepPreflight = step{
	id:   StepPreflight,
	do:   []wave{factsWave},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Check everything before the window",
			What: "Look at versions, capabilities, states, certificates, policies, " +
				"clocks, Raft folders and space on every node and channel. " +
				"Nothing is changed.",
			Why: "While a channel runs on Kafka the orderers do not check Raft's " +
				"settings. Mistakes show only after the restart, inside the downtime.",
			Verify:   "Every check gives a finding. An error stops the run here.",
			Estimate: 10*time.Second + time.Duration(len(k.channels))*200*time.Millisecond,
			Guide:    guidePrepare,
			Commands: append([]string{
				"peer version   # orderers and tools: all 1.4.2 or later, all equal",
				command(
					"openssl s_client -connect $ORDERER </dev/null |",
					"  openssl x509 -noout -subject -dates -ext subjectAltName",
				),
			}, commandsFetch(k, k.channels)...),
		}
	},
}

// factsWave gathers facts, and stops the run if a check finds an error.
var factsWave = wave{
	effects: func(*knowledge) []Effect { return []Effect{{Kind: GatherFacts}} },
	judge: func(k *knowledge, _ Effect, ev Evidence) *Problem {
		var first *Finding
		errors := 0
		for _, f := range Downgrade(ev.Findings, k.plan.IgnoreChecks) {
			if f.Severity != SeverityError {
				continue
			}
			if errors++; first == nil {
				first = &f
			}
		}
		if first == nil {
			return nil
		}
		p := &Problem{
			What: fmt.Sprintf("%s found an error", count(errors, "check")),
			Why:  first.Summary, Hint: first.Hint, Ref: first.Check,
		}
		if len(first.Evidence) > 0 {
			p.Why += ": " + first.Evidence[0]
		}
		return p
	},
}
