package etcdraft

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// Sizes of clusters and changes of their members, under load that is
// acknowledged at commit: whatever was acknowledged is in every ledger, once, and
// all ledgers are the same.

// crowd is a channel on some nodes of a network, with load through each of them.
type crowd struct {
	*network
	channel string
	members []*testNode
	loads   []*load
	version uint64
}

func newCrowd(t *testing.T, size int) *crowd {
	net := newNetwork(t, size)
	c := &crowd{network: net, channel: "ch1", members: net.nodes}
	net.addChannel(c.channel, net.config(net.nodes...), net.nodes)
	for _, node := range net.nodes {
		c.prepare(node)
		node.start()
	}
	net.waitLeader(c.channel)
	for _, node := range net.nodes {
		c.loadOn(node)
	}
	return c
}

func (c *crowd) prepare(node *testNode) {
	node.options = func(o *Options) { o.AcknowledgeAtCommit = true }
	s := node.supports[c.channel]
	s.cutter.max, s.orderer.batchTimeout = 10, 2*testTick
}

func (c *crowd) loadOn(node *testNode) { c.loads = append(c.loads, c.load(c.channel, node)) }

func (c *crowd) acknowledged() int {
	n := 0
	for _, l := range c.loads {
		n += l.count()
	}
	return n
}

// goesOn waits until more is acknowledged.
func (c *crowd) goesOn() {
	c.t.Helper()
	more := c.acknowledged() + 20
	c.eventually(func() bool { return c.acknowledged() > more }, "nothing is acknowledged")
}

// change makes members the consenters.
func (c *crowd) change(through *testNode, members ...*testNode) {
	c.t.Helper()
	c.version++
	through.configure(c.channel, c.config(members...), c.version)
	c.members = members
}

// join gives a node the ledger of a member and starts it.
func (c *crowd) join(node *testNode) {
	c.t.Helper()
	from := c.members[0].supports[c.channel]
	s := newFakeSupport(c.channel, c.config(c.members...), from.Block(0))
	for number := uint64(1); !c.listed(s); number++ { // up to the block that adds it
		c.eventually(func() bool { return from.Height() > number }, "no block %d", number)
		require.NoError(c.t, s.Append(from.Block(number)))
	}
	s.config, s.sequence = c.config(c.members...), c.version
	node.supports[c.channel] = s
	c.prepare(node)
	node.start()
	c.catchesUp(node)
	c.loadOn(node)
}

// listed reports whether the last block has as many consenters as there are members.
func (c *crowd) listed(s *fakeSupport) bool {
	return s.Height() > 1 && len(s.raftMetadata(c.t, s.Height()-1).ConsenterIds) == len(c.members)
}

func (c *crowd) catchesUp(node *testNode) {
	c.t.Helper()
	height := uint64(0)
	for _, m := range c.members {
		height = max(height, m.supports[c.channel].Height())
	}
	c.waitHeight(c.channel, height, node)
}

// requireNothingLost ends the load and compares the ledgers of the members.
func (c *crowd) requireNothingLost() {
	c.t.Helper()
	for _, l := range c.loads {
		close(l.stop)
	}
	for _, l := range c.loads {
		l.workers.Wait()
	}
	for _, node := range c.members {
		c.catchesUp(node)
		for _, l := range c.loads {
			missing, twice := 0, 0
			c.eventually(func() bool {
				missing, twice = l.missing(node.supports[c.channel])
				return missing == 0
			}, "%s lacks what was acknowledged", node.name)
			require.Zero(c.t, twice)
		}
		require.Empty(c.t, node.fatal)
	}
	shortest := c.members[0].supports[c.channel].headers()
	for _, node := range c.members[1:] {
		headers := node.supports[c.channel].headers()
		n := min(len(shortest), len(headers))
		require.Equal(c.t, shortest[:n], headers[:n], "%s and %s differ", node.name, c.members[0].name)
	}
	c.t.Logf("%d messages acknowledged, %d blocks", c.acknowledged(), len(shortest))
}

func TestAClusterGrowsFromOneToSevenAndShrinksToOneUnderLoad(t *testing.T) {
	c := newCrowd(t, 1)
	for len(c.members) < 7 {
		c.goesOn()
		node := c.addNode()
		c.change(c.waitLeaderOf(c.channel, c.members), append(c.members[:len(c.members):len(c.members)], node)...)
		c.join(node)
	}
	c.goesOn()
	for turn := 0; len(c.members) > 1; turn++ {
		leader := c.waitLeaderOf(c.channel, c.members)
		gone := leader
		if turn%2 == 1 { // the leader and another one in turn
			gone = c.without(leader)[0]
		}
		rest := c.without(gone)
		c.change(rest[0], rest...)
		c.eventually(func() bool {
			ids := rest[0].supports[c.channel].raftMetadata(t, rest[0].supports[c.channel].Height()-1).ConsenterIds
			return len(ids) == len(rest)
		}, "the removal is not ordered")
		c.waitLeaderOf(c.channel, rest)
		c.goesOn()
		gone.stop()
	}
	c.requireNothingLost()
}

