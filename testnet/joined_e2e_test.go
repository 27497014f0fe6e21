package testnet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
	"raftmig/testnet/clone"
	"raftmig/testnet/clone/source"
)

// joined is a network without system channel.
func joined(s Spec) Spec {
	s.Consensus, s.NoSystemChannel = ConsensusRaft, true
	return s
}

func TestANetworkWithoutSystemChannelIsMade(t *testing.T) {
	n, err := Init(filepath.Join(t.TempDir(), "net"), joined(Spec{OrdererOrgs: 2}))
	require.NoError(t, err)
	require.Empty(t, n.Inventory.SystemChannel)
	require.True(t, n.Inventory.NoSystemChannel)
	require.Empty(t, n.Inventory.Brokers)
	require.NotContains(t, n.Inventory.Clients, "")
	require.NoFileExists(t, filepath.Join(n.Dir, genesisFile))
	for _, c := range n.Manifest.Channels {
		data, err := os.ReadFile(filepath.Join(n.Dir, c.Genesis))
		require.NoError(t, err)
		block, err := protoutil.UnmarshalBlock(data)
		require.NoError(t, err)
		id, err := protoutil.ChannelIDOf(block)
		require.NoError(t, err)
		require.Equal(t, c.Name, id)
		require.Contains(t, c.Client.MSPDir, "User1@")
	}
	conf, err := localconfig.Load(filepath.Join(n.Dir, "orderers", "orderer0"), nil)
	require.NoError(t, err)
	require.Equal(t, "none", conf.General.BootstrapMethod)
	require.True(t, conf.ChannelParticipation.Enabled)
	require.True(t, conf.Admin.TLS.ClientAuthRequired)
	require.FileExists(t, filepath.Join(n.Dir, "orderers", "orderer0", conf.Admin.TLS.PrivateKey), "relative to the node's working folder")
	requireNoLooseKeys(t, n.Dir)
	_, err = inventory.Load(n.InventoryFile())
	require.NoError(t, err)
}

func TestWhatANetworkOnRaftCannotHaveIsRefused(t *testing.T) {
	for _, c := range []struct {
		s    Spec
		want string
	}{
		{Spec{NoSystemChannel: true}, "on Kafka channels are created through a system channel"},
		{Spec{Consensus: "solo"}, `consensus "solo": kafka or etcdraft`},
		{joined(Spec{SystemChannel: "sys"}), "system channel sys: the network is to have none"},
		{joined(Spec{Channels: []string{}}), "needs an application channel"},
		{Spec{Consensus: ConsensusRaft, Brokers: 3}, "has no Kafka"},
		{Spec{Consensus: ConsensusRaft, Kafka: KafkaApache}, "has no Kafka"},
	} {
		dir := filepath.Join(t.TempDir(), "net")
		_, err := Init(dir, c.s)
		require.ErrorContains(t, err, c.want)
		require.NoDirExists(t, dir)
	}
}

func TestAnOrdererThatCannotJoinIsRefusedBeforeAnythingIsMade(t *testing.T) {
	for _, c := range []struct{ says, want string }{
		{"orderer:\n Version: 2.2.15\n", "is of Fabric 2.2; orderers join channels from 2.3 on"},
		{"orderer:\n Version: v1.4.12\n", "is of Fabric 1.4"},
		{"orderer:\n Version: v2.5.16\n", ""},
		{"orderer:\n Version: latest\n", ""},
	} {
		bin := filepath.Join(t.TempDir(), "orderer")
		require.NoError(t, os.WriteFile(bin, []byte("#!/bin/sh\nprintf '"+c.says+"'\n"), 0o700))
		_, err := Init(filepath.Join(t.TempDir(), "net"), joined(Spec{OrdererBin: bin}))
		if c.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.want)
		}
	}
}

func TestOrderersJoinTheirChannelsAndOutliveFaults(t *testing.T) {
	ctx, n := running(t, joined(Spec{Channels: []string{"ch1", "ch2"}}))
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 20) // a leader that dies takes with it what is in no block yet
	s, err := n.Status(ctx)
	require.NoError(t, err)
	require.Len(t, s.Channels, 2)
	for _, c := range s.Channels {
		require.Equal(t, "etcdraft", c.Type)
		require.False(t, c.System)
	}
	require.NoError(t, n.Inject(ctx, FaultKill, "orderer1"))
	require.NoError(t, n.Up(ctx, nil))
	require.NoError(t, n.CreateChannels(ctx, nil), "who has joined joins no second time")
	o := n.Manifest.Orderers[1]
	require.NoError(t, n.join(ctx, o, n.Manifest.Channels[0]))
	bad := n.Manifest.Channels[0]
	bad.Genesis = "manifest.json"
	require.ErrorContains(t, n.join(ctx, o, bad), "orderer1 does not join: 400 Bad Request")
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 40)

	// Its clone has no system channel either.
	r, err := source.Network(ctx, n.InventoryFile())
	require.NoError(t, err)
	require.NoError(t, n.Down(ctx, nil))
	shape, err := clone.Read(r.Sources, r.Known)
	require.NoError(t, err)
	require.Empty(t, shape.SystemChannel)
	ctx, twin := runningClone(t, r, Spec{})
	require.Equal(t, n.OrdererNames(), twin.OrdererNames())
	send(ctx, t, twin, 20)
	requireAgreement(ctx, t, twin, 20)
}

func TestInteropFabricsOrderersJoinChannels(t *testing.T) {
	bin := fabrictest.Bin(t, "orderer")
	fabrictest.Since(t, 2, 3, "the channel participation API")
	ctx, n := running(t, joined(Spec{OrdererBin: bin, OrdererBinNodes: []string{"orderer0", "orderer2"}}))
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 20)
	require.NoError(t, n.Down(ctx, nil))
	require.NoError(t, n.Up(ctx, nil))
	require.NoError(t, n.CreateChannels(ctx, nil))
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 40)
}

func TestANetworkBeginsOnRaftWithASystemChannelToo(t *testing.T) {
	ctx, n := running(t, Spec{Consensus: ConsensusRaft, OrdererOrgs: 3, Channels: []string{"ch1"}})
	ct, md := &ab.ConsensusType{}, &etcdraft.ConfigMetadata{}
	require.NoError(t, proto.Unmarshal(genesisOf(t, n).Groups["Orderer"].Values["ConsensusType"].Value, ct))
	require.Equal(t, "etcdraft", ct.Type)
	require.NoError(t, proto.Unmarshal(ct.Metadata, md))
	require.Len(t, md.Consenters, 3)
	require.Equal(t, "100ms", md.Options.TickInterval)
	for i, o := range n.Manifest.Orderers {
		require.EqualValues(t, o.Port, md.Consenters[i].Port)
	}
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 20)
}
