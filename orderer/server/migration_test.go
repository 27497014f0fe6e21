package server

import (
	"fmt"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
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

func TestMigrationFromKafkaToRaft(t *testing.T) {
	n := newNetwork(t)
	ports := []int{freePort(t), freePort(t), freePort(t)}
	var nodes []*running
	for i, p := range ports {
		nodes = append(nodes, n.start(i, p, ""))
	}
	o := nodes[0]
	o.awaitLog("Start phase completed successfully")
	o.accepted(n.Creation())
	user, admin := n.OrgUser("User1"), n.OrdererAdmin()
	o.blocks("ch1", user, 0)
	o.accepted(n.Message("ch1", user, "before"))
	before := o.blocks("ch1", user, 1)
	for _, other := range nodes[1:] {
		for i, b := range other.blocks("ch1", user, 1) {
			require.Equal(t, protoutil.BlockHeaderHash(before[i].Header), protoutil.BlockHeaderHash(b.Header), "all orderers make the same blocks")
		}
	}

	channels := []string{"syschannel", "ch1"}
	for _, ch := range channels {
		o.changeConsensus(ch, func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_MAINTENANCE })
	}
	resp := o.broadcast(n.Message("ch1", user, "refused"))
	require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, resp.Status)
	require.Equal(t, "normal transactions are rejected: maintenance mode", resp.Info)
	_, status := o.deliver("ch1", user, newestOnly)
	require.Equal(t, cb.Status_FORBIDDEN, status)

	metadata := n.RaftMetadata(ports...)
	for _, ch := range channels {
		block := o.changeConsensus(ch, func(c *ab.ConsensusType) { c.Type, c.Metadata = "etcdraft", metadata })
		md, err := protoutil.ConsenterMetadata(block)
		require.NoError(t, err)
		require.Empty(t, md.Value, "the block that changes the type has no consenter metadata")
		for _, other := range nodes[1:] { // all must have it before they stop
			require.Eventually(t, func() bool {
				_, b := other.lastConfig(ch, admin)
				return b.Header.Number == block.Header.Number
			}, patience, tick)
		}
	}
	for _, r := range nodes {
		r.shutdown()
	}

	for i, p := range ports {
		nodes[i] = n.start(i, p, "")
	}
	for _, r := range nodes {
		r.awaitLog("Raft leader changed: 0 -> ")
		require.Contains(t, r.log.String(), "Consensus-type migration detected, starting new raft node on an existing channel")
		require.NotContains(t, r.log.String(), "[orderer.consensus.kafka]", "no Kafka chain after the migration")
	}
	o = nodes[0]
	for _, ch := range channels {
		o.changeConsensus(ch, func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_NORMAL })
	}
	for i, r := range nodes {
		r.accepted(n.Message("ch1", user, fmt.Sprint("after ", i)))
	}
	after := o.blocks("ch1", user, 5)
	require.Equal(t, before, after[:2], "what Kafka ordered is untouched")
	for _, other := range nodes[1:] {
		for i, b := range other.blocks("ch1", user, 5) {
			require.Equal(t, protoutil.BlockHeaderHash(after[i].Header), protoutil.BlockHeaderHash(b.Header))
		}
	}
}
