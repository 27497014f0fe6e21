package preflight

import (
	"strconv"

	"raftmig/runbook"
)

var kafkaReplication = check{
	id:       "kafka.replication",
	ofTopics: true,
	title:    "Kafka replication",
	hint: "Fabric's guide asks for 1 < min.insync.replicas < replicas < brokers, so that nothing acknowledged is on one disk " +
		"only and a broker may fail.",
	ok: say("more than one replica has a record before it counts, and a broker may fail"),
	judge: kafkaPart(func(_ runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		least := int64(0) // the highest min.insync.replicas
		for _, b := range k.Brokers {
			m, ok := setting(b, "min.insync.replicas")
			if ok && m < 2 {
				out = append(out, doubtful("broker %d has min.insync.replicas=%d", b.ID, m))
			} else if ok && m > least {
				least = m
			}
		}
		for _, t := range k.Topics {
			if m, err := strconv.Atoi(t.Settings["min.insync.replicas"]); err == nil && m < 2 {
				out = append(out, doubtful("%s has min.insync.replicas=%d", t.Name, m))
			}
		}
		eachPartition(k, func(topic string, p runbook.KafkaPartition) {
			switch n := len(p.Replicas); {
			case n >= len(k.Brokers):
				out = append(out, doubtful("%s has %d replicas on %d brokers: no channel can be created while one is down", topic, n, len(k.Brokers)))
			case least > 0 && int64(n) <= least:
				out = append(out, doubtful("%s has %d replicas with min.insync.replicas=%d: nothing is ordered while one is down", topic, n, least))
			}
		})
		return out
	}),
}
