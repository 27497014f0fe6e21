package preflight

import (
	"fmt"
	"strconv"
	"strings"

	"raftmig/runbook"
)

var kafkaRetention = check{
	id:       "kafka.retention",
	ofTopics: true,
	title:    "Kafka retention",
	hint: "Set log.retention.ms=-1 on every broker, or for the channels' topics: an orderer that stopped where Kafka has deleted " +
		"does not start again.",
	ok: say("nothing is deleted"),
	judge: kafkaPart(func(_ runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		told := len(k.Topics) > 0
		for _, t := range k.Topics {
			told = told && (len(t.Partitions) == 0 || t.Settings["retention.ms"] != "")
			out = append(out, topicRetention(t)...)
		}
		for _, b := range k.Brokers {
			// What is in force for the topics counts, where that is told.
			if limit := retention(b); limit != "" && !told {
				out = append(out, doubtful("broker %d deletes records: %s", b.ID, limit))
			}
		}
		return out
	}),
}

// topicRetention judges what is in force for one topic. Compaction keeps the
// last record of each key, and Fabric writes all records with one key.
func topicRetention(t runbook.KafkaTopic) []complaint {
	if policy := t.Settings["cleanup.policy"]; strings.Contains(policy, "compact") {
		return []complaint{bad("%s: cleanup.policy=%s keeps only the last of its records, for they have one key", t.Name, policy)}
	}
	for _, name := range []string{"retention.ms", "retention.bytes"} {
		if v, err := strconv.ParseInt(t.Settings[name], 10, 64); err == nil && v >= 0 {
			return []complaint{doubtful("%s: records are deleted: %s=%d", t.Name, name, v)}
		}
	}
	return nil
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
