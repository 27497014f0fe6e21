package server

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// lastConfig asks an orderer for a channel's configuration in force.
func (r *running) lastConfig(channel string, signer protoutil.Signer) (*cb.Config, *cb.Block) {
	r.t.Helper()
	newest := &ab.SeekPosition{Type: &ab.SeekPosition_Newest{Newest: &ab.SeekNewest{}}}
	blocks, status := r.deliver(channel, signer, &ab.SeekInfo{Start: newest, Stop: newest, ErrorResponse: ab.SeekInfo_BEST_EFFORT})
	require.Equal(r.t, cb.Status_SUCCESS, status)
	index, err := protoutil.LastConfigIndex(blocks[0])
	require.NoError(r.t, err)
	blocks, status = r.deliver(channel, signer, &ab.SeekInfo{Start: specified(index), Stop: specified(index), ErrorResponse: ab.SeekInfo_BEST_EFFORT})
	require.Equal(r.t, cb.Status_SUCCESS, status)
	env, err := protoutil.EnvelopeAt(blocks[0], 0)
	require.NoError(r.t, err)
	e, err := protoutil.ConfigEnvelope(env)
	require.NoError(r.t, err)
	return e.Config, blocks[0]
}

// tryConsensus submits an update of ConsensusType and returns the answer.
func (r *running) tryConsensus(channel string, change func(*ab.ConsensusType)) *ab.BroadcastResponse {
	r.t.Helper()
	admin := r.OrdererAdmin()
	config, _ := r.lastConfig(channel, admin)
	c := fixture.ConsensusType(r.t, config)
	change(c)
	return r.broadcast(r.SignedUpdate(fixture.OrdererUpdate(channel, config, map[string]proto.Message{channelconfig.ConsensusTypeKey: c}), admin, admin))
}

// changeConsensus submits an update of ConsensusType and waits for its block.
func (r *running) changeConsensus(channel string, change func(*ab.ConsensusType)) *cb.Block {
	r.t.Helper()
	admin := r.OrdererAdmin()
	config, before := r.lastConfig(channel, admin)
	c := fixture.ConsensusType(r.t, config)
	change(c)
	update := fixture.OrdererUpdate(channel, config, map[string]proto.Message{channelconfig.ConsensusTypeKey: c})
	r.accepted(r.SignedUpdate(update, admin, admin))
	var after *cb.Block
	require.Eventually(r.t, func() bool {
		_, after = r.lastConfig(channel, admin)
		return after.Header.Number > before.Header.Number
	}, patience, tick)
	return after
}

// startAll starts the first count orderers of the network.
func (n *network) startAll(count int, more string) []*running {
	var nodes []*running
	for i := range count {
		nodes = append(nodes, n.start(i, more))
	}
	return nodes
}

// awaitConfig waits until a node has a channel's config block of that number.
func (r *running) awaitConfig(channel string, number uint64) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		_, b := r.lastConfig(channel, r.OrdererAdmin())
		return b.Header.Number >= number
	}, patience, tick)
}

// switchType takes channels into maintenance mode and to etcdraft, on all
// nodes, and stops them.
func switchType(nodes []*running, metadata []byte, channels ...string) {
	o := nodes[0]
	for _, ch := range channels {
		o.changeConsensus(ch, func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_MAINTENANCE })
	}
	for _, ch := range channels {
		block := o.changeConsensus(ch, func(c *ab.ConsensusType) { c.Type, c.Metadata = "etcdraft", metadata })
		md, err := protoutil.ConsenterMetadata(block)
		require.NoError(o.t, err)
		require.Empty(o.t, md.Value, "the block that changes the type has no consenter metadata")
		for _, other := range nodes[1:] { // all must have it before they stop
			other.awaitConfig(ch, block.Header.Number)
		}
	}
	for _, r := range nodes {
		r.stop()
		<-r.ended
		require.NoError(o.t, r.err)
	}
}

func leaveMaintenance(o *running, channels ...string) {
	for _, ch := range channels {
		o.changeConsensus(ch, func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_NORMAL })
	}
}

// createCh1 creates channel ch1 and waits for it.
func (r *running) createCh1() {
	r.awaitLog("Start phase completed successfully")
	r.accepted(r.Creation())
	r.blocks("ch1", r.OrgUser("User1"), 0)
}

func TestMigrationFromKafkaToRaft(t *testing.T) {
	n := newNetwork(t)
	migrate(t, n, func() []*running { return n.startAll(3, "") })
}

// TestInteropMigrationTogetherWithRealOrderers has real orderers in the same topics
// and in the same Raft cluster.
func TestInteropMigrationTogetherWithRealOrderers(t *testing.T) {
	fabrictest.Bin(t, "orderer")
	for _, ours := range []int{0, 1} {
		t.Run(fmt.Sprintf("orderer %d is ours", ours), func(t *testing.T) {
			n := newNetworkForFabric(t)
			migrate(t, n, func() []*running {
				var nodes []*running
				for i := range 3 {
					if i == ours {
						nodes = append(nodes, n.start(i, ""))
					} else {
						nodes = append(nodes, n.startFabric(i))
					}
				}
				return nodes
			})
		})
	}
}

