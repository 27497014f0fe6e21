package preflight

import "raftmig/runbook"

var channelCapability = check{
	id:        "capabilities.channel",
	ofConfigs: true,
	title:     "channel capabilities",
	hint: "Raise /Channel/Capabilities to V1_4_2 on the channel. " +
		"Without it the type change is refused, when maintenance has begun already.",
	ok: say("V1_4_2 or later on every channel"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			if !knowsMigration(c.ChannelCapabilities) {
				out = append(out, bad("%s has %s", c.Name, level(c.ChannelCapabilities)))
			}
		}
		return out
	},
}
