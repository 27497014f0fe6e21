package preflight

import "raftmig/runbook"

var raftLeader = check{
	id:    "raft.leader",
	title: "leaders",
	hint:  "Without a leader no update comes into force. Look at the logs of the consenters. A node that was started a moment ago learns the leader within seconds: retry.",
	ok:    say("every channel has a leader that all consenters name"),
	judge: func(f runbook.Facts) []complaint {
		complain := bad
		if len(f.Raft.Witnesses) <= len(f.Raft.Members)/2 {
			// One of two, the other not started yet: perhaps an earlier run got that far.
			complain = doubtful
		}
		var out []complaint
		for _, c := range f.Channels {
			leader := uint64(0)
			for _, n := range c.Nodes {
				switch {
				case n.Error != "":
				case n.Leader == 0:
					out = append(out, complain("%s: %s knows no leader", c.Name, n.Node))
				case leader != 0 && n.Leader != leader:
					out = append(out, bad("%s: %s names leader %d, another names %d", c.Name, n.Node, n.Leader, leader))
				default:
					leader = n.Leader
				}
			}
		}
		return out
	},
}
