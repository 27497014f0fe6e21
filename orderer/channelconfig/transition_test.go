package channelconfig_test

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msp/msptest"
)

func newBundle(t testing.TB, g group) *channelconfig.Bundle {
	t.Helper()
	b, err := channelconfig.NewBundle("ch", &cb.Config{ChannelGroup: g})
	require.NoError(t, err)
	return b
}

func TestConfigsThatMayNotFollow(t *testing.T) {
	renamed := msptest.Config("NewMSP", msptest.NewCA(t, "ca"))
	for _, tc := range []struct {
		name   string
		before func(testing.TB) group
		change func(now, next group)
		want   string
	}{
		{"nothing changes", systemConfig, func(_, _ group) {}, ""},
		{"the type changes", systemConfig, func(_, n group) { set(t, sub(n, "Orderer"), "ConsensusType", &ab.ConsensusType{Type: "etcdraft"}) }, ""},
		{"the type changes without the capability", systemConfig, func(now, n group) {
			set(t, now, "Capabilities", capabilities("V1_3"))
			set(t, sub(n, "Orderer"), "ConsensusType", &ab.ConsensusType{Type: "etcdraft"})
		}, "attempted to change consensus type from kafka to etcdraft"},
		{"the orderer goes", systemConfig, func(_, n group) { delete(n.Groups, "Orderer") }, "current config has orderer section, but new config does not"},
		{"the application goes", appConfig, func(_, n group) { delete(n.Groups, "Application") }, "current config has application section, but new config does not"},
		{"the consortiums go", systemConfig, func(_, n group) { delete(n.Groups, "Consortiums") }, "current config has consortiums section, but new config does not"},
		{"consortiums come", appConfig, func(_, n group) { n.Groups["Consortiums"] = &cb.ConfigGroup{} }, "current config has no consortiums section, but new config does"},
		{"an application comes", systemConfig, func(_, n group) { n.Groups["Application"] = &cb.ConfigGroup{} }, ""},
		{"a consortium goes", systemConfig, func(_, n group) { delete(sub(n, "Consortiums").Groups, "SampleConsortium") }, ""},
		{"an organization goes", appConfig, func(_, n group) { delete(sub(n, "Application").Groups, "Org1MSP") }, ""},
		{"an ordering organization gets another MSP", systemConfig, func(_, n group) { set(t, sub(n, "Orderer", "OrdererOrg"), "MSP", renamed) }, "orderer org OrdererOrg attempted to change MSP ID from OrdererMSP to NewMSP"},
		{"an application organization gets another MSP", appConfig, func(_, n group) { set(t, sub(n, "Application", "Org1MSP"), "MSP", renamed) }, "application org Org1MSP attempted to change MSP ID from Org1MSP to NewMSP"},
		{"a consortium's organization gets another MSP", systemConfig, func(_, n group) { set(t, sub(n, "Consortiums", "SampleConsortium", "Org1MSP"), "MSP", renamed) }, "consortium SampleConsortium org Org1MSP attempted to change MSP ID from Org1MSP to NewMSP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now, next := tc.before(t), tc.before(t)
			tc.change(now, next)
			current := newBundle(t, now)
			for _, r := range []channelconfig.Resources{current, channelconfig.NewBundleSource(current)} {
				err := r.ValidateNew(newBundle(t, next))
				if tc.want == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, tc.want)
				}
			}
		})
	}
}

func TestBundleSourceAnswersFromTheCurrentBundle(t *testing.T) {
	system, app := newBundle(t, systemConfig(t)), newBundle(t, appConfig(t))
	var seen []*channelconfig.Bundle
	var s *channelconfig.BundleSource
	s = channelconfig.NewBundleSource(system, func(b *channelconfig.Bundle) {
		if s != nil {
			require.Same(t, b, s.StableBundle(), "the bundle is current before the callbacks run")
		}
		seen = append(seen, b)
	}, func(b *channelconfig.Bundle) { seen = append(seen, b) })
	check := func(b *channelconfig.Bundle) {
		require.Same(t, b, s.StableBundle())
		require.Same(t, b.ConfigtxValidator(), s.ConfigtxValidator())
		require.Same(t, b.PolicyManager(), s.PolicyManager())
		require.Same(t, b.MSPManager(), s.MSPManager())
		require.Same(t, b.ChannelConfig(), s.ChannelConfig())
		_, inBundle := b.OrdererConfig()
		_, inSource := s.OrdererConfig()
		require.Equal(t, inBundle, inSource)
		_, inBundle = b.ApplicationConfig()
		_, inSource = s.ApplicationConfig()
		require.Equal(t, inBundle, inSource)
		_, inBundle = b.ConsortiumsConfig()
		_, inSource = s.ConsortiumsConfig()
		require.Equal(t, inBundle, inSource)
	}
	check(system)
	s.Update(app)
	check(app)
	require.Equal(t, []*channelconfig.Bundle{system, system, app, app}, seen)
}
