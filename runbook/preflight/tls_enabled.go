package preflight

import "raftmig/runbook"

var tlsEnabled = check{
	id:    "tls.enabled",
	title: "TLS",
	hint:  "Raft orderers know each other by their TLS certificates. Turn on General.TLS, or set up a cluster listener with TLS.",
	ok:    say("every orderer serves TLS"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, o := range f.Orderers {
			if o.Error == "" && !o.TLS {
				out = append(out, bad("%s serves without TLS", o.Node))
			}
		}
		return out
	},
}
