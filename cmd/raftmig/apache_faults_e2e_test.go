package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"raftmig/testnet"
	"raftmig/testnet/apache"
)

// A broker, the controller's ZooKeeper leader or follower, and more brokers
// than the in-sync replicas allow: the orderers refuse while nothing can be
// written, and lose and double nothing.
func TestRealKafkaLosesNodesAndTheOrderersGoOn(t *testing.T) {
	home := kafkaHome(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	dir := netDir(t)
	n, err := testnet.Init(dir, testnet.Spec{Kafka: testnet.KafkaApache, KafkaHome: home, Program: binary(t)})
	require.NoError(t, err)
	require.NoError(t, n.Up(ctx, nil))
	require.NoError(t, n.CreateChannels(ctx, nil))
	sent := 0
	send := func(what string, count int) {
		t.Helper()
		start := time.Now()
		r, err := n.Load(ctx, testnet.Traffic{Transactions: count, Streams: 4, Resend: "unknown"})
		require.NoError(t, err, what)
		require.Equal(t, count, r.Acknowledged, what)
		sent += count
		t.Logf("%s: %d transactions in %.1fs", what, count, time.Since(start).Seconds())
	}
	inject := func(f testnet.Fault, name string) {
		t.Helper()
		require.NoError(t, n.Inject(ctx, f, name), "%s %s", f, name)
	}
	send("all is well", 60)
	inject(testnet.FaultKill, "kafka0")
	send("a broker is lost", 60)
	inject(testnet.FaultKill, "zookeeper2")
	send("and a ZooKeeper node", 60)
	inject(testnet.FaultStart, "zookeeper2")
	inject(testnet.FaultStart, "kafka0")
	send("both are back", 60)

	// Three of four are gone: no partition has two replicas in sync.
	for _, name := range []string{"kafka1", "kafka2", "kafka3"} {
		inject(testnet.FaultKill, name)
	}
	refused, stop := context.WithTimeout(ctx, 15*time.Second)
	r, err := n.Load(refused, testnet.Traffic{Transactions: 8, Streams: 4})
	stop()
	require.NotNil(t, r, "%v", err)
	require.Zero(t, r.Acknowledged, "acknowledged without enough replicas")
	for _, name := range []string{"kafka1", "kafka2", "kafka3"} {
		inject(testnet.FaultStart, name)
	}
	send("the brokers are back", 60)

	rep, err := n.AwaitAgreement(ctx)
	require.NoError(t, err)
	require.Zero(t, rep.Missing)
	require.Zero(t, rep.Duplicated)
	require.GreaterOrEqual(t, rep.Committed, sent)

	// A network that went through all this still migrates.
	m := run(t, nil, "run", "--network", n.InventoryFile(), "--headless", "--json", "--confirm", n.Manifest.Name)
	require.Zero(t, m.code, m.stderr)
	require.Equal(t, "migrated", m.document(t).Result)
	require.DirExists(t, filepath.Join(dir, "backups"))
}

// The controller and the leader of a channel's partition are killed while
// transactions are on their way; an orderer that was down for long catches up;
// and in the end retention eats what the orderers need.
func TestRealKafkaElectsInMidStreamAndAnOrdererCatchesUp(t *testing.T) {
	home := kafkaHome(t)
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	f := newFaultNet(t, ctx, testnet.Spec{Kafka: testnet.KafkaApache, KafkaHome: home, Orderers: 3, Channels: []string{"ch1"}})
	for what, find := range map[string]func(sarama.Client) (*sarama.Broker, error){
		"controller":          func(c sarama.Client) (*sarama.Broker, error) { return c.Controller() },
		"leader of partition": func(c sarama.Client) (*sarama.Broker, error) { return c.Leader("ch1", 0) },
	} {
		victim := brokerName(t, f.Network, find)
		killed := make(chan error, 1)
		go func() {
			// In mid-stream: as soon as the first of the transactions is in a block.
			before, err := f.Validate()
			for err == nil {
				now, e := f.Validate()
				if err = e; err != nil || now.Committed > before.Committed {
					break
				}
				select {
				case <-ctx.Done():
					err = ctx.Err()
				case <-time.After(tick):
				}
			}
			killed <- errors.Join(err, f.Inject(ctx, testnet.FaultKill, victim))
		}()
		begun := time.Now()
		f.load(t, ctx, 150)
		require.NoError(t, <-killed, what)
		f.load(t, ctx, 10)
		t.Logf("%s %s killed in mid-stream: 160 transactions in %.1fs", what, victim, time.Since(begun).Seconds())
		require.NoError(t, f.Inject(ctx, testnet.FaultStart, victim))
	}
	require.NoError(t, f.Inject(ctx, testnet.FaultStop, "orderer2"))
	f.load(t, ctx, 400)
	begun := time.Now()
	require.NoError(t, f.Inject(ctx, testnet.FaultStart, "orderer2"))
	rep, err := f.AwaitAgreement(ctx)
	require.NoError(t, err)
	require.True(t, rep.OK(), "%+v", rep)
	require.Equal(t, f.sent, rep.Committed)
	t.Logf("an orderer caught up with 400 transactions in %.1fs", time.Since(begun).Seconds())
	requireRetentionIsFoundBefore(t, ctx, f.Network)
}

// brokerName is the name of the broker that the cluster tells.
func brokerName(t *testing.T, n *testnet.Network, find func(sarama.Client) (*sarama.Broker, error)) string {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V1_0_0_0
	client, err := sarama.NewClient(n.Inventory.KafkaAddresses(), cfg)
	require.NoError(t, err)
	defer client.Close() //nolint:errcheck // it was only asked
	b, err := find(client)
	require.NoError(t, err)
	return apache.BrokerName(int(b.ID()))
}
