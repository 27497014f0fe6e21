package preflight

import "raftmig/runbook"

var channelType = check{
	id:        "channels.type",
	ofConfigs: true,
	title:     "consensus types",
	hint: "raftmig migrates from Kafka only. If a migration was broken off after the type change, " +
		"resume or abort that run: a new one cannot know its backup.",
	ok: say("every channel is on kafka"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			if c.Type != runbook.TypeKafka {
				out = append(out, bad("%s is on %q", c.Name, c.Type))
			}
		}
		return out
	},
}
