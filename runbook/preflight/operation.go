package preflight

import (
	"slices"

	"raftmig/runbook"
)

// The checks of operations on Raft. They judge facts with Facts.Raft.

// operationChecks returns them, the most fatal first; those that a migration makes
// too judge the same things.
func operationChecks() []check {
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
