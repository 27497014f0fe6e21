package preflight

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// Every broken cluster is found by the check that is meant for it and by no other.
func TestABrokenKafkaIsFoundByExactlyOneCheck(t *testing.T) {
	set := func(name, value string) func(*runbook.Facts) {
		return func(f *runbook.Facts) { f.Kafka.Brokers[2].Settings[name] = value }
	}
	partition := func(change func(p *runbook.KafkaPartition)) func(*runbook.Facts) {
		return func(f *runbook.Facts) { change(&f.Kafka.Topics[1].Partitions[0]) }
	}
	for _, test := range []struct {
		check, name string
		change      func(f *runbook.Facts)
		want        runbook.Severity
		evidence    string
	}{
		{"kafka.asked", "brokers want a login", func(f *runbook.Facts) {
			f.Kafka = &runbook.KafkaFacts{Error: "client has run out of available brokers"}
		}, warn, "run out"},
		{"kafka.asked", "a broker tells no settings", func(f *runbook.Facts) {
			f.Kafka.Error, f.Kafka.Brokers[1].Settings = "asking broker 1 for its settings: timeout", nil
		}, warn, "broker 1"},
		{"kafka.partitions", "a topic is missing", func(f *runbook.Facts) { f.Kafka.Topics[1].Partitions = nil }, fatal, "there is no topic ch1"},
		{"kafka.partitions", "a topic is missing that nothing was ordered through", func(f *runbook.Facts) {
			f.Kafka.Topics[1].Partitions = nil
			for i := range f.Channels[1].Nodes {
				f.Channels[1].Nodes[i].Height = 1
			}
		}, warn, "no topic ch1 yet"},
		{"kafka.partitions", "two partitions", func(f *runbook.Facts) {
			t := &f.Kafka.Topics[1]
			t.Partitions = append(t.Partitions, t.Partitions[0])
		}, fatal, "ch1 has 2 partitions"},
		{"kafka.in-sync", "no leader", partition(func(p *runbook.KafkaPartition) { p.Leader = -1 }), fatal, "ch1 has no leader"},
		{"kafka.in-sync", "no leader, nobody in sync", partition(func(p *runbook.KafkaPartition) { p.Leader, p.InSync = -1, nil }), fatal, "ch1 has no leader"},
		{"kafka.in-sync", "one replica in sync", partition(func(p *runbook.KafkaPartition) { p.InSync = []int32{1} }), fatal, "only [1] is in sync"},
		{"kafka.in-sync", "one replica behind", partition(func(p *runbook.KafkaPartition) { p.InSync = []int32{1, 2} }), warn, "only [1 2] are in sync"},
		{"kafka.unclean-election", "on", set("unclean.leader.election.enable", "true"), fatal, "broker 2"},
		{"kafka.replication", "M is 1", set("min.insync.replicas", "1"), warn, "broker 2 has min.insync.replicas=1"},
		{"kafka.replication", "M is 0", set("min.insync.replicas", "0"), warn, "min.insync.replicas=0"},
		{"kafka.replication", "M equals N", set("min.insync.replicas", "3"), warn, "nothing is ordered while one is down"},
		{"kafka.replication", "N equals K", partition(func(p *runbook.KafkaPartition) { p.Replicas, p.InSync = []int32{0, 1, 2, 3}, []int32{0, 1, 2, 3} }), warn, "4 replicas on 4 brokers"},
		{"kafka.replication", "one replica", partition(func(p *runbook.KafkaPartition) { p.Replicas, p.InSync = []int32{0}, []int32{0} }), warn, "ch1 has 1 replicas"},
		{"kafka.replication", "a broker is gone", func(f *runbook.Facts) { f.Kafka.Brokers = f.Kafka.Brokers[:3] }, warn, "3 replicas on 3 brokers"},
		{"kafka.sizes", "blocks larger than fetches", func(f *runbook.Facts) { f.Channels[1].AbsoluteMaxBytes = 11534336 }, warn, "of ch1"},
		{"kafka.sizes", "Kafka's defaults", func(f *runbook.Facts) {
			for _, b := range f.Kafka.Brokers {
				b.Settings["message.max.bytes"], b.Settings["replica.fetch.max.bytes"] = "1048588", "1048576"
			}
		}, warn, "replica.fetch.max.bytes=1048576 is not above AbsoluteMaxBytes 10485760"},
		{"kafka.sizes", "messages smaller than fetches", set("message.max.bytes", "11534335"), warn, "is above message.max.bytes=11534335"},
		{"kafka.sizes", "requests smaller than messages", set("socket.request.max.bytes", "11534335"), warn, "is above socket.request.max.bytes=11534335"},
		{"kafka.retention", "milliseconds", set("log.retention.ms", "604800000"), warn, "broker 2 deletes records: log.retention.ms=604800000"},
		{"kafka.retention", "Kafka's default of hours", func(f *runbook.Facts) { delete(f.Kafka.Brokers[0].Settings, "log.retention.ms") }, warn, "log.retention.hours=168"},
		{"kafka.retention", "by size", set("log.retention.bytes", "1073741824"), warn, "log.retention.bytes=1073741824"},
		{"kafka.retention", "records are gone", partition(func(p *runbook.KafkaPartition) { p.Earliest = 17 }), warn, "ch1: the first 17 records are gone"},
	} {
		t.Run(test.check+" "+test.name, func(t *testing.T) {
			f := good()
			test.change(&f)
			for _, got := range Check(f) {
				if got.Check != test.check {
					require.Equal(t, ok, got.Severity, got.Summary)
					continue
				}
				require.Equal(t, test.want, got.Severity, "%+v", got)
				require.Contains(t, strings.Join(got.Evidence, "\n"), test.evidence)
				require.NotEmpty(t, got.Hint)
			}
		})
	}
}

func TestAKafkaThatWasNotAskedIsNotJudged(t *testing.T) {
	f := good()
	f.Kafka = nil
	for _, got := range Check(f) {
		require.Equal(t, ok, got.Severity, got.Summary)
	}
}
