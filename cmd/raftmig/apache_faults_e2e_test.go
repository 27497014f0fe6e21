package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/testnet"
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
