package preflight

import "raftmig/runbook"

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
