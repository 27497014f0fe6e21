package kafkaops_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/kafkaops"
	"raftmig/runbook"
	"raftmig/testnet/broker"
)

func TestAClusterDescribesItselfAndTheTopicsOfChannels(t *testing.T) {
	c, err := broker.Start(broker.Options{Ports: []int{0, 0, 0, 0}, DataDir: filepath.Join(t.TempDir(), "kafka")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V1_0_0_0
	admin, err := sarama.NewClusterAdmin(c.Addresses(), cfg)
	require.NoError(t, err)
	defer admin.Close()
	forever := "-1"
	require.NoError(t, admin.CreateTopic("ch1", &sarama.TopicDetail{
		NumPartitions: 1, ReplicationFactor: 3, ConfigEntries: map[string]*string{"retention.ms": &forever},
	}, false))

	f := cluster(c.Addresses()...).Describe(t.Context(), []string{"ch1", "ch2"})
	require.Empty(t, f.Error)
	require.Len(t, f.Brokers, 4)
	require.Equal(t, "103809024", f.Brokers[0].Settings["message.max.bytes"])
	require.Equal(t, "2", f.Brokers[3].Settings["min.insync.replicas"])
	require.Equal(t, "false", f.Brokers[1].Settings["unclean.leader.election.enable"])
	require.Len(t, f.Topics, 2)
	require.Len(t, f.Topics[0].Partitions, 1)
	require.Equal(t, "-1", f.Topics[0].Settings["retention.ms"])
	require.Equal(t, "2", f.Topics[0].Settings["min.insync.replicas"], "the brokers' is in force")
	require.Equal(t, runbook.VersionRange{Min: 3, Max: 13}, f.Brokers[2].Requests[runbook.RequestProduce])
	p := f.Topics[0].Partitions[0]
	require.Len(t, p.Replicas, 3)
	require.ElementsMatch(t, p.Replicas, p.InSync)
	require.Contains(t, p.Replicas, p.Leader)
	require.Zero(t, p.Earliest)
	require.Empty(t, f.Topics[1].Partitions, "asking for a topic must not make it")
	f = cluster(c.Addresses()...).Describe(t.Context(), []string{"ch2"})
	require.Empty(t, f.Topics[0].Partitions, "asking for a topic must not make it")

	require.NotEmpty(t, cluster(zooKeeper(t, "")).Describe(t.Context(), nil).Error)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NotEmpty(t, cluster(zooKeeper(t, "")).Describe(ctx, nil).Error)
}

func cluster(brokers ...string) *kafkaops.Cluster { return &kafkaops.Cluster{Brokers: brokers} }
