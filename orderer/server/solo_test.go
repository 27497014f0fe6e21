package server

import (
	"os"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// soloNetwork is a network whose system channel begins on solo.
func soloNetwork(t *testing.T) *network {
	n := newNetwork(t)
	n.writeGenesis(func(c *cb.Config) { makeSolo(n, c) })
	return n
}

func makeSolo(_ *network, c *cb.Config) {
	fixture.OrdererValues(c)[channelconfig.ConsensusTypeKey].Value = protoutil.MustMarshal(&ab.ConsensusType{Type: "solo"})
}

// A solo orderer is now a real one and now ours, on the same folder, up to and
// after the migration.
func TestInteropASoloNodeChangesHands(t *testing.T) {
	fabricBinary(t, "orderer")
	for name, order := range map[string][4]bool{"ours begins": {true, false, true, false}, "a real one begins": {false, true, false, true}} {
		t.Run(name, func(t *testing.T) {
			n := newNetworkForFabric(t, makeSolo)
			user, admin := n.OrgUser("User1"), n.OrdererAdmin()
			start := func(i int) *running {
				if order[i] {
					return n.start(0, "")
				}
				return n.startFabric(0)
			}
			o := start(0)
			o.accepted(n.Creation())
			o.blocks("ch1", user, 0)
			o.accepted(n.Message("ch1", user, "first"))
			o.blocks("ch1", user, 1)
			o.stop()
			<-o.ended

			o = start(1)
			o.accepted(n.Message("ch1", user, "second"))
			o.blocks("ch1", user, 2)
			for _, ch := range []string{"syschannel", "ch1"} {
				o.changeConsensus(ch, func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_MAINTENANCE })
				block := o.changeConsensus(ch, func(c *ab.ConsensusType) { c.Type, c.Metadata = "etcdraft", n.RaftMetadata(n.ports[0]) })
				md, err := protoutil.ConsenterMetadata(block)
				require.NoError(t, err)
				require.Empty(t, md.Value)
			}
			before := o.chain("ch1", admin)
			o.stop()
			<-o.ended

			o = start(2)
			o.awaitLog("Raft leader changed: 0 -> 1")
			leaveMaintenance(o, "syschannel", "ch1")
			o.accepted(n.Message("ch1", user, "third"))
			last := uint64(len(before)) + 1
			after := o.blocks("ch1", admin, last)
			require.Equal(t, before, after[:len(before)])
			o.stop()
			<-o.ended

			o = start(3)
			o.awaitLog("Raft leader changed: 0 -> 1")
			o.accepted(n.Message("ch1", user, "fourth"))
			requireSameBlocks(t, after, o.blocks("ch1", admin, last+1)[:last+1])
		})
	}
}

