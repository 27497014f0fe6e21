package channelconfig_test

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

func bundleOf(t testing.TB, c recorded) *channelconfig.Bundle {
	t.Helper()
	b, err := channelconfig.NewBundleFromEnvelope(c.env)
	require.NoError(t, err)
	return b
}

// apply proposes the update of next on current and compares the result with
// what Fabric made of it.
func apply(t *testing.T, current *channelconfig.Bundle, next recorded) *channelconfig.Bundle {
	t.Helper()
	v := current.ConfigtxValidator()
	proposed, err := v.ProposeConfigUpdate(next.config.LastUpdate)
	require.NoError(t, err)
	require.Equal(t, canonical(t, next.config), canonical(t, proposed))
	require.NoError(t, v.Validate(next.config))
	b, err := channelconfig.NewBundle(next.header.ChannelId, proposed.Config)
	require.NoError(t, err)
	require.NoError(t, current.ValidateNew(b))
	return b
}

func TestEveryConfigUpdateOfALedgerGivesTheRecordedConfig(t *testing.T) {
	for _, version := range versions {
		for _, tc := range []struct {
			channel string
			states  []ab.ConsensusType_State
			types   []string
		}{
			{"syschannel", []ab.ConsensusType_State{0, 1, 1, 0}, []string{"kafka", "kafka", "etcdraft", "etcdraft"}},
			{"ch1", []ab.ConsensusType_State{0, 1, 1, 0}, []string{"kafka", "kafka", "etcdraft", "etcdraft"}},
		} {
			t.Run(version+" "+tc.channel, func(t *testing.T) {
				configs := ledgerConfigs(t, version, tc.channel)
				require.Len(t, configs, len(tc.states))
				current := bundleOf(t, configs[0])
				for i, c := range configs {
					if i > 0 {
						current = apply(t, current, c)
					}
					o, ok := current.OrdererConfig()
					require.True(t, ok)
					require.Equal(t, tc.states[i], o.ConsensusState())
					require.Equal(t, tc.types[i], o.ConsensusType())
					require.Equal(t, c.config.Config.Sequence, current.ConfigtxValidator().Sequence())
				}
			})
		}
	}
}

func TestEveryConfigUpdateOfATopicGivesTheRecordedConfig(t *testing.T) {
	for _, version := range versions {
		for _, channel := range []string{"syschannel", "ch1"} {
			t.Run(version+" "+channel, func(t *testing.T) {
				system := bundleOf(t, ledgerConfigs(t, version, "syschannel")[0])
				current := bundleOf(t, ledgerConfigs(t, version, channel)[0])
				seen := 0
				for _, c := range topicConfigs(t, version, channel) {
					if seen++; c.header.ChannelId == channel {
						current = apply(t, current, c)
					} else {
						apply(t, creationTemplate(t, system, c), c)
					}
				}
				require.Positive(t, seen)
			})
		}
	}
}

// creationTemplate is the configuration that the creation of a channel is
// applied to (spec 7.3): the system channel's values, policies and Orderer
// group, the requested organizations from the consortium, all at version 0.
func creationTemplate(t *testing.T, system *channelconfig.Bundle, c recorded) *channelconfig.Bundle {
	t.Helper()
	sys := system.ConfigtxValidator().ConfigProto().ChannelGroup
	e, err := protoutil.EnvelopeToConfigUpdate(c.config.LastUpdate)
	require.NoError(t, err)
	u, err := protoutil.UnmarshalConfigUpdate(e.ConfigUpdate)
	require.NoError(t, err)

	consortium := &cb.Consortium{}
	require.NoError(t, proto.Unmarshal(u.WriteSet.Values[channelconfig.ConsortiumKey].Value, consortium))
	cs, ok := system.ConsortiumsConfig()
	require.True(t, ok)
	app := &cb.ConfigGroup{
		ModPolicy: "ChannelCreationPolicy",
		Policies: map[string]*cb.ConfigPolicy{"ChannelCreationPolicy": {
			Policy: cs.Consortiums()[consortium.Name].ChannelCreationPolicy(),
		}},
		Groups: map[string]*cb.ConfigGroup{},
	}
	for name := range u.WriteSet.Groups[channelconfig.ApplicationGroup].Groups {
		app.Groups[name] = sys.Groups[channelconfig.ConsortiumsGroup].Groups[consortium.Name].Groups[name]
	}
	template := proto.Clone(&cb.ConfigGroup{
		ModPolicy: sys.ModPolicy,
		Values:    sys.Values,
		Policies:  sys.Policies,
		Groups: map[string]*cb.ConfigGroup{
			channelconfig.OrdererGroup:     sys.Groups[channelconfig.OrdererGroup],
			channelconfig.ApplicationGroup: app,
		},
	}).(*cb.ConfigGroup)
	template.Values[channelconfig.ConsortiumKey] = &cb.ConfigValue{
		Value: canonical(t, consortium), ModPolicy: channelconfig.AdminsPolicyKey,
	}
	zeroVersions(template)
	b, err := channelconfig.NewBundle(c.header.ChannelId, &cb.Config{ChannelGroup: template})
	require.NoError(t, err)
	return b
}

func zeroVersions(g *cb.ConfigGroup) {
	g.Version = 0
	for _, v := range g.Values {
		v.Version = 0
	}
	for _, p := range g.Policies {
		p.Version = 0
	}
	for _, sub := range g.Groups {
		zeroVersions(sub)
	}
}

func TestGenesisBlocksAreTheFirstConfigOfTheSystemChannel(t *testing.T) {
	for _, version := range versions {
		c := genesis(t, version)
		require.Equal(t, canonical(t, ledgerConfigs(t, version, "syschannel")[0].config), canonical(t, c.config))
		b := bundleOf(t, c)
		require.Equal(t, "syschannel", b.ConfigtxValidator().ChannelID())
		require.Equal(t, []string{"localhost:7050", "localhost:7150", "localhost:7250"}, b.ChannelConfig().OrdererAddresses())
		cs, ok := b.ConsortiumsConfig()
		require.True(t, ok)
		require.Contains(t, cs.Consortiums()["SampleConsortium"].Organizations(), "Org1MSP")
		_, ok = b.ApplicationConfig()
		require.False(t, ok)
	}
}
