package etcdraft

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"
)

// freeze keeps a node's raft loop from seeing anything, as a busy host or a slow
// network does, until thaw is called.
func (c *Chain) freeze() (thaw func()) {
	frozen, release := make(chan struct{}), make(chan struct{})
	go c.node.request(func(*raft.RawNode) { close(frozen); <-release })
	<-frozen
	return func() { close(release) }
}

// A follower that has not heard of the hand-over goes on sending to the node that
// has stopped, whose process runs on for the sake of other channels, or is gone.
// What it acknowledges to its clients is ordered by the next leader.
func TestAFollowerThatHasNotNoticedTheHandOverLosesNothing(t *testing.T) {
	const channel = "ch1"
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprintf("the process is gone: %v", gone), func(t *testing.T) {
			net := newNetwork(t, 3)
			net.addChannel(channel, net.config(net.nodes...), net.nodes)
			net.startAll()
			leader := net.waitLeader(channel)
			follower := net.others(leader)[0]
			witness := net.others(leader, follower)[0]
			follower.order(channel, "before") // its stream is open
			net.waitHeight(channel, 2, net.nodes...)
			c := follower.chain(channel)
			thaw := c.freeze()
			leader.chain(channel).Halt()
			time.Sleep(2 * settleTime) // the condition is that time has passed
			if gone {
				leader.server.Stop()
			}
			require.Equal(t, leader.chain(channel).id, c.lead.Load(), "it has noticed")
			var a answers
			const n = 20
			for i := range n {
				a.order(c, fmt.Sprint(i), nil)
			}
			time.AfterFunc(5*testTick, thaw)
			net.eventually(func() bool { return a.count() == n }, "not answered")
			accepted := 0
			for text, errs := range a.got {
				if errs[0] == nil {
					accepted++
					tx := normalMessage(channel, text).Bytes()
					net.eventually(func() bool { return contains(witness.supports[channel], tx) }, "message %s is lost", text)
				}
			}
			if !gone {
				require.Equal(t, n, accepted, "there is a leader soon, so all can be taken")
			}
		})
	}
}

// A node is removed while all send. What it acknowledged, as a follower or as the
// leader that hands over first, and what is on its way to the leader when the
// removal takes effect, is ordered. Nodes that do not answer transactions stand for
// Fabric's; what they would take in such a moment, ours takes.
func TestANodeThatIsRemovedUnderLoadLosesNothing(t *testing.T) {
	const channel = "ch1"
	for _, answers := range []bool{true, false} {
		if !answers && testing.Short() {
			t.Log("without answers: only without -short")
			continue
		}
		for _, who := range []string{"a follower", "the leader"} {
			t.Run(fmt.Sprintf("%s, transactions are answered: %v", who, answers), func(t *testing.T) {
				net := newNetwork(t, 4)
				net.addChannel(channel, net.config(net.nodes...), net.nodes)
				for _, node := range net.nodes {
					node.asFabric = !answers
					node.supports[channel].cutter.max = 20
					node.supports[channel].orderer.batchTimeout = 10 * testTick
				}
				net.startAll()
				removed := net.waitLeader(channel)
				if who == "a follower" {
					removed = net.others(removed)[0]
				}
				rest := net.others(removed)
				load := net.load(channel, net.nodes...)
				net.eventually(func() bool { return load.count() > 300 }, "no load")
				removed.configure(channel, net.config(rest...), 1)
				for _, node := range rest {
					s := node.supports[channel]
					net.eventually(func() bool { return s.Sequence() == 1 }, "the removal is not ordered")
				}
				more := load.count() + 300
				net.eventually(func() bool { return load.count() > more }, "the others do not go on")
				close(load.stop)
				removed.chain(channel).Halt() // it may not have heard of its removal
				removed.stop()
				load.workers.Wait()
				missing, twice := 0, 0
				net.eventually(func() bool {
					missing, twice = load.missing(rest[0].supports[channel])
					return missing == 0
				}, "accepted messages are not in the ledger")
				require.Zero(t, twice)
				require.Empty(t, removed.logs.FilterMessageSnippet("is lost").All())
			})
		}
	}
}

// The removal of a node was ordered by a leader that is gone, and the node itself is
// the next leader: it hands over before Raft removes it.
func TestALeaderWhoseRemovalAnotherOneOrderedHandsOverFirst(t *testing.T) {
	const channel = "ch1"
	net := newNetwork(t, 3)
	net.addChannel(channel, net.config(net.nodes...), net.nodes)
	for _, node := range net.nodes {
		node.supports[channel].cutter.max = 100
	}
	net.startAll()
	leader := net.waitLeader(channel)
	rest := net.others(leader)
	c := leader.chain(channel)
	require.NoError(t, c.Order(normalMessage(channel, "pending"), 0))
	net.eventually(func() bool { return len(c.submissions) == 0 }, "not taken")
	c.drained.steps <- func() { // without a look at whom it concerns
		c.propose(messages(configMessage(channel, net.config(rest...), 1)), true)
	}
	net.waitHeight(channel, 2, rest...)
	late := c.Order(normalMessage(channel, "late"), 0) // it may wait at the leader, or find none
	next := net.waitLeaderOf(channel, rest)
	net.eventually(func() bool { return next.logs.FilterMessageSnippet("Applied config change to remove node").Len() > 0 }, "it is not removed")
	require.Positive(t, leader.logs.FilterMessageSnippet("Transferring leadership to").Len())
	next.order(channel, "after")
	require.Len(t, next.supports[channel].lastMembers(t), 2)
	for _, text := range []string{"pending", "late", "after"} {
		if text == "late" && late != nil {
			continue
		}
		tx := normalMessage(channel, text).Bytes()
		net.eventually(func() bool {
			_ = next.chain(channel).Configure(configMessage(channel, net.config(rest...), 0), 0) // cuts what is pending
			return contains(rest[0].supports[channel], tx)
		}, "message %s is lost", text)
	}
}

func (s *fakeSupport) lastMembers(t *testing.T) []uint64 {
	return s.raftMetadata(t, s.Height()-1).ConsenterIds
}

// The leader is stopped in order and started again, under load, time and again, as
// in a rolling restart. Clients of all nodes are answered at submission.
func TestLeadersThatAreStoppedOneAfterTheOtherLoseNothing(t *testing.T) {
	const channel = "ch1"
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	net := newNetwork(t, 3)
	net.addChannel(channel, net.config(net.nodes...), net.nodes)
	for _, node := range net.nodes {
		node.supports[channel].cutter.max = 20
		node.supports[channel].orderer.batchTimeout = 10 * testTick
	}
	net.startAll()
	total, refused := 0, 0
	for range rounds {
		leader := net.waitLeader(channel)
		load := net.load(channel, net.nodes...)
		net.eventually(func() bool { return load.count() > 300 }, "no load")
		leader.chain(channel).Halt()
		leader.server.Stop()
		more := load.count() + 300
		net.eventually(func() bool { return load.count() > more }, "the others do not go on")
		close(load.stop)
		load.workers.Wait()
		leader.stop()
		require.Empty(t, leader.logs.FilterMessageSnippet("lost").All())
		leader.start()
		for _, node := range net.nodes {
			missing, twice := 0, 0
			net.eventually(func() bool {
				missing, twice = load.missing(node.supports[channel])
				return missing == 0
			}, "accepted messages are not in the ledger")
			require.Zero(t, twice)
		}
		total, refused = total+load.count(), refused+load.refused
	}
	t.Logf("%d messages accepted, %d refused, none lost", total, refused)
}
