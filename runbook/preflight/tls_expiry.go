package preflight

import "raftmig/runbook"

var certificateExpiry = check{
	id:    "tls.expiry",
	title: "TLS certificates",
	hint: "Renew the certificate before the migration: Kafka orderers hardly notice an expired one, Raft orderers cannot " +
		"connect with it. TLSHandshakeTimeShift in orderer.yaml helps for a while.",
	ok: say("none expires soon"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, o := range f.Orderers {
			out = append(out, validity(o.Node+": the server certificate", f.Now, o.ServerCert)...)
			if o.ServerCert == nil || o.ClientCert == nil || o.ClientCert.Fingerprint != o.ServerCert.Fingerprint {
				out = append(out, validity(o.Node+": the client certificate", f.Now, o.ClientCert)...)
			}
			if o.ServerCert == nil || o.ServedCert == nil || o.ServedCert.Fingerprint != o.ServerCert.Fingerprint {
				out = append(out, validity(o.Node+": the served certificate", f.Now, o.ServedCert)...)
			}
		}
		return out
	},
}
