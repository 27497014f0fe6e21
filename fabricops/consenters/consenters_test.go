package consenters_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

func network(crypto fakenet.Crypto) *inventory.Network {
	n := &inventory.Network{}
	for i, address := range []string{"localhost:7050", "localhost:7150", "localhost:7250"} {
		n.Orderers = append(n.Orderers, inventory.Orderer{
			Process:    inventory.Process{Name: "orderer" + string(rune('0'+i)), Address: address},
			ServerCert: filepath.Join(crypto.OrdererTLS(i), "server.crt"),
			ClientCert: filepath.Join(crypto.OrdererTLS(i), "server.crt"),
		})
	}
	return n
}

func lastConfig(t *testing.T, blocks []*cb.Block) *channelcfg.View {
	index, err := protoutil.LastConfigIndex(blocks[len(blocks)-1])
	require.NoError(t, err)
	v, err := channelcfg.FromBlock(blocks[index])
	require.NoError(t, err)
	return v
}

// The metadata that was put into the fixture network by hand, with jq.
func TestMetadataEqualsThatOfARealMigration(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	theirs := lastConfig(t, fakenet.Ledger(t, "2.2.15", fakenet.TypeSwitched, fakenet.Channel))
	want := &etcdraft.ConfigMetadata{}
	require.NoError(t, proto.Unmarshal(theirs.Consensus.Metadata, want))
	inv := network(crypto)
	tick, err := time.ParseDuration(want.Options.TickInterval)
	require.NoError(t, err)
	inv.Raft = inventory.Raft{
		TickInterval: tick, ElectionTick: want.Options.ElectionTick, HeartbeatTick: want.Options.HeartbeatTick,
		MaxInflightBlocks: want.Options.MaxInflightBlocks, SnapshotIntervalSize: want.Options.SnapshotIntervalSize,
	}
	ours, err := consenters.Build(inv)
	require.NoError(t, err)
	require.Equal(t, theirs.Consensus.Metadata, ours.Bytes)
	require.Equal(t, theirs.MetadataHash(), ours.Hash)
	again, err := consenters.Build(inv)
	require.NoError(t, err)
	require.Equal(t, ours, again)
}

func TestDefaultsAreFabrics(t *testing.T) {
	md, err := consenters.Build(network(fakenet.NewCrypto(t)))
	require.NoError(t, err)
	require.Equal(t, "500ms", md.Options.TickInterval)
	require.EqualValues(t, 10, md.Options.ElectionTick)
	require.EqualValues(t, 1, md.Options.HeartbeatTick)
	require.EqualValues(t, 5, md.Options.MaxInflightBlocks)
	require.EqualValues(t, 16<<20, md.Options.SnapshotIntervalSize)
	require.Equal(t, "orderer1", md.Consenters[1].Node)
	require.Equal(t, md.Consenters[1].ServerCert, md.Consenters[1].ClientCert)
	require.EqualValues(t, 7150, md.Consenters[1].Port)
}

func TestConsentersAreJudgedByTheChannelsOrganizations(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	v := lastConfig(t, fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel))
	bundle, err := channelconfig.NewBundle(v.Channel, v.Config)
	require.NoError(t, err)
	ord, ok := bundle.OrdererConfig()
	require.True(t, ok)

	inv := network(crypto)
	md, err := consenters.Build(inv)
	require.NoError(t, err)
	require.NoError(t, consenters.Verify(md.Bytes, ord))
	untrusted, err := consenters.Untrusted(md, ord)
	require.NoError(t, err)
	require.Empty(t, untrusted)

	// An enrolment certificate, or that of another CA, in place of the TLS certificate.
	inv.Orderers[1].ClientCert = crypto.User().TLSCert
	md, err = consenters.Build(inv)
	require.NoError(t, err)
	require.ErrorContains(t, consenters.Verify(md.Bytes, ord), "certificate signed by unknown authority")
	untrusted, err = consenters.Untrusted(md, ord)
	require.NoError(t, err)
	require.Len(t, untrusted, 1)
	require.Contains(t, untrusted[0], "orderer1: consenter localhost:7150 has invalid certificate: verifying tls client cert")
}

func TestMetadataThatCannotBeBuilt(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	for name, tc := range map[string]struct {
		spoil func(*inventory.Network)
		want  string
	}{
		"no orderers":           {func(n *inventory.Network) { n.Orderers = nil }, "no orderers"},
		"two at one endpoint":   {func(n *inventory.Network) { n.Orderers[1].Address = "localhost:7050" }, "same cluster endpoint localhost:7050"},
		"no endpoint":           {func(n *inventory.Network) { n.Orderers[1].Address = "" }, "no cluster host and port"},
		"no certificate":        {func(n *inventory.Network) { n.Orderers[1].ServerCert += "x" }, "orderer1: server certificate: open"},
		"a file that is no PEM": {func(n *inventory.Network) { n.Orderers[1].ClientCert = write(t, "no") }, "is not PEM"},
		"a senseless election":  {func(n *inventory.Network) { n.Raft.ElectionTick = 1 }, "ElectionTick (1) must be greater than HeartbeatTick (1)"},
		"a key in place of a cert": {func(n *inventory.Network) {
			n.Orderers[1].ServerCert = filepath.Join(crypto.OrdererTLS(1), "server.key")
		}, "orderer1: server certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			inv := network(crypto)
			tc.spoil(inv)
			_, err := consenters.Build(inv)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func write(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
