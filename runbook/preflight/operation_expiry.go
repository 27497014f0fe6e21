package preflight

import "raftmig/runbook"

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
