package preflight

import (
	"fmt"
	"slices"

	"raftmig/runbook"
)

// The checks of operations on Raft. They judge facts with Facts.Raft.

// raftChecks returns them, the most fatal first; those that a migration makes
// too judge the same things.
func raftChecks() []check {
	return []check{
		raftReachable, adminIdentity, clock,
		raftState, raftLeader, agreement, raftQuorum, raftChange,
		adminPolicy, writersPolicy,
		raftFiles, raftTrusted, consentersUnique, tlsEnabled, servedCertificate, raftExpiry, authorityExpiry,
	}
}

// witnesses calls look for the facts of every witness.
func witnesses(f runbook.Facts, look func(node string, o *runbook.OrdererFacts)) {
	for _, node := range f.Raft.Witnesses {
		i := slices.IndexFunc(f.Orderers, func(o runbook.OrdererFacts) bool { return o.Node == node })
		if i < 0 {
			look(node, nil)
			continue
		}
		look(node, &f.Orderers[i])
	}
}

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

var raftLeader = check{
	id:    "raft.leader",
	title: "leaders",
	hint:  "Without a leader no update comes into force. Look at the logs of the consenters. A node that was started a moment ago learns the leader within seconds: retry.",
	ok:    say("every channel has a leader that all consenters name"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			leader := uint64(0)
			for _, n := range c.Nodes {
				switch {
				case n.Error != "":
				case n.Leader == 0:
					out = append(out, bad("%s: %s knows no leader", c.Name, n.Node))
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

// raftQuorum demands a quorum of the set as it is and as it will be.
var raftQuorum = check{
	id:    "raft.quorum",
	title: "quorum",
	hint:  "Start the consenters that are down first. What takes the quorum away cannot be undone by configuration.",
	ok: func(f runbook.Facts) string {
		n := len(f.Raft.Members)
		return fmt.Sprintf("%d of %d consenters are enough afterwards", n/2+1, n)
	},
	judge: func(f runbook.Facts) []complaint {
		r := f.Raft
		before, after, up := len(r.Members), len(r.Members), 0
		nodeUp := false
		for _, o := range f.Orderers {
			switch {
			case o.Error != "":
			case slices.Contains(r.Witnesses, o.Node):
				up++
			case o.Node == r.Operation.Node:
				nodeUp = true
			}
		}
		now := up // of the set as it is
		switch r.Operation.Kind {
		case runbook.AddConsenter:
			before--
		case runbook.RemoveConsenter:
			before++
			if nodeUp {
				now++
			}
		case runbook.RotateCertificates:
			if nodeUp {
				now++
			}
		}
		var out []complaint
		switch {
		case after == 0:
			return []complaint{bad("no consenter would be left")}
		case len(r.Reached) == 0 && now <= before/2:
			out = append(out, bad("%d of %d consenters run: that is no quorum, so nothing can be changed", now, before))
		case up <= after/2 && r.Operation.Kind == runbook.AddConsenter && before == 1:
			out = append(out, doubtful("until %s runs, the single other consenter has no quorum: nobody is served, and if it never runs, that stays so", r.Operation.Node))
		case up <= after/2 && after == 2 && r.Operation.Kind == runbook.RotateCertificates:
			out = append(out, doubtful("until %s is started anew, there is no quorum of 2: nobody is served for some seconds", r.Operation.Node))
		case up <= after/2:
			out = append(out, bad("%d of %d consenters would run: that is no quorum", up, after))
		}
		if r.Operation.Kind != runbook.AddConsenter && r.Operation.Kind != runbook.RemoveConsenter {
			return out
		}
		switch {
		case after < 3:
			out = append(out, doubtful("%d consenters survive no failure", after))
		case after%2 == 0:
			out = append(out, doubtful("%d consenters survive no more failures than %d", after, after-1))
		}
		return out
	},
}

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

var raftFiles = check{
	id:    "raft.certificate-files",
	title: "the node's certificates",
	hint:  "Name certificates that an orderer organisation's TLS CA issued for this node, with their own keys.",
	ok: func(f runbook.Facts) string {
		switch f.Raft.Operation.Kind {
		case runbook.AddConsenter, runbook.RotateCertificates:
			return "they are valid, cover its cluster host, and fit their keys as far as those are known"
		default:
			return "no new ones are needed"
		}
	},
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, fault := range f.Raft.Faults {
			out = append(out, bad("%s: %s", f.Raft.Operation.Node, fault))
		}
		return out
	},
}

var raftTrusted = check{
	id:    consentersTrusted.id,
	title: consentersTrusted.title,
	hint:  "Add the TLS CA to tls_root_certs of an orderer organisation in that channel's configuration first (raftmig channel update); the orderers refuse the consenter otherwise.",
	ok:    consentersTrusted.ok,
	judge: consentersTrusted.judge,
}

// raftExpiry lets the certificate that is about to be replaced be as old as it is.
var raftExpiry = check{
	id:    certificateExpiry.id,
	title: certificateExpiry.title,
	hint:  "Renew the certificate next: raftmig consenter rotate-tls.",
	ok:    certificateExpiry.ok,
	judge: func(f runbook.Facts) []complaint {
		var others []runbook.OrdererFacts
		for _, o := range f.Orderers {
			if o.Node != f.Raft.Operation.Node {
				others = append(others, o)
			}
		}
		f.Orderers = others
		out := certificateExpiry.judge(f)
		for i := range out {
			out[i].severity = runbook.SeverityWarn // no window: the set is changed in seconds
		}
		return out
	},
}
