package preflight

import (
	"fmt"

	"raftmig/runbook"
)

var consentersUnique = check{
	id:    "consenters.unique",
	title: "consenters",
	hint:  "Every orderer needs its own TLS certificates and its own cluster address.",
	ok:    say("no two share a certificate or an address"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		seen := map[string]string{}
		note := func(what, key, node string) {
			if other, ok := seen[what+key]; ok && other != node {
				out = append(out, bad("%s and %s have the same %s", other, node, what))
				return
			}
			seen[what+key] = node
		}
		for _, o := range f.Orderers {
			if o.ServerCert != nil {
				note("TLS certificate", o.ServerCert.Fingerprint, o.Node)
			}
			if o.ClientCert != nil {
				note("TLS certificate", o.ClientCert.Fingerprint, o.Node)
			}
			if o.ClusterHost != "" {
				note("cluster address", fmt.Sprintf("%s:%d", o.ClusterHost, o.ClusterPort), o.Node)
			}
		}
		return out
	},
}
