package etcdraft

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"
)

// load sends messages through all nodes of a network, without waiting for one
// before the next, and knows which were accepted.
type load struct {
	mu       sync.Mutex
	accepted map[string]bool
	refused  int
	stop     chan struct{}
	workers  sync.WaitGroup
}

func (n *network) load(channel string, nodes ...*testNode) *load {
	l := &load{accepted: map[string]bool{}, stop: make(chan struct{})}
	for _, node := range nodes {
		chain, seq := node.chain(channel), node.supports[channel].Sequence()
		n.loads++
		name := fmt.Sprintf("%s, load %d", node.name, n.loads)
		l.workers.Go(func() {
			var answers sync.WaitGroup
			defer answers.Wait()
			tokens := make(chan struct{}, 50)
			for i := 0; ; i++ {
				select {
				case tokens <- struct{}{}:
				case <-l.stop:
					return
				}
				if chain.WaitReady() != nil {
					return // the node is stopping
				}
				msg := normalMessage(channel, fmt.Sprint(name, ", ", i))
				answers.Add(1)
				chain.OrderAsync(msg, seq, func(err error) {
					defer answers.Done()
					<-tokens
					l.mu.Lock()
					defer l.mu.Unlock()
					if err == nil {
						l.accepted[string(msg.Bytes())] = true
					} else {
						l.refused++
					}
				})
			}
		})
	}
	return l
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

// missing returns how many accepted messages are not in a ledger, and how many
// are in it more than once.
func (l *load) missing(s *fakeSupport) (missing, twice int) {
	seen := map[string]int{}
	for n := uint64(1); n < s.Height(); n++ {
		for _, tx := range s.Block(n).Data.Data {
			seen[string(tx)]++
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for tx := range l.accepted {
		if seen[tx] == 0 {
			missing++
		}
	}
	for _, times := range seen {
		if times > 1 {
			twice++
		}
	}
	return missing, twice
}

func TestANodeThatStopsInOrderUnderLoadLosesNothing(t *testing.T) {
	const channel = "ch1"
	for _, tc := range []struct {
		name  string
		nodes int
		who   func(net *network, leader *testNode) *testNode
	}{
		{"the leader of three", 3, func(_ *network, leader *testNode) *testNode { return leader }},
		{"a follower of three", 3, func(net *network, leader *testNode) *testNode { return net.others(leader)[0] }},
		{"the only consenter", 1, func(_ *network, leader *testNode) *testNode { return leader }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			net := newNetwork(t, tc.nodes)
			net.addChannel(channel, net.config(net.nodes...), net.nodes)
			for _, node := range net.nodes {
				node.supports[channel].cutter.max = 20
				node.supports[channel].orderer.batchTimeout = 10 * testTick
			}
			net.startAll()
			who := tc.who(net, net.waitLeader(channel))
			load := net.load(channel, net.nodes...)
			net.eventually(func() bool { return load.count() > 500 }, "no load")
			began := time.Now()
			who.chain(channel).Halt()
			require.Less(t, time.Since(began), drainPatience, "it need not give up")
			who.server.Stop()
			if tc.nodes > 1 {
				more := load.count() + 100
				net.eventually(func() bool { return load.count() > more }, "the others do not go on")
			}
			close(load.stop)
			load.workers.Wait()
			witness := who
			if tc.nodes > 1 {
				witness = net.others(who)[0]
			}
			missing, twice := 0, 0
			net.eventually(func() bool {
				missing, twice = load.missing(witness.supports[channel])
				return missing == 0
			}, "accepted messages are not in the ledger")
			require.Zero(t, twice)
			require.Empty(t, who.logs.FilterMessageSnippet("is lost").All())
		})
	}
}

func TestANodeWhoseClusterIsGoneStopsAtOnce(t *testing.T) {
	const channel = "ch1"
	net := newNetwork(t, 3)
	net.addChannel(channel, net.config(net.nodes...), net.nodes)
	net.startAll()
	leader := net.waitLeader(channel)
	for _, node := range net.others(leader) {
		node.stop()
	}
	began := time.Now()
	leader.chain(channel).Halt()
	require.Less(t, time.Since(began), drainPatience/2)
	require.ErrorIs(t, leader.chain(channel).Order(normalMessage(channel, "late"), 0), errStopped)
}

// While there is no leader, others may hold messages that need one, and the voice of
// this node to have one: it stays until there is.
func TestANodeThatStopsWhileThereIsNoLeaderWaitsForOne(t *testing.T) {
	const channel = "ch1"
	net := newNetwork(t, 3)
	config := net.config(net.nodes...)
	config.Options.TickInterval = "1m" // nobody campaigns by itself
	net.addChannel(channel, config, net.nodes)
	net.startAll()
	for _, node := range net.nodes {
		net.eventually(func() bool { return len(node.chain(channel).rpc.Reachable()) == 2 }, "no connection")
	}
	halted := make(chan struct{})
	go func() { net.nodes[0].chain(channel).Halt(); close(halted) }()
	require.Never(t, func() bool { return closed(halted) }, 3*quietTime, drainInterval, "it does not wait")
	net.nodes[1].chain(channel).node.request(func(rn *raft.RawNode) { _ = rn.Campaign() }) // the others vote, or the test fails
	net.eventually(func() bool { return closed(halted) }, "it waits for something else")
	require.Equal(t, net.nodes[1], net.waitLeader(channel))
	for _, node := range net.nodes[1:] {
		node.kill()
	}
}

// All nodes are told to stop at the same moment, as by `systemctl stop` on all
// hosts: none waits for another that waits for it, and what was accepted is in
// the ledger when they are started again.
func TestAWholeClusterThatStopsAtOnceLosesNothingAndDoesNotWaitForItself(t *testing.T) {
	channels := []string{"ch1", "ch2", "ch3", "ch4"}
	net := newNetwork(t, 3)
	config := net.config(net.nodes...)
	config.Options.TickInterval = "200ms" // a lost leader is noticed after two seconds
	for _, channel := range channels {
		net.addChannel(channel, config, net.nodes)
		for _, node := range net.nodes {
			node.supports[channel].cutter.max = 20
			node.supports[channel].orderer.batchTimeout = time.Second
		}
	}
	net.startAll()
	loads := map[string]*load{}
	for _, channel := range channels {
		net.waitLeader(channel)
		loads[channel] = net.load(channel, net.nodes...)
	}
	for _, channel := range channels {
		net.eventually(func() bool { return loads[channel].count() > 200 }, "no load")
	}
	took := net.haltAll()
	for _, l := range loads {
		close(l.stop)
		l.workers.Wait()
	}
	t.Logf("stopped in %v", took)
	require.Less(t, took, drainPatience/2)
	for _, node := range net.nodes {
		require.Empty(t, node.logs.FilterMessageSnippet("although").All())
		require.Empty(t, node.logs.FilterMessageSnippet("is lost").All())
		node.stop()
	}
	net.startAll()
	for _, channel := range channels {
		net.waitLeader(channel)
		for _, node := range net.nodes {
			var missing, twice int
			net.eventually(func() bool {
				missing, twice = loads[channel].missing(node.supports[channel])
				return missing == 0
			}, "accepted messages are not in the ledger")
			require.Zero(t, twice)
		}
	}
	net.haltAll()
}

// haltAll stops all chains of all nodes at once and returns how long that took.
func (n *network) haltAll() time.Duration {
	began := time.Now()
	var halting sync.WaitGroup
	for _, node := range n.nodes {
		for _, chain := range node.chains {
			halting.Go(chain.Halt)
		}
	}
	halting.Wait()
	return time.Since(began)
}
