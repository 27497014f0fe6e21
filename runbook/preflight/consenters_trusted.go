package preflight

import "raftmig/runbook"

var consentersTrusted = check{
	id:        "consenters.trusted",
	ofConfigs: true,
	title:     "trust in the consenters",
	hint: "Add the TLS CA to tls_root_certs of an orderer organisation in that channel's configuration. " +
		"Otherwise leaving maintenance mode is refused, after the restart.",
	ok: say("every channel's orderer organisations trust every consenter's certificates"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			for _, u := range c.UntrustedConsenters {
				out = append(out, bad("%s: %s", c.Name, u))
			}
		}
		return out
	},
}
