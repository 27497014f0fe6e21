package preflight

import (
	"fmt"

	"raftmig/runbook"
)

var adminIdentity = check{
	id:    "admin.identity",
	title: "admin identity",
	hint: "Get a new certificate from the organisation's CA. If that is impossible, set " +
		"General.Authentication.NoExpirationChecks on the orderers for the window.",
	ok: func(f runbook.Facts) string {
		text := f.Admin.Subject + " of " + f.Admin.MSPID
		if n := len(f.Admins); n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		return text + " can sign"
	},
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, a := range append([]runbook.IdentityFacts{f.Admin}, f.Admins...) {
			if a.Error != "" {
				out = append(out, bad("%s cannot sign: %s", a.MSPID, a.Error))
				continue
			}
			out = append(out, expiry("the certificate of "+a.Subject+" of "+a.MSPID, f.Now, a.NotAfter)...)
		}
		return out
	},
}
