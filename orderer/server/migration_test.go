package server

import (
	"fmt"
	"os"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
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

// ordererUpdate changes values of the Orderer group as a minimal update.
func ordererUpdate(channel string, config *cb.Config, values map[string]proto.Message) []byte {
	root := config.ChannelGroup
	group := root.Groups[channelconfig.OrdererGroup]
	write := &cb.ConfigGroup{Version: group.Version, Values: map[string]*cb.ConfigValue{}}
	for key, v := range values {
		old := group.Values[key]
		write.Values[key] = &cb.ConfigValue{Version: old.Version + 1, Value: protoutil.MustMarshal(v), ModPolicy: old.ModPolicy}
	}
	return protoutil.MustMarshal(&cb.ConfigUpdate{
		ChannelId: channel,
		ReadSet: &cb.ConfigGroup{Version: root.Version, Groups: map[string]*cb.ConfigGroup{
			channelconfig.OrdererGroup: {Version: group.Version},
		}},
		WriteSet: &cb.ConfigGroup{Version: root.Version, Groups: map[string]*cb.ConfigGroup{channelconfig.OrdererGroup: write}},
	})
}

func consensusType(t testing.TB, config *cb.Config) *ab.ConsensusType {
	c := &ab.ConsensusType{}
	require.NoError(t, proto.Unmarshal(config.ChannelGroup.Groups[channelconfig.OrdererGroup].Values[channelconfig.ConsensusTypeKey].Value, c))
	return c
}

// changeConsensus submits an update of ConsensusType and waits for its block.
func (r *running) changeConsensus(channel string, change func(*ab.ConsensusType)) *cb.Block {
	r.t.Helper()
	admin := r.ordererAdmin()
	config, before := r.lastConfig(channel, admin)
	c := consensusType(r.t, config)
	change(c)
	update := ordererUpdate(channel, config, map[string]proto.Message{channelconfig.ConsensusTypeKey: c})
	r.accepted(r.signedUpdate(channel, update, admin, admin))
	var after *cb.Block
	require.Eventually(r.t, func() bool {
		_, after = r.lastConfig(channel, admin)
		return after.Header.Number > before.Header.Number
	}, patience, tick)
	return after
}

// raftMetadata makes the first count orderers of the network consenters.
func (n *network) raftMetadata(ports []int) []byte {
	m := &etcdraft.ConfigMetadata{Options: &etcdraft.Options{
		TickInterval: "50ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 << 20,
	}}
	for i, port := range ports {
		cert, err := os.ReadFile(n.path(ordererOrg, "orderers", fmt.Sprintf("orderer%d.example.com", i), "tls/server.crt"))
		require.NoError(n.t, err)
		m.Consenters = append(m.Consenters, &etcdraft.Consenter{Host: "localhost", Port: uint32(port), ClientTlsCert: cert, ServerTlsCert: cert})
	}
	return protoutil.MustMarshal(m)
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
	o.accepted(n.creation())
	user, admin := n.orgUser("User1"), n.ordererAdmin()
	o.blocks("ch1", user, 0)
	o.accepted(n.message("ch1", user, "before"))
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
	resp := o.broadcast(n.message("ch1", user, "refused"))
	require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, resp.Status)
	require.Equal(t, "normal transactions are rejected: maintenance mode", resp.Info)
	_, status := o.deliver("ch1", user, newestOnly)
	require.Equal(t, cb.Status_FORBIDDEN, status)

	metadata := n.raftMetadata(ports)
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
		r.accepted(n.message("ch1", user, fmt.Sprint("after ", i)))
	}
	after := o.blocks("ch1", user, 5)
	require.Equal(t, before, after[:2], "what Kafka ordered is untouched")
	for _, other := range nodes[1:] {
		for i, b := range other.blocks("ch1", user, 5) {
			require.Equal(t, protoutil.BlockHeaderHash(after[i].Header), protoutil.BlockHeaderHash(b.Header))
		}
	}
}
