package preflight

import (
	"strconv"

	"raftmig/runbook"
)

// setting returns a number among a broker's settings; ok is false if the
// broker does not tell it.
func setting(b runbook.KafkaBroker, name string) (value int64, ok bool) {
	v, err := strconv.ParseInt(b.Settings[name], 10, 64)
	return v, err == nil
}

// kafkaPart returns a judgement of what Kafka says of itself; where it was not
// asked there is nothing to judge.
func kafkaPart(judge func(f runbook.Facts, k *runbook.KafkaFacts) []complaint) func(runbook.Facts) []complaint {
	return func(f runbook.Facts) []complaint {
		if f.Kafka == nil {
			return nil
		}
		return judge(f, f.Kafka)
	}
}

// eachPartition calls judge for every partition of a channel's topic.
func eachPartition(k *runbook.KafkaFacts, judge func(topic string, p runbook.KafkaPartition)) {
	for _, t := range k.Topics {
		for _, p := range t.Partitions {
			judge(t.Name, p)
		}
	}
}

var kafkaAsked = check{
	id:    "kafka.asked",
	title: "Kafka's settings and topics",
	hint: "Let raftmig reach a listener of the brokers without TLS and SASL, or look yourself: one partition for each channel, " +
		"all replicas in sync, unclean.leader.election.enable=false.",
	ok: say("told by the brokers"),
	judge: kafkaPart(func(_ runbook.Facts, k *runbook.KafkaFacts) []complaint {
		if k.Error != "" {
			return []complaint{doubtful("%s", k.Error)}
		}
		return nil
	}),
}
