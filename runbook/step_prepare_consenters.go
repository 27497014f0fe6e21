package runbook

import (
	"fmt"
	"slices"
	"time"
)

var stepConsenters = step{
	id: StepConsenters,
	do: []wave{{
		effects: func(*knowledge) []Effect { return []Effect{{Kind: BuildMetadata}} },
		judge: func(k *knowledge, _ Effect, ev Evidence) *Problem {
			var nodes []string
			for _, c := range ev.Metadata.Consenters {
				nodes = append(nodes, c.Node)
			}
			if !slices.Equal(nodes, k.plan.Orderers) {
				return &Problem{
					What: "the consenter set is not the set of orderers", Ref: guidePrepare,
					Why:  fmt.Sprintf("it has %s; the orderers are %s", list(nodes), list(k.plan.Orderers)),
					Hint: "Orderers are added or removed after the migration.",
				}
			}
			return nil
		},
	}},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Build the Raft metadata",
			What: "Put host, port, client and server certificate of " +
				count(len(k.plan.Orderers), "orderer") + " and the Raft options into one " +
				"metadata object. Nothing is changed.",
			Why: "Every channel gets the same metadata, byte by byte. If the system " +
				"channel finds its quorum then, so do the others.",
			Verify:   "Fabric's own rules are applied to it; its hash is kept.",
			Estimate: 2 * time.Second,
			Guide:    guidePrepare,
			Commands: commandsConsenters(k.plan.Orderers, k.metadata),
		}
	},
}
