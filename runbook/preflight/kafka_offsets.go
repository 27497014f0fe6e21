package preflight

import "raftmig/runbook"

var kafkaOffsets = check{
	id:        "kafka.offsets",
	ofConfigs: true,
	ofTopics:  true,
	title:     "Kafka and the ledgers",
	hint: "An orderer goes on behind the last record in its ledger. If Kafka has deleted the next one, or ends before it, the orderer stops at its " +
		"next start with \"requested offset is outside the range\". Do not restart anything: copy the ledger of an orderer that is further on, or look " +
		"for the broker that has the records.",
	ok: say("every orderer finds in Kafka what comes next"),
	judge: kafkaPart(func(f runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		eachPartition(k, func(topic string, p runbook.KafkaPartition) {
			stranded := false
			for _, n := range nodesOf(f, topic) {
				switch {
				case n.Error != "" || n.KafkaOffset <= 0:
				case p.Earliest > n.KafkaOffset+1:
					stranded = true
					out = append(out, bad("%s: %s has offset %d, the first that Kafka still has is %d", topic, n.Node, n.KafkaOffset, p.Earliest))
				case p.Latest >= 0 && n.KafkaOffset >= p.Latest:
					out = append(out, bad("%s: %s has offset %d, Kafka ends at %d: it has lost records", topic, n.Node, n.KafkaOffset, p.Latest-1))
				}
			}
			if p.Earliest > 0 && !stranded {
				out = append(out, doubtful("%s: the first %d records are gone; an orderer that has not consumed them cannot go on", topic, p.Earliest))
			}
		})
		return out
	}),
}

// nodesOf are the views of a channel that Kafka orders.
func nodesOf(f runbook.Facts, channel string) []runbook.NodeState {
	for _, c := range f.Channels {
		if c.Name == channel && c.Type == "kafka" {
			return c.Nodes
		}
	}
	return nil
}
