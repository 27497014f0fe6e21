package preflight

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// Every broken cluster is found by the check that is meant for it and by no other.
func TestABrokenKafkaIsFoundByExactlyOneCheck(t *testing.T) {
	set := func(name, value string) func(*runbook.Facts) {
		return func(f *runbook.Facts) { f.Kafka.Brokers[2].Settings[name] = value }
	}
	setAll := func(name, value string) func(*runbook.Facts) {
		return func(f *runbook.Facts) {
			for _, b := range f.Kafka.Brokers {
				b.Settings[name] = value
			}
		}
	}
	topic := func(name, value string) func(*runbook.Facts) {
		return func(f *runbook.Facts) { f.Kafka.Topics[1].Settings = map[string]string{name: value} }
	}
	zooKeeper := func(nodes int) func(*runbook.Facts) {
		return func(f *runbook.Facts) {
			f.Brokers = f.Brokers[:4]
			var told []string
			for i := range nodes {
				at := fmt.Sprintf("zk%d:2181", i)
				told = append(told, at)
				f.Brokers = append(f.Brokers, runbook.BrokerFacts{Node: at, Tier: runbook.TierZooKeeper, Address: at})
			}
			setAll("zookeeper.connect", strings.Join(told, ","))(f)
		}
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
			f.Kafka = &runbook.KafkaFacts{Error: "client has run out of available brokers", TLS: true, SASL: true}
		}, fatal, "run out"},
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
		{"kafka.unclean-election", "a broker does not tell it", set("unclean.leader.election.enable", ""), warn, "broker 2 does not tell unclean.leader.election.enable"},
		{"kafka.unclean-election", "a broker does not know it", func(f *runbook.Facts) { delete(f.Kafka.Brokers[1].Settings, "unclean.leader.election.enable") }, warn, "broker 1 does not tell"},
		{"kafka.unclean-election", "a broker does not tell it, the topics have their own", func(f *runbook.Facts) {
			f.Kafka.Brokers[1].Settings = nil
			for i := range f.Kafka.Topics {
				f.Kafka.Topics[i].Settings = map[string]string{"unclean.leader.election.enable": "false"}
			}
		}, ok, ""},
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
		{"kafka.retention", "a topic of its own", topic("retention.ms", "604800000"), warn, "ch1: records are deleted: retention.ms=604800000"},
		{"kafka.retention", "a topic by size", topic("retention.bytes", "1"), warn, "retention.bytes=1"},
		{"kafka.retention", "a topic that is compacted", topic("cleanup.policy", "compact,delete"), fatal, "ch1: cleanup.policy=compact,delete keeps only the last"},
		{"kafka.retention", "brokers delete, the topics are excepted", func(f *runbook.Facts) {
			setAll("log.retention.ms", "604800000")(f)
			for i := range f.Kafka.Topics {
				f.Kafka.Topics[i].Settings = map[string]string{"retention.ms": "-1"}
			}
		}, ok, ""},
		{"kafka.unclean-election", "for a topic", topic("unclean.leader.election.enable", "true"), fatal, "ch1 has unclean"},
		{"kafka.replication", "M is 1 for a topic", topic("min.insync.replicas", "1"), warn, "ch1 has min.insync.replicas=1"},
		{"kafka.sizes", "messages of a topic smaller than blocks", topic("max.message.bytes", "1048588"), warn, "ch1: max.message.bytes=1048588"},

		{"kafka.offsets", "records are gone that every orderer has", partition(func(p *runbook.KafkaPartition) { p.Earliest = 17 }), warn, "ch1: the first 17 records are gone"},
		{"kafka.offsets", "retention has eaten the offset", partition(func(p *runbook.KafkaPartition) { p.Earliest = 21 }), fatal, "ch1: orderer0 has offset 19, the first that Kafka still has is 21"},
		{"kafka.offsets", "an orderer was stopped for too long", func(f *runbook.Facts) {
			f.Kafka.Topics[1].Partitions[0].Earliest, f.Channels[1].Nodes[2].KafkaOffset = 17, 5
		}, fatal, "ch1: orderer2 has offset 5"},
		{"kafka.offsets", "Kafka has lost the end", partition(func(p *runbook.KafkaPartition) { p.Latest = 19 }), fatal, "ch1: orderer0 has offset 19, Kafka ends at 18"},
		{"kafka.offsets", "Kafka has lost everything", partition(func(p *runbook.KafkaPartition) { p.Latest = 0 }), fatal, "it has lost records"},

		{"kafka.ensemble", "three brokers", func(f *runbook.Facts) { // with two replicas
			f.Kafka.Brokers, f.Brokers = f.Kafka.Brokers[:3], slices.Delete(f.Brokers, 3, 4)
			for i := range f.Kafka.Topics {
				f.Kafka.Topics[i].Partitions[0].Replicas, f.Kafka.Topics[i].Partitions[0].InSync = []int32{0, 1}, []int32{0, 1}
			}
			for i := range f.Kafka.Brokers {
				f.Kafka.Brokers[i].Settings["min.insync.replicas"] = "" // told by nobody
			}
		}, warn, "3 brokers: while one is down"},
		{"kafka.ensemble", "a broker that nobody named", func(f *runbook.Facts) {
			f.Brokers = slices.Delete(f.Brokers, 1, 2)
			f.Brokers[0].Data[0].Broker = 1
			f.Brokers[0].Data = append(f.Brokers[0].Data, runbook.DataFacts{Free: 1 << 30})
		},
			fatal, "4 brokers are live, raftmig.yaml names 3"},
		{"kafka.ensemble", "a ZooKeeper node that nobody named", func(f *runbook.Facts) { f.Brokers = f.Brokers[:6] }, fatal, "the brokers use 3 ZooKeeper nodes (zk0:2181, zk1:2181, zk2:2181), raftmig.yaml names 2"},
		{"kafka.ensemble", "no ZooKeeper node is named", func(f *runbook.Facts) { f.Brokers = f.Brokers[:4] }, fatal, "raftmig.yaml names 0"},
		{"kafka.ensemble", "four ZooKeeper nodes", zooKeeper(4), warn, "4 ZooKeeper nodes: an even number"},
		{"kafka.ensemble", "one ZooKeeper node", zooKeeper(1), warn, "1 ZooKeeper node: losing it stops Kafka"},
		{"kafka.ensemble", "nine ZooKeeper nodes", zooKeeper(9), warn, "more than 7"},

		{"kafka.ensemble", "a ZooKeeper node without quorum", func(f *runbook.Facts) { f.Brokers[6].Mode = runbook.ModeNoQuorum }, fatal, "zookeeper2 is without quorum"},
		{"kafka.ensemble", "a ZooKeeper node on its own", func(f *runbook.Facts) { f.Brokers[4].Mode = runbook.ModeStandalone }, fatal, "zookeeper0 runs standalone"},
		{"kafka.ensemble", "nodes of two ensembles", func(f *runbook.Facts) { f.Brokers[6].Mode = runbook.ModeLeader }, fatal, "zookeeper1 and zookeeper2 are both leaders"},
		{"kafka.ensemble", "no ZooKeeper node tells what it is", func(f *runbook.Facts) {
			for i := range f.Brokers {
				f.Brokers[i].Mode = ""
			}
		}, ok, ""},

		{"kafka.log-dirs", "Kafka's default", setAll("log.dirs", "/tmp/kafka-logs"), warn, "broker 0 keeps its records in /tmp/kafka-logs"},
		{"kafka.log-dirs", "one of several in memory", set("log.dirs", "/data/1,/dev/shm/kafka"), warn, "broker 2 keeps its records in /dev/shm/kafka"},
		{"kafka.log-dirs", "only log.dir is told", func(f *runbook.Facts) {
			setAll("log.dirs", "")(f)
			set("log.dir", "/run/kafka")(f)
			for _, i := range []int{0, 1, 3} {
				f.Kafka.Brokers[i].Settings["log.dir"] = "/data"
			}
		}, warn, "/run/kafka"},
		{"kafka.log-dirs", "unknown", set("log.dirs", ""), warn, "broker 2 does not tell its log.dirs"},
		{"kafka.log-dirs", "the inventory names other folders", func(f *runbook.Facts) {
			for i := range 4 {
				f.Brokers[i].Data[0].Broker = -1
			}
		}, fatal, "no data folder in raftmig.yaml is that of broker 0 (log.dirs=/opt/kafka/data)"},
		{"kafka.log-dirs", "the inventory names a folder twice", func(f *runbook.Facts) { f.Brokers[1].Data[0].Broker = 0 }, fatal, "that of broker 1"},
		{"kafka.log-dirs", "in memory", func(f *runbook.Facts) { f.Brokers[1].Data[0].Memory = "tmpfs" }, warn, "broker1: /mnt/broker1 lies in memory (tmpfs)"},
		{"kafka.log-dirs", "full", func(f *runbook.Facts) { f.Brokers[1].Data[0].Free = 1 << 20 }, warn, "broker1: /mnt/broker1 has only 1.0 MiB free"},

		{"kafka.version", "unknown", func(f *runbook.Facts) { f.Orderers[1].KafkaVersion = "" }, warn, "neither the log of orderer1 nor kafka.version"},
		{"kafka.version", "only the inventory tells it", func(f *runbook.Facts) { f.Orderers[1].KafkaVersion, f.Kafka.Version = "", "1.0.0" }, ok, ""},
		{"kafka.version", "not the same everywhere", func(f *runbook.Facts) { f.Orderers[1].KafkaVersion = "0.10.2.0" }, warn, "1.0.0, 0.10.2.0"},
		{"kafka.version", "brokers too new for Fabric's default", func(f *runbook.Facts) {
			f.Kafka.Brokers[3].Requests[runbook.RequestProduce] = runbook.VersionRange{Min: 3, Max: 12}
			for i := range f.Orderers {
				f.Orderers[i].KafkaVersion = "0.10.2.0"
			}
		}, fatal, "Kafka.Version 0.10.2.0 sends produce requests of version 2, broker 3 takes 3 to 12"},
		{"kafka.version", "brokers too old", func(f *runbook.Facts) {
			f.Kafka.Brokers[0].Requests[runbook.RequestFetch] = runbook.VersionRange{Max: 3}
		}, fatal, "Kafka.Version 1.0.0 sends fetch requests of version 4, broker 0 takes 0 to 3"},
		{"kafka.version", "no version", func(f *runbook.Facts) {
			for i := range f.Orderers {
				f.Orderers[i].KafkaVersion = "latest"
			}
		}, fatal, `"latest" is no version of Kafka`},

		{"kafka.security", "another authority", func(f *runbook.Facts) {
			f.Kafka.Listeners[1].Error = "x509: certificate signed by unknown authority"
		}, fatal, "b1:9092: x509"},
		{"kafka.security", "no listener lets raftmig in", func(f *runbook.Facts) {
			f.Kafka = &runbook.KafkaFacts{TLS: true, SASL: true, Error: "run out of brokers", Listeners: []runbook.KafkaListener{{Address: "b0:9092", Error: "SASL: Authentication failed"}}}
		}, fatal, "Authentication failed"},
		{"kafka.security", "a broker's certificate expires in the window", func(f *runbook.Facts) { f.Kafka.Listeners[2].Cert.NotAfter = now.Add(time.Hour) }, fatal, "the certificate of b2:9092 expires in 1h"},
		{"kafka.security", "the client's certificate expires soon", func(f *runbook.Facts) { f.Kafka.ClientCert.NotAfter = now.Add(9 * day) }, warn, "expires in 9 days"},
		{"kafka.security", "raftmig goes in another way than the orderers", func(f *runbook.Facts) { f.Kafka.TLS, f.Kafka.SASL = false, false }, warn, "orderer0 uses TLS to Kafka, raftmig does not"},
		{"kafka.security", "an orderer without TLS", func(f *runbook.Facts) { f.Orderers[2].KafkaTLS = "false" }, warn, "raftmig uses TLS to Kafka, orderer2 does not"},

		{"backup.way-back", "no room to put a backup back", func(f *runbook.Facts) { f.Backup.WayBack[0].Free = 1 << 19 }, fatal, "1.0 MiB needed, only 512.0 KiB free on the file system of /data"},
	} {
		t.Run(test.check+" "+test.name, func(t *testing.T) {
			f := good()
			test.change(&f)
			for _, got := range Check(f) {
				if got.Check != test.check {
					notLookedAt := len(f.Kafka.Brokers) == 0 && strings.Contains(got.Summary, "not looked at") ||
						f.Kafka.Error != "" && strings.Contains(got.Summary, "does not tell")
					require.True(t, got.Severity == ok || notLookedAt, got.Summary)
					continue
				}
				require.Equal(t, test.want, got.Severity, "%+v", got)
				require.Contains(t, strings.Join(got.Evidence, "\n"), test.evidence)
				require.Equal(t, test.want == ok, got.Hint == "")
			}
		})
	}
}

// What nobody looked at must not read as if it had been found well.
func TestAKafkaThatTellsNothingPassesNoCheckOfIt(t *testing.T) {
	for name, kafka := range map[string]*runbook.KafkaFacts{"not asked": nil, "no answer": {Error: "connection refused"}} {
		f := good()
		f.Kafka = kafka
		for _, got := range Check(f) {
			if got.Check == "kafka.security" { // it compares what the orderers have
				continue
			}
			if !strings.HasPrefix(got.Check, "kafka.") {
				require.Equal(t, ok, got.Severity, got.Summary)
				continue
			}
			require.NotEqual(t, ok, got.Severity, "%s: %s", name, got.Summary)
			require.NotEmpty(t, got.Hint)
		}
	}
	f := good()
	f.Kafka.Topics = nil
	for _, got := range Check(f) {
		if got.Check == "kafka.in-sync" || got.Check == "kafka.offsets" {
			require.Equal(t, []string{"not looked at, the brokers tell of no topic"}, got.Evidence)
		}
	}
}
