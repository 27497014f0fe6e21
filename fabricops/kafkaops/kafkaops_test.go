package kafkaops_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/fabricops/kafkaops"
	"raftmig/runbook"
	"raftmig/testnet/broker"
)

func TestTopicsThatCouldBeChannels(t *testing.T) {
	c, err := broker.Start(broker.Options{Ports: []int{0, 0}, DataDir: filepath.Join(t.TempDir(), "kafka")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V1_0_0_0
	admin, err := sarama.NewClusterAdmin(c.Addresses(), cfg)
	require.NoError(t, err)
	defer admin.Close()
	for name, partitions := range map[string]int32{"syschannel": 1, "ch1": 1, "Not.A.Channel": 1, "logs": 3} {
		require.NoError(t, admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	}
	topics, err := cluster(c.Addresses()...).Topics(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"ch1", "syschannel"}, topics)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = cluster(c.Addresses()...).Topics(ctx)
	require.Error(t, err)
}

func TestBrokersThatDoNotAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	up := l.Addr().String()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	down := gone.Addr().String()
	require.NoError(t, gone.Close())

	f := kafkaops.Reach(t.Context(), runbook.TierBrokers, inventory.Process{Name: "z", Address: up})
	require.Equal(t, runbook.BrokerFacts{Node: "z", Tier: runbook.TierBrokers, Address: up, Addresses: []string{up}}, f)
	for answer, mode := range map[string]string{
		"Mode: follower\n": "follower", "This ZooKeeper instance is not currently serving requests\n": runbook.ModeNoQuorum, "srvr is not executed\n": "",
	} {
		f = kafkaops.Reach(t.Context(), runbook.TierZooKeeper, inventory.Process{Name: "z", Address: zooKeeper(t, answer)})
		require.Empty(t, f.Error)
		require.Equal(t, mode, f.Mode)
	}
	f = kafkaops.Reach(t.Context(), runbook.TierBrokers, inventory.Process{Name: "k", Address: up, Addresses: []string{up, down}})
	require.Equal(t, down, f.Address)
	require.Contains(t, f.Error, "connection refused")
	require.NoError(t, l.Close())

	started := time.Now()
	_, err = cluster(down).Topics(t.Context())
	require.ErrorContains(t, err, "reaching Kafka at "+down)
	require.Less(t, time.Since(started), 10*time.Second)
	_, err = kafkaops.Of(&inventory.Network{})
	require.ErrorContains(t, err, "names no brokers")
}
