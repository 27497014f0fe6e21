package kafkaops_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/kafkaops"
	"raftmig/runbook"
	"raftmig/testnet/broker"
)

var (
	connect = []byte{0x1a, 0x00}
	// transaction is a KafkaMessageRegular of class NORMAL and sequence 3.
	transaction = []byte{0x0a, 0x07, 0x0a, 0x01, 'x', 0x10, 0x03, 0x18, 0x01}
)

// topics starts brokers on which every topic holds the records given.
func topics(t *testing.T, records map[string][][]byte) *kafkaops.Cluster {
	t.Helper()
	c, err := broker.Start(broker.Options{Ports: []int{0, 0, 0, 0}, DataDir: filepath.Join(t.TempDir(), "kafka")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	cfg := sarama.NewConfig()
	cfg.Version, cfg.Producer.Return.Successes = sarama.V1_0_0_0, true
	admin, err := sarama.NewClusterAdmin(c.Addresses(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	producer, err := sarama.NewSyncProducer(c.Addresses(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = producer.Close() })
	for topic, values := range records {
		require.NoError(t, admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}, false))
		for _, v := range values {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(v)})
			require.NoError(t, err)
		}
	}
	return cluster(c.Addresses()...)
}

func TestAFlushComparesTopicsWithLedgers(t *testing.T) {
	c := topics(t, map[string][][]byte{
		"flushed":  {connect, transaction, transaction, connect, connect},
		"pending":  {connect, transaction, connect, transaction},
		"lost-end": {connect},
	})
	at := func(offset int64, sequence uint64) []kafkaops.Position {
		return []kafkaops.Position{
			{Node: "o0", Height: 4, LastOffset: offset, Sequence: sequence}, {Node: "o1", Height: 4, LastOffset: offset, Sequence: sequence},
		}
	}
	unread := at(1, 3)
	unread[1].Err = errors.New("the file is damaged")
	states := c.Flush(t.Context(), []string{"flushed", "pending", "lost-end", "no-topic"}, map[string][]kafkaops.Position{
		"flushed": at(2, 3), "pending": at(1, 3), "lost-end": at(9, 3), "no-topic": at(1, 3),
	})
	require.Len(t, states, 4)
	f := states[0]
	require.Empty(t, f.Error)
	require.EqualValues(t, 5, f.End)
	require.Equal(t, runbook.FlushRecords{Connect: 2}, f.Behind)
	require.Len(t, f.InSync, 3)
	judge := func(f runbook.FlushState) string {
		f.EndBefore = f.End
		if p := runbook.JudgeFlush([]string{f.Channel}, []string{"o0", "o1"}, []runbook.FlushState{f}); p != nil {
			return p.Why
		}
		return ""
	}
	require.Empty(t, judge(f))
	require.Equal(t, "1 records from offset 3 on are in Kafka and in no ledger", judge(states[1]))
	require.Contains(t, judge(states[2]), "Kafka has lost records")
	require.Equal(t, "there is no topic no-topic", judge(states[3]))

	states = c.Flush(t.Context(), []string{"pending"}, map[string][]kafkaops.Position{"pending": unread})
	require.Equal(t, "the file is damaged", judge(states[0]))
	states = c.Flush(t.Context(), []string{"pending"}, map[string][]kafkaops.Position{"pending": at(1, 4)})
	require.Equal(t, runbook.FlushRecords{Connect: 1, Refused: 1}, states[0].Behind)
	require.Empty(t, judge(states[0]), "what is older than the configuration is refused")
	states = c.Flush(t.Context(), []string{"pending"}, map[string][]kafkaops.Position{"pending": at(-1, 4)})
	require.Equal(t, runbook.FlushRecords{Connect: 2, Refused: 2}, states[0].Behind, "from the beginning")
}

func TestAFlushOfBrokersThatAreGoneSaysSoAndEnds(t *testing.T) {
	ledgers := map[string][]kafkaops.Position{"ch1": {{Node: "o0"}}}
	states := cluster(zooKeeper(t, "")).Flush(t.Context(), []string{"ch1"}, ledgers)
	require.Contains(t, states[0].Error, "reaching Kafka")
	require.Equal(t, "o0", states[0].Nodes[0].Node, "what the ledgers say is told all the same")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.NotEmpty(t, cluster(zooKeeper(t, "")).Flush(ctx, []string{"ch1"}, ledgers)[0].Error)
}
