package preflight

import (
	"fmt"
	"time"

	"raftmig/runbook"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// good returns the facts of a network that can be migrated.
func good() runbook.Facts {
	f := runbook.Facts{
		Now: now, Network: "net",
		Admin: runbook.IdentityFacts{MSPID: "OrdererMSP", Subject: "CN=Admin@example.com", NotAfter: now.Add(400 * day)},
		Backup: runbook.SpaceFacts{
			Dir: "/backup", Needed: 1 << 20, Free: 1 << 30, WayBack: []runbook.VolumeFacts{{Path: "/data", Needed: 1 << 20, Free: 1 << 30}},
		},
	}
	for i := range int32(4) {
		at := fmt.Sprintf("b%d:9092", i)
		f.Brokers = append(f.Brokers, runbook.BrokerFacts{
			Node: fmt.Sprintf("broker%d", i), Tier: runbook.TierBrokers, Address: at, Addresses: []string{at},
			Data: []runbook.DataFacts{{Path: fmt.Sprintf("/mnt/broker%d", i), Broker: i, Used: 1 << 30, Free: 1 << 30}},
		})
	}
	for i := range 3 {
		at := fmt.Sprintf("z%d:2181", i)
		f.Brokers = append(f.Brokers, runbook.BrokerFacts{Node: fmt.Sprintf("zookeeper%d", i), Tier: runbook.TierZooKeeper, Address: at, Addresses: []string{at}, Mode: []string{"follower", "leader", "follower"}[i]})
	}
	for i := range 3 {
		server, client := cert(fmt.Sprintf("server%d", i), i), cert(fmt.Sprintf("client%d", i), i)
		f.Orderers = append(f.Orderers, runbook.OrdererFacts{
			Node: fmt.Sprintf("orderer%d", i), Address: "o:7050", Version: "2.2.15", TLS: true,
			ServedCert: server, ServerCert: server, ClientCert: client,
			ClusterHost: fmt.Sprintf("orderer%d.example.com", i), ClusterPort: 7050, ClockKnown: true,
			KafkaVersion: "1.0.0", KafkaTLS: "true", KafkaSASL: "true",
		})
	}
	names := []string{"sys", "ch1"}
	f.Kafka = &runbook.KafkaFacts{TLS: true, SASL: true, ClientCert: cert("client", 9)}
	for i := range int32(4) {
		at := fmt.Sprintf("b%d:9092", i)
		f.Kafka.Listeners = append(f.Kafka.Listeners, runbook.KafkaListener{Address: at, Cert: cert("broker", int(i))})
		f.Kafka.Brokers = append(f.Kafka.Brokers, runbook.KafkaBroker{ID: i, Address: at, Requests: map[string]runbook.VersionRange{
			runbook.RequestProduce: {Min: 0, Max: 11}, runbook.RequestFetch: {Min: 0, Max: 17},
		}, Settings: map[string]string{
			"log.dirs": "/opt/kafka/data", "zookeeper.connect": "zk0:2181,zk1:2181,zk2:2181/kafka",
			"unclean.leader.election.enable": "false", "min.insync.replicas": "2", "default.replication.factor": "3",
			"replica.fetch.max.bytes": "11534336", "message.max.bytes": "11534336", "socket.request.max.bytes": "104857600",
			"log.retention.ms": "-1", "log.retention.hours": "168", "log.retention.bytes": "-1",
		}})
	}
	for _, name := range names {
		f.Kafka.Topics = append(f.Kafka.Topics, runbook.KafkaTopic{Name: name, Partitions: []runbook.KafkaPartition{
			{Replicas: []int32{0, 1, 2}, InSync: []int32{2, 0, 1}, Latest: 21},
		}})
	}
	f.ChannelList = runbook.ChannelList{System: "sys", Names: names, Sources: map[string][]string{
		"system channel": names, "ledger of orderer0": names, "kafka topics": names,
	}}
	for _, name := range names {
		c := runbook.ChannelFacts{
			Name: name, System: name == "sys", Type: "kafka", State: "STATE_NORMAL",
			OrdererCapabilities: []string{"V1_4_2"}, ChannelCapabilities: []string{"V1_4_3"}, OrdererMSPs: []string{"OrdererMSP"},
			AbsoluteMaxBytes: 10 << 20,
		}
		for i := range 3 {
			c.Nodes = append(c.Nodes, runbook.NodeState{Node: fmt.Sprintf("orderer%d", i), Height: 10, LastBlockHash: "aa", KafkaOffset: 19})
		}
		f.Channels = append(f.Channels, c)
	}
	return f
}

func cert(name string, i int) *runbook.CertFacts {
	return &runbook.CertFacts{
		Fingerprint: name, PublicKey: "key of " + name, Subject: "CN=" + name,
		SANs: []string{fmt.Sprintf("orderer%d.example.com", i), "127.0.0.1"}, NotBefore: now.Add(-day), NotAfter: now.Add(400 * day),
	}
}
