package etcdraft

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"
)

// Nodes come and go, the leadership moves, snapshots are taken and consenters
// change, all at random, while messages are ordered everywhere. In the end all
// ledgers are the same, nothing is in them that nobody sent, and nothing twice.
func TestLedgersStayTheSameWhateverHappens(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { chaos(t, seed) })
	}
}

func chaos(t *testing.T, seed uint64) {
	const (
		channel = "ch1"
		steps   = 60
	)
	random := rand.New(rand.NewPCG(seed, 0))
	net := newNetwork(t, 3)
	config := net.config(net.nodes...)
	config.Options.SnapshotIntervalSize = 2000
	net.addChannel(channel, config, net.nodes)
	for _, node := range net.nodes {
		node.supports[channel].cutter.max = 3
		node.supports[channel].orderer.batchTimeout = testTick
	}
	net.startAll()
	sent, version := 0, uint64(0)
	for step := 0; step < steps; step++ {
		node := net.nodes[random.IntN(len(net.nodes))]
		if net.runningNodes() >= 2 {
			net.waitLeader(channel)
		}
		switch random.IntN(12) {
		case 0:
			switch {
			case !node.running():
			case random.IntN(2) == 0:
				node.kill()
			default:
				node.chain(channel).Halt() // in order, while the others can still be heard
				node.stop()
			}
		case 1:
			to := uint64(random.IntN(3) + 1)
			if node.running() {
				node.chain(channel).node.request(func(rn *raft.RawNode) { rn.TransferLeader(to) })
			}
		case 2:
			if node.running() {
				version++
				next := configMessage(channel, config, version)
				_ = node.chain(channel).Configure(next, node.supports[channel].Sequence()) // nobody may lead
			}
		default:
			if !node.running() {
				node.start()
				continue
			}
			for i := 0; i < 4; i++ {
				if node.chain(channel).Order(normalMessage(channel, fmt.Sprint(sent)), 0) == nil {
					sent++
				}
			}
		}
	}
	for _, node := range net.nodes {
		if !node.running() {
			node.start()
		}
	}
	net.waitLeader(channel)
	net.nodes[0].order(channel, "last")
	net.eventually(func() bool {
		for _, node := range net.nodes {
			if !contains(node.supports[channel], normalMessage(channel, "last").Bytes()) {
				return false
			}
		}
		return true
	}, "the last message does not arrive everywhere")
	for _, node := range net.nodes {
		require.Empty(t, node.fatal)
	}
	lowest := net.nodes[0].supports[channel].headers()
	for _, node := range net.nodes[1:] {
		headers := node.supports[channel].headers()
		n := min(len(lowest), len(headers))
		require.Equal(t, lowest[:n], headers[:n])
	}
	seen := map[string]int{}
	s := net.nodes[0].supports[channel]
	for n := uint64(1); n < s.Height(); n++ {
		for _, tx := range s.Block(n).Data.Data {
			seen[string(tx)]++
		}
	}
	for i := 0; i < sent; i++ {
		require.LessOrEqual(t, seen[string(normalMessage(channel, fmt.Sprint(i)).Bytes())], 1, "message %d", i)
	}
	t.Logf("%d of %d messages in %d blocks", len(seen), sent, s.Height())
}

func (n *network) runningNodes() int {
	count := 0
	for _, node := range n.nodes {
		if node.running() {
			count++
		}
	}
	return count
}

func contains(s *fakeSupport, tx []byte) bool {
	for n := uint64(1); n < s.Height(); n++ {
		for _, have := range s.Block(n).Data.Data {
			if string(have) == string(tx) {
				return true
			}
		}
	}
	return false
}
