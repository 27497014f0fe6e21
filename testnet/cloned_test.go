package testnet

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/policies/policydsl"
	"raftmig/orderer/protoutil"
	"raftmig/testnet/clone"
	"raftmig/testnet/clone/source"
)

// realBlocks are config blocks that real Fabric orderers wrote.
func realBlocks(t *testing.T, stem string) *source.Reading {
	t.Helper()
	r, err := source.Files([]string{"clone/testdata/" + stem + ".ch1.block", "clone/testdata/" + stem + ".syschannel.block"})
	require.NoError(t, err)
	return r
}

func cloneOf(t *testing.T, r *source.Reading, s Spec) *Network {
	t.Helper()
	shape, err := clone.Read(r.Sources, r.Known)
	require.NoError(t, err)
	n, err := Clone(filepath.Join(t.TempDir(), "twin"), s, shape, []string{"some.block"})
	require.NoError(t, err)
	return n
}

func TestACloneOfRealBlocksIsACompleteNetwork(t *testing.T) {
	for _, stem := range []string{"2.2.15.kafka", "2.5.16.kafka", "2.5.16.raft"} {
		t.Run(stem, func(t *testing.T) {
			n := cloneOf(t, realBlocks(t, stem), Spec{})
			require.Equal(t, []string{"orderer0", "orderer1", "orderer2"}, n.OrdererNames())
			require.Equal(t, "twin", n.Manifest.Name)
			require.Equal(t, []string{"ch1"}, n.Inventory.Channels)
			require.Equal(t, "syschannel", n.Inventory.SystemChannel)
			require.Equal(t, "OrdererMSP", n.Inventory.Admin.MSPID)
			require.Equal(t, "Org1MSP", n.Inventory.Clients["*"].MSPID)
			require.Contains(t, n.Inventory.Clients["*"].MSPDir, "User1@")
			require.Equal(t, []string{"some.block"}, n.Manifest.Clone.From)
			require.NotEmpty(t, n.Manifest.Clone.NotKept)
			if strings.HasSuffix(stem, "raft") {
				require.Empty(t, n.Inventory.Brokers)
				require.Nil(t, n.Inventory.Kafka)
			} else {
				require.Len(t, n.Inventory.Brokers[0].Addresses, 2)
			}
			for _, o := range n.Manifest.Orderers {
				conf, err := localconfig.Load(filepath.Join(n.Dir, "orderers", o.Name), nil)
				require.NoError(t, err)
				require.FileExists(t, conf.General.BootstrapFile)
			}
			requireNoLooseKeys(t, n.Dir)
			requireCreation(t, n, "ch1")
		})
	}
}

// requireCreation has the engine apply the creation of a channel and returns
// the configuration that the channel will have.
func requireCreation(t *testing.T, n *Network, channel string) *cb.ConfigGroup {
	t.Helper()
	newBundle := func(id string, c *cb.Config) (channelconfig.Resources, error) { return channelconfig.NewBundle(id, c) }
	system, err := newBundle(n.Manifest.Spec.SystemChannel, &cb.Config{ChannelGroup: genesisOf(t, n)})
	require.NoError(t, err)
	for _, c := range n.Manifest.Channels {
		if c.Name != channel {
			continue
		}
		env, err := n.creation(c)
		require.NoError(t, err)
		template, err := msgprocessor.Templator{NewBundle: newBundle, Logger: zap.NewNop().Sugar()}.NewChannelConfig(system, env)
		require.NoError(t, err)
		made, err := template.ConfigtxValidator().ProposeConfigUpdate(env)
		require.NoError(t, err)
		return made.Config.ChannelGroup
	}
	t.Fatalf("no channel %s", channel)
	return nil
}

// change replaces a value of the Orderer group of a source.
func change(t *testing.T, src clone.Source, key string, m proto.Message) {
	t.Helper()
	src.Config.ChannelGroup.Groups["Orderer"].Values[key].Value = protoutil.MustMarshal(m)
}

