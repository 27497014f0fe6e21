package preflight

import (
	"fmt"

	"raftmig/runbook"
)

// raftChange finds out whether there is anything to do.
var raftChange = check{
	id:    "raft.change",
	title: "what was asked for",
	hint: "Every channel has that already. If a run was given up after its updates and the node itself is still to be done, go on with " +
		"--ignore-check raft.change.",
	ok: func(f runbook.Facts) string {
		return fmt.Sprintf("%d of %d channels are to be updated", len(f.Channels)-len(f.Raft.Reached), len(f.Channels))
	},
	judge: func(f runbook.Facts) []complaint {
		reached, what := len(f.Raft.Reached), f.Raft.Operation
		switch {
		case reached == 0:
			return nil
		case reached < len(f.Channels):
			return []complaint{doubtful("%d of %d channels have it already: %v", reached, len(f.Channels), f.Raft.Reached)}
		case what.Kind == runbook.AddConsenter:
			return []complaint{bad("%s is a consenter of every channel already", what.Node)}
		case what.Kind == runbook.RemoveConsenter:
			return []complaint{bad("%s is a consenter of no channel", what.Node)}
		case what.Kind == runbook.RotateCertificates:
			return []complaint{bad("every channel has these certificates of %s already", what.Node)}
		default:
			return []complaint{doubtful("every channel has these options already")}
		}
	},
}