// without returns the members other than one.
func (c *crowd) without(node *testNode) []*testNode {
	var rest []*testNode
	for _, m := range c.members {
		if m != node {
			rest = append(rest, m)
		}
	}
	return rest
}

// The certificate, for both sides of TLS, of each node is replaced in turn.
func TestTheCertificatesOfAllNodesAreRotatedUnderLoad(t *testing.T) {
	c := newCrowd(t, 3)
	for _, node := range c.members {
		c.goesOn()
		id := node.chain(c.channel).id
		node.pair = c.ca.Issue(t, node.name+" renewed")
		rest := c.without(node)
		c.change(rest[0], c.members...)
		c.waitLeaderOf(c.channel, rest) // the one whose certificate it is hands over
		node.stop()
		s := node.supports[c.channel]
		for last := rest[0].supports[c.channel]; s.sequence < c.version; { // replicated before it starts
			block := last.Block(s.Height())
			require.NotNil(t, block)
			require.NoError(t, s.Append(block))
			if protoutil.IsConfigBlock(block) {
				s.config, s.sequence = c.config(c.members...), s.sequence+1
			}
		}
		node.start()
		require.Equal(t, id, node.chain(c.channel).id)
		c.catchesUp(node)
		c.loadOn(node)
	}
	c.goesOn()
	c.requireNothingLost()
}

func TestSevenNodesLoseThreeAndGoOnAndLoseFourAndStall(t *testing.T) {
	if testing.Short() {
		t.Skip("takes all processors for seconds")
	}
	c := newCrowd(t, 7)
	for _, lost := range []int{3, 4} {
		c.goesOn()
		leader := c.waitLeader(c.channel)
		gone := append([]*testNode{leader}, c.without(leader)[:lost-1]...)
		left := c.others(gone...)
		for _, node := range gone {
			node.kill()
		}
		if lost == 3 {
			c.goesOn()
		} else {
			for _, node := range left {
				c.eventually(func() bool { return closed(node.chain(c.channel).Errored()) }, "%s does not notice", node.name)
			}
			height, count := left[0].supports[c.channel].Height(), c.acknowledged()
			require.Never(t, func() bool { return left[0].supports[c.channel].Height() > height }, 30*testTick, testTick, "three of seven order")
			require.Equal(t, count, c.acknowledged())
		}
		for _, node := range gone {
			node.start()
		}
		c.waitLeader(c.channel)
		for _, node := range gone {
			c.loadOn(node)
			c.catchesUp(node)
		}
		for _, node := range left {
			c.loadOn(node) // a load ends with the first error
		}
	}
	c.goesOn()
	c.requireNothingLost()
}

// A hundred channels start, elect, order, and do so again after a restart.
func TestAHundredChannelsOnThreeNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("300 chains take seconds")
	}
	const channels = 100
	net := newNetwork(t, 3)
	config := net.config(net.nodes...)
	config.Options.TickInterval = "100ms"
	name := func(i int) string { return fmt.Sprint("ch", i) }
	for i := range channels {
		net.addChannel(name(i), config, net.nodes)
	}
	for round := range uint64(2) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		goroutines := runtime.NumGoroutine()
		began := time.Now()
		net.startAll()
		leaders := map[string]int{}
		for i := range channels {
			leaders[net.waitLeader(name(i)).name]++
		}
		elected := time.Since(began)
		for i := range channels {
			net.nodes[i%3].order(name(i), fmt.Sprint("round ", round))
		}
		for i := range channels {
			net.waitHeight(name(i), round+2, net.nodes...)
			net.requireSameLedgers(name(i), net.nodes...)
		}
		ordered := time.Since(began)
		runtime.GC()
		runtime.ReadMemStats(&after)
		running := runtime.NumGoroutine() - goroutines
		perChain := (int64(after.HeapInuse) - int64(before.HeapInuse)) / (3 * channels)
		stopped := net.haltAll()
		for _, node := range net.nodes {
			node.stop()
		}
		t.Logf("round %d: leaders %v elected in %v, all ordered in %v, %d KiB of heap and %d goroutines a chain, stopped in %v",
			round, leaders, elected, ordered, perChain>>10, running/(3*channels), stopped)
		require.Less(t, perChain, int64(4<<20))
	}
}
