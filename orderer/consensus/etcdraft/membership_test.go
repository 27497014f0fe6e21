package etcdraft

import (
	"fmt"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// configure submits a configuration that sets the consenters through a node.
func (tn *testNode) configure(channel string, config *etcdraft.ConfigMetadata, version uint64) {
	tn.net.t.Helper()
	msg := configMessage(channel, config, version)
	tn.net.eventually(func() bool {
		chain := tn.chains[channel]
		return chain.WaitReady() == nil && chain.Configure(msg, tn.supports[channel].Sequence()) == nil
	}, "%s does not take the configuration", tn.name)
}

func TestAConsenterIsAddedAndJoins(t *testing.T) {
	net := newNetwork(t, 2)
	first := net.nodes
	net.addChannel("ch1", net.config(first...), first)
	net.startAll()
	leader := net.waitLeader("ch1")
	for i := 0; i < 3; i++ {
		leader.order("ch1", fmt.Sprint(i))
	}
	net.waitHeight("ch1", 4, first...)

	third := net.addNode()
	grown := net.config(net.nodes...)
	leader.configure("ch1", grown, 1)
	net.waitHeight("ch1", 5, first...)

	// The new node was given the ledger so far.
	s := newFakeSupport("ch1", grown, leader.supports["ch1"].Block(0))
	s.sequence = 1
	for number := uint64(1); number < 5; number++ {
		require.NoError(t, s.Append(leader.supports["ch1"].Block(number)))
	}
	third.supports["ch1"] = s
	third.start()
	require.Positive(t, third.logs.FilterMessage("Starting raft node to join an existing channel").Len())
	net.waitLeader("ch1")
	third.order("ch1", "through the new node")
	net.waitHeight("ch1", 6, net.nodes...)
	net.requireSameLedgers("ch1", net.nodes...)

	require.Equal(t, []uint64{1, 2, 3}, s.raftMetadata(t, 5).ConsenterIds)
	require.EqualValues(t, 4, s.raftMetadata(t, 5).NextConsenterId)
	leader = net.waitLeader("ch1")
	net.eventually(func() bool { return len(leader.chain("ch1").activeNodes()) == 3 }, "the leader does not see three active nodes")
	follower := net.others(leader)[0]
	net.eventually(func() bool { return len(follower.chain("ch1").activeNodes()) == 3 }, "followers do not learn who is active")
}

func TestAFollowerIsRemovedStopsAndIsWatched(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	leader := net.waitLeader("ch1")
	leader.order("ch1", "0")
	removed := net.others(leader)[0]
	rest := net.others(removed)
	leader.configure("ch1", net.config(rest...), 1)
	net.waitHeight("ch1", 3, rest...)
	leader.order("ch1", "without")
	net.waitHeight("ch1", 4, rest...)
	require.Len(t, leader.supports["ch1"].raftMetadata(t, 3).ConsenterIds, 2)
	if removed.chain("ch1").running() != nil { // it got the change of members before it was left alone
		net.eventually(func() bool { return removed.tracked.has("ch1") }, "the channel is not watched")
	}
}

func TestALeaderThatIsRemovedHandsOverFirst(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	old := net.waitLeader("ch1")
	rest := net.others(old)
	old.configure("ch1", net.config(rest...), 1)
	net.waitHeight("ch1", 2, rest...)
	require.Positive(t, old.logs.FilterMessage("Detected eviction of ourselves from the configuration").Len())
	require.Positive(t, old.logs.FilterMessageSnippet("Transferring leadership to").Len())
	net.waitLeaderAmong("ch1", rest)
	rest[0].order("ch1", "after")
	net.waitHeight("ch1", 3, rest...)
	net.requireSameLedgers("ch1", rest...)
}

func TestACertificateIsRotatedWithoutAChangeOfMembers(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	leader := net.waitLeader("ch1")
	rotated := net.others(leader)[0]
	id := rotated.chain("ch1").id
	rotated.pair = net.ca.Issue(t, "rotated")
	config := net.config(net.nodes...)
	leader.configure("ch1", config, 1)
	net.waitHeight("ch1", 2, net.others(rotated)...)

	bm := leader.supports["ch1"].raftMetadata(t, 1)
	require.Equal(t, []uint64{1, 2, 3}, bm.ConsenterIds)
	require.EqualValues(t, 4, bm.NextConsenterId)
	require.Zero(t, bm.RaftIndex, "a block that sets ConsensusType carries the index of the block before")

	rotated.stop()
	// With its old certificate it may not have heard of the block; then its
	// channel is replicated before the chain starts.
	if s := rotated.supports["ch1"]; s.Height() == 1 {
		require.NoError(t, s.Append(leader.supports["ch1"].Block(1)))
		s.config, s.sequence = config, 1
	}
	rotated.start()
	require.Equal(t, id, rotated.chain("ch1").id)
	net.waitLeader("ch1")
	rotated.order("ch1", "with the new certificate")
	net.waitHeight("ch1", 3, net.nodes...)
	net.requireSameLedgers("ch1", net.nodes...)
}

func TestALeaderWhoseCertificateIsRotatedHandsOverFirst(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	old := net.waitLeader("ch1")
	rest := net.others(old)
	old.pair = net.ca.Issue(t, "rotated")
	old.configure("ch1", net.config(net.nodes...), 1)
	net.waitHeight("ch1", 2, rest...)
	require.Positive(t, old.logs.FilterMessage("Detected certificate rotation of our node").Len())
	require.Positive(t, old.logs.FilterMessageSnippet("Transferring leadership to").Len())
	net.waitLeaderAmong("ch1", rest)
	rest[0].order("ch1", "after")
	net.waitHeight("ch1", 3, rest...)
	net.requireSameLedgers("ch1", rest...)
}

func (n *network) waitLeaderAmong(channel string, nodes []*testNode) {
	n.t.Helper()
	n.eventually(func() bool {
		for _, node := range nodes {
			if c := node.chain(channel); c.lead.Load() == c.id && isOpen(&c.ready) {
				return true
			}
		}
		return false
	}, "no leader of %s among the rest", channel)
}

func TestABlockThatSetsConsensusTypeCarriesTheOldIndexOthersTheirOwn(t *testing.T) {
	net := newNetwork(t, 1)
	config := net.config(net.nodes...)
	net.addChannel("ch1", config, net.nodes)
	node := net.nodes[0]
	node.start()
	net.waitLeader("ch1")
	node.order("ch1", "1")
	net.waitHeight("ch1", 2, node)
	changed := proto.Clone(config).(*etcdraft.ConfigMetadata)
	changed.Options.SnapshotIntervalSize = 1 << 20
	node.configure("ch1", changed, 1)
	net.waitHeight("ch1", 3, node)
	node.configure("ch1", changed, 0) // does not touch it
	net.waitHeight("ch1", 4, node)
	node.order("ch1", "4")
	net.waitHeight("ch1", 5, node)

	s := node.supports["ch1"]
	index := func(number uint64) uint64 { return s.raftMetadata(t, number).RaftIndex }
	require.Equal(t, index(1), index(2))
	require.Equal(t, index(1)+2, index(3))
	require.Equal(t, index(1)+3, index(4))
	require.Positive(t, node.logs.FilterMessage("Update snapshot interval size to 1048576 bytes (was 16777216)").Len())

	// So its entry is applied again after a restart, and skipped by its number.
	changed.Options.SnapshotIntervalSize++
	node.configure("ch1", changed, 2)
	net.waitHeight("ch1", 6, node)
	node.stop()
	node.start()
	net.waitLeader("ch1")
	require.Equal(t, 1, node.logs.FilterMessage("Got block [5], expect block [6], this node was forced to catch up").Len())
	require.EqualValues(t, 6, s.Height())
}

func TestANodeThatIsNoConsenterGetsAnInactiveChain(t *testing.T) {
	net := newNetwork(t, 2)
	net.addChannel("ch1", net.config(net.nodes[0]), net.nodes)
	outsider := net.nodes[1]
	outsider.start()
	require.EqualError(t, outsider.chains["ch1"].WaitReady(), "channel ch1 is not serviced by me")
	require.True(t, outsider.tracked.has("ch1"))

	outsider.consenter.RemoveInactiveChainRegistry()
	s := outsider.supports["ch1"]
	_, err := outsider.consenter.HandleChain(s, s.lastMetadata(t))
	require.EqualError(t, err, "without a system channel, a follower should have been created: not in the channel")
}

func TestHandleChainRefusesWhatItCannotRunWith(t *testing.T) {
	net := newNetwork(t, 1)
	node := net.nodes[0]
	node.start()
	for _, tc := range []struct {
		name   string
		change func(*etcdraft.ConfigMetadata)
		want   string
	}{
		{"no options", func(c *etcdraft.ConfigMetadata) { c.Options = nil }, raftmetadata.ErrNoOptions.Error()},
		{"a bad tick interval", func(c *etcdraft.ConfigMetadata) { c.Options.TickInterval = "soon" }, "failed to parse TickInterval (soon)"},
		{"ticks that the library would refuse", func(c *etcdraft.ConfigMetadata) { c.Options.ElectionTick = 1 }, "must be greater than HeartbeatTick"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := net.config(node)
			tc.change(config)
			s := newFakeSupport("ch1", config)
			_, err := node.consenter.HandleChain(s, s.lastMetadata(t))
			require.ErrorContains(t, err, tc.want)
		})
	}
	t.Run("a last block that Kafka wrote after the type change", func(t *testing.T) {
		s := newFakeSupport("ch1", net.config(net.addNode(), node))
		s.WriteBlock(protoutil.NewBlockOf(1, protoutil.BlockHeaderHash(s.Block(0).Header), nil), []byte{8, 5})
		_, err := node.consenter.HandleChain(s, s.lastMetadata(t))
		require.ErrorContains(t, err, "the last block was not written by Raft")
	})
}

func TestAConsenterWithABrokenCertificateDoesNotKeepTheOthersFromServing(t *testing.T) {
	net := newNetwork(t, 3)
	config := net.config(net.nodes...)
	config.Consenters[2].ClientTlsCert = []byte("pasted in a hurry")
	net.addChannel("ch1", config, net.nodes)
	two := net.nodes[:2]
	for _, node := range two {
		node.start()
	}
	net.waitLeader("ch1")
	two[1].order("ch1", "without the third")
	net.waitHeight("ch1", 2, two...)
	require.Positive(t, two[0].logs.FilterMessage(
		"Rejecting PEM block of client TLS cert for node 3, offending PEM is: pasted in a hurry").Len())
}
