package preflight

import "raftmig/runbook"

var kafkaPartitions = check{
	id:        "kafka.partitions",
	ofConfigs: true,
	ofTopics:  true,
	title:     "Kafka topics of the channels",
	hint: "A channel is ordered by one partition. If the topic is missing, Kafka has lost its data (look at log.dirs) or " +
		"raftmig asks another cluster: do not restart anything before that is clear.",
	ok: say("one partition each"),
	judge: kafkaPart(func(f runbook.Facts, k *runbook.KafkaFacts) []complaint {
		ordered, height := map[string]bool{}, map[string]uint64{}
		for _, c := range f.Channels {
			ordered[c.Name] = c.Type == "kafka"
			for _, n := range c.Nodes {
				height[c.Name] = max(height[c.Name], n.Height)
			}
		}
		var out []complaint
		for _, t := range k.Topics {
			switch n := len(t.Partitions); {
			case n == 1 || !ordered[t.Name]:
			case n == 0 && height[t.Name] <= 1:
				// Orderers make the topic after the channel's first block.
				out = append(out, doubtful("there is no topic %s yet, and no block after the first", t.Name))
			case n == 0:
				out = append(out, bad("there is no topic %s", t.Name))
			default:
				out = append(out, bad("%s has %d partitions", t.Name, n))
			}
		}
		return out
	}),
}