// A channel that has gone its own way since it was created is created that way
// at once, signed by all whose policies guard what differs.
func TestAChannelThatDiffersFromTheSystemChannelIsClonedWithItsDifferences(t *testing.T) {
	for _, capability := range []string{"V1_4_2", "V2_0"} {
		t.Run(capability, func(t *testing.T) {
			r := realBlocks(t, "2.5.16.kafka")
			ch1 := r.Sources[0]
			for _, src := range r.Sources {
				change(t, src, channelconfig.CapabilitiesKey, &cb.Capabilities{Capabilities: map[string]*cb.Capability{capability: {}}})
			}
			change(t, r.Sources[1], channelconfig.BatchTimeoutKey, &ab.BatchTimeout{Timeout: "700ms"})
			change(t, ch1, channelconfig.BatchSizeKey, &ab.BatchSize{MaxMessageCount: 7, AbsoluteMaxBytes: 20 << 20, PreferredMaxBytes: 1 << 20})
			change(t, ch1, channelconfig.BatchTimeoutKey, &ab.BatchTimeout{Timeout: "3s"})
			group := ch1.Config.ChannelGroup
			group.Groups["Application"].Policies["Extra"] = group.Groups["Application"].Policies["Admins"]
			for _, org := range group.Groups["Application"].Groups {
				org.Policies["Readers"].Policy = org.Policies["Admins"].Policy
			}
			n := cloneOf(t, r, Spec{})
			made := requireCreation(t, n, "ch1")
			size, timeout := &ab.BatchSize{}, &ab.BatchTimeout{}
			require.NoError(t, proto.Unmarshal(made.Groups["Orderer"].Values["BatchSize"].Value, size))
			require.NoError(t, proto.Unmarshal(made.Groups["Orderer"].Values["BatchTimeout"].Value, timeout))
			require.EqualValues(t, 7, size.MaxMessageCount)
			require.Equal(t, "3s", timeout.Timeout)
			require.Empty(t, n.Manifest.Channels[0].Config)
			require.Contains(t, made.Groups["Application"].Policies, "Extra")
			require.NotContains(t, made.Groups["Application"].Policies, channelconfig.ChannelCreationPolicyKey)
			for key, want := range group.Groups["Application"].Policies {
				require.True(t, proto.Equal(want.Policy, made.Groups["Application"].Policies[key].Policy), key)
				require.Equal(t, want.ModPolicy, made.Groups["Application"].Policies[key].ModPolicy, key)
			}
			require.Equal(t, group.Groups["Application"].ModPolicy, made.Groups["Application"].ModPolicy)
			require.Equal(t, 700*time.Millisecond, n.Manifest.Spec.BatchTimeout, "of the system channel")
		})
	}
}

func TestValuesOfTheChannelItselfAreUpdatedAfterItsCreation(t *testing.T) {
	r := realBlocks(t, "2.5.16.kafka")
	group := r.Sources[0].Config.ChannelGroup
	group.Policies["Readers"].Policy = group.Policies["Admins"].Policy
	n := cloneOf(t, r, Spec{})
	require.Equal(t, "channels/ch1.config", n.Manifest.Channels[0].Config)
	made := requireCreation(t, n, "ch1")
	require.False(t, proto.Equal(made.Policies["Readers"].Policy, made.Policies["Admins"].Policy))

	// The update that leads from there to the goal is signed by enough.
	bundle, err := channelconfig.NewBundle("ch1", &cb.Config{ChannelGroup: made})
	require.NoError(t, err)
	c := n.Manifest.Channels[0]
	require.NoError(t, satisfies(n.Dir, bundle, "/Channel/Admins", append([]Identity{c.Creator}, c.Signers...)...))
}

func TestWhoMayNotWriteDoesNotWriteInAClone(t *testing.T) {
	r := realBlocks(t, "2.5.16.kafka")
	group := r.Sources[0].Config.ChannelGroup
	for _, org := range group.Groups["Application"].Groups {
		org.Policies["Writers"].Policy = org.Policies["Admins"].Policy
	}
	n := cloneOf(t, r, Spec{})
	require.Contains(t, n.Manifest.Channels[0].Client.MSPDir, "Admin@", "users do not satisfy the policy")
	for _, org := range group.Groups["Orderer"].Groups {
		org.Policies["Admins"].Policy = policydsl.SignaturePolicy(policydsl.RejectAll())
	}
	n = cloneOf(t, r, Spec{})
	require.Contains(t, strings.Join(n.Manifest.Clone.NotKept, "\n"), "so it cannot be migrated")
}

