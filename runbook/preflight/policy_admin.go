package preflight

import "raftmig/runbook"

var adminPolicy = check{
	id:    "policies.admins",
	title: "policy /Channel/Orderer/Admins",
	hint:  "Use an administrator of an orderer organisation. Where several organisations must sign, collect their signatures.",
	ok:    say("the admin identity satisfies it on every channel"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			if c.AdminPolicy != "" {
				out = append(out, bad("%s: %s", c.Name, c.AdminPolicy))
			}
		}
		return out
	},
}