// TestInteropNodesChangeHands starts real orderers on the folders that ours have
// left and the other way round, on Kafka and on Raft, with logs and snapshots.
func TestInteropNodesChangeHands(t *testing.T) {
	n := newNetworkForFabric(t)
	user, admin := n.OrgUser("User1"), n.OrdererAdmin()
	sets := map[bool]func() []*running{
		true:  func() []*running { return []*running{n.start(0, ""), n.startFabric(1), n.start(2, "")} },
		false: func() []*running { return []*running{n.startFabric(0), n.start(1, ""), n.startFabric(2)} },
	}
	stop := func(nodes []*running) {
		for _, r := range nodes {
			r.stop()
			<-r.ended
		}
	}
	check := func(nodes []*running, text string) []*running {
		t.Helper()
		nodes[1].accepted(n.Message("ch1", user, text))
		var blocks []*cb.Block
		require.Eventually(t, func() bool {
			blocks = nodes[0].chain("ch1", admin)
			return slices.Contains(contents(t, blocks), text)
		}, patience, tick)
		for _, r := range nodes[1:] {
			requireSameBlocks(t, blocks, r.blocks("ch1", admin, uint64(len(blocks))-1))
		}
		return nodes
	}
	nodes := sets[true]()
	nodes[0].createCh1()
	stop(check(nodes, "first"))
	nodes = check(sets[false](), "second")
	switchType(nodes, n.snapshotsOften(n.RaftMetadata(n.ports...)), "syschannel", "ch1")
	nodes = sets[true]()
	for _, r := range nodes {
		r.awaitLog("Raft leader changed: 0 -> ")
	}
	leaveMaintenance(nodes[0], "syschannel", "ch1")
	stop(check(nodes, "third"))
	nodes = check(sets[false](), "fourth")
	stop(nodes)
	check(sets[true](), "fifth")
	for i := range 3 {
		snapshots, err := filepath.Glob(n.Path(fmt.Sprintf("o%d/etcdraft/snapshot/ch1/*.snap", i)))
		require.NoError(t, err)
		require.NotEmpty(t, snapshots, "orderer %d", i)
	}
}

// snapshotsOften changes Raft metadata: a snapshot after each block.
func (n *network) snapshotsOften(metadata []byte) []byte {
	m := &etcdraft.ConfigMetadata{}
	require.NoError(n.t, proto.Unmarshal(metadata, m))
	m.Options.SnapshotIntervalSize = 1
	return protoutil.MustMarshal(m)
}

// migrate takes a network through a whole migration; start starts its three nodes.
func migrate(t *testing.T, n *network, start func() []*running) {
	nodes := start()
	o := nodes[0]
	o.createCh1()
	user := n.OrgUser("User1")
	o.accepted(n.Message("ch1", user, "before"))
	before := o.blocks("ch1", user, 1)
	for _, other := range nodes[1:] {
		requireSameBlocks(t, before, other.blocks("ch1", user, 1))
	}
	o.changeConsensus("ch1", func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_MAINTENANCE })
	resp := o.broadcast(n.Message("ch1", user, "refused"))
	require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, resp.Status)
	require.Equal(t, "normal transactions are rejected: maintenance mode", resp.Info)
	_, status := o.deliver("ch1", user, newestOnly)
	require.Equal(t, cb.Status_FORBIDDEN, status)
	o.changeConsensus("ch1", func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_NORMAL }) // A4: abort

	switchType(nodes, n.RaftMetadata(n.ports...), "syschannel", "ch1")
	nodes = start()
	for _, r := range nodes {
		r.awaitLog("Raft leader changed: 0 -> ")
		require.Contains(t, r.log.String(), "Consensus-type migration detected, starting new raft node on an existing channel")
		require.NotContains(t, r.log.String(), "[orderer.consensus.kafka]", "no Kafka chain after the migration")
	}
	leaveMaintenance(nodes[0], "syschannel", "ch1")
	for i, r := range nodes {
		r.accepted(n.Message("ch1", user, fmt.Sprint("after ", i)))
	}
	const last = 7 // genesis, tx, in, out, in, type, out, and at least one block for three transactions
	after := nodes[0].blocks("ch1", user, last)
	require.Equal(t, before, after[:2], "what Kafka ordered is untouched")
	for _, other := range nodes[1:] {
		requireSameBlocks(t, after, other.blocks("ch1", user, last))
	}
}

// requireSameBlocks compares what all orderers must agree on.
func requireSameBlocks(t *testing.T, want, got []*cb.Block) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, protoutil.BlockHeaderHash(want[i].Header), protoutil.BlockHeaderHash(got[i].Header), "block %d", i)
	}
}

// C13 and C14 of spec 2.7: a node that was never part of the Kafka network
// starts from the system channel's config block.
func TestANewNodeJoinsAfterTheMigration(t *testing.T) {
	n := newNetwork(t)
	nodes := n.startAll(2, "")
	nodes[0].createCh1()
	switchType(nodes, n.RaftMetadata(n.ports[:2]...), "syschannel")
	nodes = n.startAll(2, "")
	o := nodes[0]
	o.awaitLog("Raft leader changed: 0 -> ")
	require.Contains(t, o.log.String(), "This node was migrated from Kafka to Raft, skipping activation of Kafka chain",
		"a channel left behind is not serviced")
	resp := o.broadcast(n.Message("ch1", n.OrgUser("User1"), "x"))
	require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, resp.Status)
	require.Equal(t, "channel ch1 is not serviced by me", resp.Info)

	leaveMaintenance(o, "syschannel")
	block := o.changeConsensus("syschannel", func(c *ab.ConsensusType) { c.Metadata = n.RaftMetadata(n.ports...) })
	require.NoError(t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(block), 0o600))
	joined := n.start(2, "")
	require.Contains(t, joined.log.String(), "replication is needed")
	joined.awaitLog("Raft leader changed: 0 -> ")
	requireSameBlocks(t, o.blocks("syschannel", n.OrdererAdmin(), block.Header.Number), joined.blocks("syschannel", n.OrdererAdmin(), block.Header.Number))
}
