package preflight

import "raftmig/runbook"

var writersPolicy = check{
	id:        "policies.writers",
	ofConfigs: true,
	title:     "policy /Channel/Orderer/Writers",
	hint:      "In maintenance mode only writers of the orderer organisations may send updates. Use an identity that is one.",
	ok:        say("the admin identity satisfies it on every channel"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			if c.WritersPolicy != "" {
				out = append(out, bad("%s: %s", c.Name, c.WritersPolicy))
			}
		}
		return out
	},
}
