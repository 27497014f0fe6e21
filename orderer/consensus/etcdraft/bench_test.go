package etcdraft

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/wal"

	"raftmig/orderer/protoutil"
)

// BenchmarkOrder orders 3.5 kB messages through the leader of three nodes on
// one machine, over TLS and with synced logs, until all nodes have them.
// Signatures and ledgers on disk are not part of it.
func BenchmarkOrder(b *testing.B) {
	wal.SegmentSizeBytes = 64 << 20
	net := newNetwork(b, 3)
	config := net.config(net.nodes...)
	config.Options.TickInterval = "200ms" // the machine is busy with all three
	net.addChannel("ch1", config, net.nodes)
	for _, node := range net.nodes {
		node.supports["ch1"].cutter.max = 100
		node.supports["ch1"].orderer.batchTimeout = 20 * time.Millisecond
	}
	net.startAll()
	leader := net.waitLeader("ch1")
	msg := normalMessage("ch1", strings.Repeat("x", 3500))
	b.SetBytes(int64(len(msg.Bytes())))
	b.ResetTimer()
	chain := leader.chain("ch1")
	for i := 0; i < b.N; i++ {
		require.NoError(b, chain.Order(msg, 0))
	}
	for _, node := range net.nodes {
		net.eventually(func() bool { return node.messageCount("ch1") >= b.N }, "messages are missing on %s", node.name)
	}
}

func (tn *testNode) messageCount(channel string) int {
	s, n := tn.supports[channel], 0
	for number := uint64(1); number < s.Height(); number++ {
		n += len(s.Block(number).Data.Data)
	}
	return n
}

// BenchmarkMakeBlock makes and encodes a block of 500 messages.
func BenchmarkMakeBlock(b *testing.B) {
	msg := normalMessage("ch1", strings.Repeat("x", 3500))
	batch := make([]*protoutil.Message, 500)
	for i := range batch {
		batch[i] = msg
	}
	c := newBlockCreator(protoutil.NewBlock(0, nil))
	b.SetBytes(int64(len(batch) * len(msg.Bytes())))
	for i := 0; i < b.N; i++ {
		protoutil.MustMarshal(c.next(batch))
	}
}
