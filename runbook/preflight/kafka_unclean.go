package preflight

import "raftmig/runbook"

var kafkaUnclean = check{
	id:       "kafka.unclean-election",
	ofTopics: true,
	title:    "Kafka elections",
	hint: "Set unclean.leader.election.enable=false on every broker: a leader that lacks records would have orderers make " +
		"other blocks than they have made.",
	ok: say("only replicas in sync become leaders"),
	judge: kafkaPart(func(_ runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		for _, b := range k.Brokers {
			if b.Settings["unclean.leader.election.enable"] == "true" {
				out = append(out, bad("broker %d has unclean.leader.election.enable=true", b.ID))
			}
		}
		for _, t := range k.Topics {
			if t.Settings["unclean.leader.election.enable"] == "true" {
				out = append(out, bad("%s has unclean.leader.election.enable=true", t.Name))
			}
		}
		return out
	}),
}