// Scenario D of spec 2.7: a network with one solo orderer goes to Raft, and
// then gets a second orderer.
func TestMigrationFromSoloToRaft(t *testing.T) {
	n := soloNetwork(t)
	o, user, admin := n.start(0, ""), n.OrgUser("User1"), n.OrdererAdmin()
	require.Contains(t, o.log.String(), "Starting with system channel: syschannel, consensus type: solo")
	o.accepted(n.Creation())
	o.blocks("ch1", user, 0)
	o.accepted(n.Message("ch1", user, "before"))
	before := o.blocks("ch1", user, 1)

	for _, ch := range []string{"syschannel", "ch1"} { // B1 and B2: not without maintenance mode
		require.Equal(t, cb.Status_BAD_REQUEST, o.tryConsensus(ch, func(c *ab.ConsensusType) { c.Type, c.Metadata = "etcdraft", n.RaftMetadata(n.ports[0]) }).Status)
	}
	o.changeConsensus("ch1", func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_MAINTENANCE })
	resp := o.broadcast(n.Message("ch1", user, "refused"))
	require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, resp.Status)
	require.Equal(t, "normal transactions are rejected: maintenance mode", resp.Info)
	_, status := o.deliver("ch1", user, newestOnly)
	require.Equal(t, cb.Status_FORBIDDEN, status)
	o.changeConsensus("ch1", func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_NORMAL })

	switchType([]*running{o}, n.RaftMetadata(n.ports[0]), "syschannel", "ch1")
	o = n.start(0, "")
	o.awaitLog("Raft leader changed: 0 -> 1")
	require.Equal(t, 2, strings.Count(o.log.String(), "Consensus-type migration detected, starting new raft node on an existing channel"))
	require.NotContains(t, o.log.String(), "[orderer.consensus.solo]", "no solo chain after the migration")
	leaveMaintenance(o, "syschannel", "ch1")
	o.accepted(n.Message("ch1", user, "after"))
	const last = 7 // genesis, tx, in, out, in, type, out, tx
	after := o.blocks("ch1", user, last)
	require.Equal(t, before, after[:2], "what solo ordered is untouched")

	// D13 to D19
	add := func(c *ab.ConsensusType) { c.Metadata = n.RaftMetadata(n.ports[:2]...) }
	boot := o.changeConsensus("syschannel", add)
	require.NoError(t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(boot), 0o600))
	o.awaitLog("1 stepped down to follower since quorum is not active")
	o.awaitLog("No leader is present, cluster size is 2")
	joined := n.launchWith(1, "", func(*localconfig.TopLevel) {}, func(o *Options) { o.firstLook = tick })
	joined.awaitLog("Raft leader changed: 0 -> ")
	joined.awaitLog("This node was migrated from solo to Raft, skipping activation of solo chain")
	o.changeConsensus("ch1", add)
	requireSameBlocks(t, o.blocks("ch1", admin, last+1), joined.blocks("ch1", admin, last+1))
}

// A node of one engine is added to a migrated network of the other: it starts
// from the system channel's config block and fetches the blocks before it, and
// then ch1, where it becomes a consenter later (C13 and C14 of spec 2.7).
func TestInteropANewNodeJoinsNodesOfTheOtherEngine(t *testing.T) {
	fabricBinary(t, "orderer")
	for name, start := range map[string]struct {
		there, added func(n *network, i int) *running
	}{
		"Fabric's joins ours": {func(n *network, i int) *running { return n.start(i, "") }, (*network).startFabric},
		"ours joins Fabric's": {(*network).startFabric, func(n *network, i int) *running { return n.start(i, "") }},
	} {
		t.Run(name, func(t *testing.T) {
			// Without its own address: a real orderer would wait for itself, seven
			// seconds each time that it asks the others for their heights.
			n := newNetworkForFabric(t, func(n *network, c *cb.Config) { fixture.SetAddresses(c, n.addresses()[:2]...) })
			all := func() []*running { return []*running{start.there(n, 0), start.there(n, 1)} }
			nodes := all()
			nodes[0].createCh1()
			for _, r := range nodes {
				r.blocks("ch1", n.OrgUser("User1"), 0)
			}
			switchType(nodes, n.RaftMetadata(n.ports[:2]...), "syschannel", "ch1")
			nodes = all()
			o, admin := nodes[0], n.OrdererAdmin()
			for _, r := range nodes {
				r.awaitLog("Raft leader changed: 0 -> ")
			}
			leaveMaintenance(o, "syschannel", "ch1")
			grow := func(c *ab.ConsensusType) { c.Metadata = n.RaftMetadata(n.ports...) }
			block := o.changeConsensus("syschannel", grow)
			require.NoError(t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(block), 0o600))
			joined := start.added(n, 2)
			requireSameBlocks(t, o.blocks("syschannel", admin, block.Header.Number), joined.blocks("syschannel", admin, block.Header.Number))
			block = o.changeConsensus("ch1", grow)
			o.accepted(n.Message("ch1", n.OrgUser("User1"), "for three"))
			last := block.Header.Number + 1
			want := o.blocks("ch1", admin, last)
			require.Eventually(t, func() bool {
				blocks, status := joined.deliver("ch1", admin, &ab.SeekInfo{Start: specified(last), Stop: specified(last), Behavior: ab.SeekInfo_FAIL_IF_NOT_READY})
				return status == cb.Status_SUCCESS && len(blocks) == 1
			}, 2*patience, tick, "it becomes a consenter of ch1")
			requireSameBlocks(t, want, joined.blocks("ch1", admin, last))
		})
	}
}
