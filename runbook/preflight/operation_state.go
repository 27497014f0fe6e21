package preflight

import "raftmig/runbook"

var raftState = check{
	id:    "raft.state",
	title: "consensus types and states",
	hint:  "Operations on Raft are for channels on etcdraft in normal operation. Complete the migration, or bring the channel out of maintenance mode, first.",
	ok:    say("every channel is on etcdraft, in normal operation"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			if c.Type != runbook.TypeRaft || c.State != runbook.StateNormal {
				out = append(out, bad("%s is on %q in %q", c.Name, c.Type, c.State))
			}
		}
		return out
	},
}
