package preflight

import "raftmig/runbook"

const uncleanElection = "unclean.leader.election.enable"

var kafkaUnclean = check{
	id:       "kafka.unclean-election",
	ofTopics: true,
	title:    "Kafka elections",
	hint: "Set unclean.leader.election.enable=false on every broker: a leader that lacks records would have orderers make " +
		"other blocks than they have made.",
	ok: say("only replicas in sync become leaders"),
	judge: kafkaPart(func(_ runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		own := len(k.Topics) > 0 // all topics that are there have a setting of their own
		for _, t := range k.Topics {
			own = own && (len(t.Partitions) == 0 || t.Settings[uncleanElection] != "")
			if t.Settings[uncleanElection] == "true" {
				out = append(out, bad("%s has %s=true", t.Name, uncleanElection))
			}
		}
		for _, b := range k.Brokers {
			switch v := b.Settings[uncleanElection]; {
			case v == "true":
				out = append(out, bad("broker %d has %s=true", b.ID, uncleanElection))
			case v == "" && !own: // its default depends on Kafka's version
				out = append(out, doubtful("broker %d does not tell %s", b.ID, uncleanElection))
			}
		}
		return out
	}),
}
