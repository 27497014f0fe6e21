package preflight

import "raftmig/runbook"

var channelMetadata = check{
	id:        "channels.metadata",
	ofConfigs: true,
	title:     "consensus metadata",
	hint: "On kafka ConsensusType.Metadata is empty. Find out who filled it in; the proofs of the migration, and of " +
		"the way back, expect it empty.",
	ok: say("empty on every channel, as it must be on kafka"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			for _, n := range c.Nodes {
				if c.Type == runbook.TypeKafka && n.MetadataHash != "" {
					out = append(out, bad("%s on %s has consensus metadata", c.Name, n.Node))
				}
			}
		}
		return out
	},
}
