package preflight

import (
	"fmt"

	"raftmig/runbook"
)

var raftReachable = check{
	id:    "raft.reachable",
	title: "consenters",
	hint:  "Start the consenter, wait until it follows, and retry. A consenter set is changed only while all of its nodes run.",
	ok: func(f runbook.Facts) string {
		return fmt.Sprintf("all %d that must prove the change answer", len(f.Raft.Witnesses))
	},
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		witnesses(f, func(node string, o *runbook.OrdererFacts) {
			switch {
			case o == nil:
				out = append(out, bad("%s is not in raftmig.yaml", node))
			case o.Error != "":
				out = append(out, bad("%s at %s: %s", node, o.Address, o.Error))
			}
		})
		return out
	},
}