func TestACloneKeepsWhatFlagsSay(t *testing.T) {
	n := cloneOf(t, realBlocks(t, "2.5.16.kafka"), Spec{Name: "rehearsal-7", Acknowledge: localconfig.AcknowledgeAtCommit})
	require.Equal(t, "rehearsal-7", n.Manifest.Name)
	r := realBlocks(t, "2.5.16.kafka")
	shape, err := clone.Read(r.Sources, nil)
	require.NoError(t, err)
	_, err = Clone(n.Dir, Spec{}, shape, nil)
	require.ErrorContains(t, err, "is not empty; nothing was changed")
	_, err = Clone(filepath.Join(t.TempDir(), "x"), Spec{OrdererBin: "no/such/orderer"}, shape, nil)
	require.ErrorContains(t, err, "the orderer to run")
	require.ErrorIs(t, statOf(filepath.Join(t.TempDir(), "x")), os.ErrNotExist)
}

func statOf(file string) error {
	_, err := os.Stat(file)
	return err
}

func TestAnOrganizationThatOrdersAndUsesChannelsHasOneMSPInAClone(t *testing.T) {
	r := realBlocks(t, "2.5.16.kafka")
	ch1, system := r.Sources[0].Config.ChannelGroup, r.Sources[1].Config.ChannelGroup
	for name, org := range ch1.Groups["Orderer"].Groups {
		both := proto.Clone(org).(*cb.ConfigGroup)
		delete(both.Values, channelconfig.EndpointsKey)
		ch1.Groups["Application"].Groups[name] = both
		system.Groups["Consortiums"].Groups["SampleConsortium"].Groups[name] = both
	}
	n := cloneOf(t, r, Spec{})
	made := requireCreation(t, n, "ch1")
	require.Len(t, made.Groups["Application"].Groups, 2)
	for name, org := range made.Groups["Orderer"].Groups {
		require.True(t, proto.Equal(org.Values["MSP"], made.Groups["Application"].Groups[name].Values["MSP"]), name)
	}
	require.Len(t, n.Manifest.Channels[0].Signers, 1)
}

func TestOrderersOfACloneHaveTheirHostNames(t *testing.T) {
	r := realBlocks(t, "2.5.16.kafka")
	hosts := []string{"orderer2.pay.net", "orderer.pay.net", "orderer.other.org"}
	for _, src := range r.Sources {
		var addresses []string
		for _, h := range hosts {
			addresses = append(addresses, h+":7050")
		}
		src.Config.ChannelGroup.Values[channelconfig.OrdererAddressesKey].Value = protoutil.MustMarshal(&cb.OrdererAddresses{Addresses: addresses})
	}
	n := cloneOf(t, r, Spec{})
	require.Equal(t, []string{"orderer2", "orderer.pay.net", "orderer.other.org"}, n.OrdererNames(), "short where that is unique")
	for i, o := range n.Inventory.Orderers {
		cert, err := tls.LoadX509KeyPair(o.ServerCert, strings.TrimSuffix(o.ServerCert, "crt")+"key")
		require.NoError(t, err)
		require.Equal(t, hosts[i], cert.Leaf.Subject.CommonName)
		require.NoError(t, cert.Leaf.VerifyHostname(hosts[i]))
		require.NoError(t, cert.Leaf.VerifyHostname(host))
	}
	addresses := &cb.OrdererAddresses{}
	require.NoError(t, proto.Unmarshal(genesisOf(t, n).Values[channelconfig.OrdererAddressesKey].Value, addresses))
	for i, o := range n.Manifest.Orderers {
		require.Equal(t, o.Address(), addresses.Addresses[i])
	}
}
