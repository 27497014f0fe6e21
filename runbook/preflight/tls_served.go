package preflight

import "raftmig/runbook"

var servedCertificate = check{
	id:    "tls.served-certificate",
	title: "served certificates",
	hint: "serverCert in raftmig.yaml must be the file that the orderer uses. An orderer that is not in the consenter set " +
		"with its own certificate starts without a word and serves nobody.",
	ok: say("every orderer serves the certificate that goes into the consenter set"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, o := range f.Orderers {
			switch {
			case o.Error != "" || !o.TLS:
			case o.ServerCert == nil || o.ClientCert == nil:
				out = append(out, bad("%s: its server or client certificate file could not be read", o.Node))
			case o.ServedCert == nil:
				out = append(out, doubtful("%s: the certificate that it serves was not seen", o.Node))
			case o.ServedCert.PublicKey != o.ServerCert.PublicKey:
				out = append(out, bad("%s serves %s, its file has %s", o.Node, o.ServedCert.Subject, o.ServerCert.Subject))
			}
		}
		return out
	},
}
