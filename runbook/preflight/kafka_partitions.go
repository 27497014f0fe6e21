package preflight

import "raftmig/runbook"

var kafkaPartitions = check{
	id:    "kafka.partitions",
	title: "Kafka topics of the channels",
	hint: "A channel is ordered by one partition. If the topic is missing, Kafka has lost its data (look at log.dirs) or " +
		"raftmig asks another cluster: do not restart anything before that is clear.",
	ok: say("one partition each"),
	judge: kafkaPart(func(f runbook.Facts, k *runbook.KafkaFacts) []complaint {
		ordered := map[string]bool{}
		for _, c := range f.Channels {
			ordered[c.Name] = c.Type == "kafka"
		}
		var out []complaint
		for _, t := range k.Topics {
			switch n := len(t.Partitions); {
			case n == 1 || !ordered[t.Name]:
			case n == 0:
				out = append(out, bad("there is no topic %s", t.Name))
			default:
				out = append(out, bad("%s has %d partitions", t.Name, n))
			}
		}
		return out
	}),
}
