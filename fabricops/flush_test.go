package fabricops_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/kafkaops"
	"raftmig/fabricops/ledgerfiles"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
	"raftmig/testnet/broker"
)

// producer starts embedded brokers, names them in the inventory, and returns
// what writes a record to a topic.
func producer(t *testing.T, inv *inventory.Network) func(topic string, value []byte) {
	t.Helper()
	c, err := broker.Start(broker.Options{Ports: []int{0, 0, 0, 0}, DataDir: filepath.Join(t.TempDir(), "kafka")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	inv.Brokers = []inventory.Process{{Name: "kafka", Address: c.Addresses()[0], Control: inventory.Control{Kind: inventory.ControlManual}}}
	cfg := sarama.NewConfig()
	cfg.Version, cfg.Producer.Return.Successes = sarama.V1_0_0_0, true
	admin, err := sarama.NewClusterAdmin(c.Addresses(), cfg)
	require.NoError(t, err)
	for _, topic := range both {
		require.NoError(t, admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}, false))
	}
	require.NoError(t, admin.Close())
	p, err := sarama.NewSyncProducer(c.Addresses(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return func(topic string, value []byte) {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(value)})
		require.NoError(t, err)
	}
}

// Ledgers of real Fabric, and topics that end where these ledgers say.
func TestOperatorProvesThatKafkaIsFlushed(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	produce := producer(t, r.inv)
	nodes := []string{"orderer0", "orderer1", "orderer2"}
	prove := runbook.Effect{Kind: runbook.ProveFlush, Channels: both, Timeout: 20 * time.Second}
	_, err := r.Perform(t.Context(), prove, nil)
	require.ErrorContains(t, err, "the process runs", "a ledger that grows proves nothing")

	r.perform(t, runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers})
	connect := []byte{0x1a, 0x00}
	for _, c := range both {
		tail, err := ledgerfiles.ReadTail(r.inv.Orderers[0].LedgerDir, c)
		require.NoError(t, err)
		md, err := protoutil.ConsenterMetadata(tail.Newest)
		require.NoError(t, err)
		last, _, err := kafkaops.KafkaMetadata(md.Value)
		require.NoError(t, err)
		require.Positive(t, last, "the fixture came from Kafka")
		for range last + 1 {
			produce(c, connect)
		}
	}
	produce(both[1], connect)
	ev := r.perform(t, prove)
	require.Nil(t, runbook.JudgeFlush(both, nodes, ev.Flush))
	require.Contains(t, ev.Summary, "2 channels: what Kafka has is in every ledger")
	require.Equal(t, runbook.FlushRecords{Connect: 1}, ev.Flush[1].Behind)
	require.EqualValues(t, len(r.net.Blocks(both[1])), ev.Flush[1].Nodes[2].Height)

	// KafkaMessageRegular of class NORMAL, made under a later configuration
	// than any: no ledger has it.
	produce(both[1], []byte{0x0a, 0x07, 0x0a, 0x01, 'x', 0x10, 0x7f, 0x18, 0x01})
	prove.Timeout = 4 * time.Second
	var texts []string
	ev, err = r.Perform(t.Context(), prove, func(p runbook.Progress) { texts = append(texts, p.Text) })
	require.NoError(t, err, "the runbook judges the evidence")
	p := runbook.JudgeFlush(both, nodes, ev.Flush)
	require.NotNil(t, p)
	require.Contains(t, p.Why, "in Kafka and in no ledger")
	require.Contains(t, ev.Summary, "the time is over")
	require.Contains(t, texts[len(texts)-1], "not yet")
}
