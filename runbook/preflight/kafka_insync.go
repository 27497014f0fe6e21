package preflight

import "raftmig/runbook"

var kafkaInSync = check{
	id:       "kafka.in-sync",
	ofTopics: true,
	title:    "Kafka replicas",
	hint: "Start the brokers that are down and wait until they have caught up: brokers are restarted in the window, and what " +
		"only some replicas hold must not depend on which of them comes up first.",
	ok: say("all in sync"),
	judge: kafkaPart(func(_ runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		eachPartition(k, func(topic string, p runbook.KafkaPartition) {
			switch {
			case p.Leader < 0:
				out = append(out, bad("%s has no leader; replicas are on brokers %v", topic, p.Replicas))
			case len(p.InSync) < 2 && len(p.Replicas) > 1:
				out = append(out, bad("%s: of the replicas on brokers %v only %v is in sync, losing it loses records", topic, p.Replicas, p.InSync))
			case len(p.InSync) < len(p.Replicas):
				out = append(out, doubtful("%s: of the replicas on brokers %v only %v are in sync", topic, p.Replicas, p.InSync))
			}
		})
		return out
	}),
}
