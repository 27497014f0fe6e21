package preflight

import (
	"slices"
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
	hint: "Let raftmig ask the brokers: with TLS or SASL the section kafka of raftmig.yaml says how. A run stops the brokers only when it is " +
		"proven that all they hold is in the ledgers, so it would end there.",
	ok: say("told by the brokers"),
	judge: func(f runbook.Facts) []complaint {
		k := f.Kafka
		if k == nil {
			return []complaint{doubtful("nobody was asked: raftmig.yaml names no broker")}
		}
		refused := slices.ContainsFunc(k.Listeners, func(l runbook.KafkaListener) bool { return l.Error != "" })
		switch {
		case k.Error == "":
			return nil
		case len(k.Brokers) > 0:
			return []complaint{doubtful("%s", k.Error)}
		case refused: // kafka.security says why
			return nil
		default:
			return []complaint{bad("%s", k.Error)}
		}
	},
}
