package preflight

import (
	"fmt"

	"raftmig/runbook"
)

var kafkaRetention = check{
	id:    "kafka.retention",
	title: "Kafka retention",
	hint: "Set log.retention.ms=-1 on every broker, or for the channels' topics: an orderer that stopped where Kafka has deleted " +
		"does not start again.",
	ok: say("nothing is deleted"),
	judge: kafkaPart(func(_ runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		for _, b := range k.Brokers {
			if limit := retention(b); limit != "" {
				out = append(out, doubtful("broker %d deletes records: %s", b.ID, limit))
			}
		}
		return out
	}),
}

// retention returns the setting by which a broker deletes records, "" if it
// deletes nothing or does not tell. The finest unit that is set counts.
func retention(b runbook.KafkaBroker) string {
	if v, ok := setting(b, "log.retention.bytes"); ok && v >= 0 {
		return fmt.Sprintf("log.retention.bytes=%d", v)
	}
	for _, name := range []string{"log.retention.ms", "log.retention.minutes", "log.retention.hours"} {
		if v, ok := setting(b, name); ok {
			if v < 0 {
				return ""
			}
			return fmt.Sprintf("%s=%d", name, v)
		}
	}
	return ""
}
