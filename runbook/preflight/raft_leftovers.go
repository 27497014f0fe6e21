package preflight

import (
	"strings"

	"raftmig/runbook"
)

var raftLeftovers = check{
	id:    "raft.leftovers",
	title: "leftovers of Raft",
	hint: "An earlier try left Raft folders behind. The orderer would replay them on ledgers that do not fit. " +
		"Make sure that no channel needs them, and remove them.",
	ok: say("there are none"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, o := range f.Orderers {
			if len(o.RaftState) > 0 {
				out = append(out, bad("%s: %s", o.Node, strings.Join(o.RaftState, ", ")))
			}
		}
		return out
	},
}
