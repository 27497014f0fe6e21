package preflight

import "raftmig/runbook"

var authorityExpiry = check{
	id:        "ca.expiry",
	ofConfigs: true,
	title:     "CA certificates in channels",
	hint: "Replace the CA certificate in the channel's MSP before the restart: with an expired one the orderers do not start, " +
		"and no option helps.",
	ok: say("none expires soon"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			for _, ca := range c.ExpiringCAs {
				out = append(out, validity(c.Name+": CA certificate "+ca.Subject, f.Now, &ca)...)
			}
		}
		return out
	},
}
