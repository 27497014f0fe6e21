package preflight

import "raftmig/runbook"

var adminIdentity = check{
	id:    "admin.identity",
	title: "admin identity",
	hint: "Get a new certificate from the organisation's CA. If that is impossible, set " +
		"General.Authentication.NoExpirationChecks on the orderers for the window.",
	ok: func(f runbook.Facts) string { return f.Admin.Subject + " of " + f.Admin.MSPID + " can sign" },
	judge: func(f runbook.Facts) []complaint {
		a := f.Admin
		if a.Error != "" {
			return []complaint{bad("%s cannot sign: %s", a.MSPID, a.Error)}
		}
		return expiry("the certificate of "+a.Subject, f.Now, a.NotAfter)
	},
}
