package preflight

import "raftmig/runbook"

var ordererCapability = check{
	id:        "capabilities.orderer",
	ofConfigs: true,
	title:     "orderer capabilities",
	hint: "Raise /Channel/Orderer/Capabilities to V1_4_2 on the channel. " +
		"Without it the orderers refuse maintenance mode.",
	ok: say("V1_4_2 or later on every channel"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			if !knowsMigration(c.OrdererCapabilities) {
				out = append(out, bad("%s has %s", c.Name, level(c.OrdererCapabilities)))
			}
		}
		return out
	},
}
