package preflight

import "raftmig/runbook"

// behind is how many blocks an orderer may be behind another on a network
// that is working.
const behind = 20

var agreement = check{
	id:    "nodes.agreement",
	title: "agreement of the orderers",
	hint: "Look at the log of the orderer that is behind or cannot be read. " +
		"Different blocks at the same height are a fork: do not migrate, keep the data.",
	ok: say("all orderers show the same channels"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			out = append(out, judgeNodes(c)...)
		}
		return out
	},
}

func judgeNodes(c runbook.ChannelFacts) []complaint {
	var out []complaint
	var lowest, highest *runbook.NodeState
	for _, n := range c.Nodes {
		if n.Error != "" {
			out = append(out, bad("%s on %s cannot be read: %s", c.Name, n.Node, n.Error))
			continue
		}
		if lowest == nil || n.Height < lowest.Height {
			lowest = &n
		}
		if highest == nil || n.Height > highest.Height {
			highest = &n
		}
	}
	for i, a := range c.Nodes {
		for _, b := range c.Nodes[:i] {
			if a.Error == "" && b.Error == "" && a.Height == b.Height && a.LastBlockHash != b.LastBlockHash {
				out = append(out, bad("%s: %s and %s have different blocks at height %d", c.Name, b.Node, a.Node, a.Height))
			}
		}
	}
	if lowest != nil && highest.Height-lowest.Height > behind {
		out = append(out, doubtful("%s: %s is at height %d, %s at %d", c.Name, lowest.Node, lowest.Height, highest.Node, highest.Height))
	}
	return out
}
