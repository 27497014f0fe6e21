package channelconfig_test

import (
	"math"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msp"
	"raftmig/orderer/msp/msptest"
	"raftmig/orderer/policies"
)

type group = *cb.ConfigGroup

// systemConfig and appConfig are the channels of the fixtures on Kafka.
func systemConfig(t testing.TB) group {
	return proto.Clone(ledgerConfigs(t, "2.5.16", "syschannel")[0].config.Config.ChannelGroup).(group)
}

func appConfig(t testing.TB) group {
	return proto.Clone(ledgerConfigs(t, "2.5.16", "ch1")[0].config.Config.ChannelGroup).(group)
}

func set(t testing.TB, g group, key string, m proto.Message) {
	t.Helper()
	if g.Values == nil {
		g.Values = map[string]*cb.ConfigValue{}
	}
	g.Values[key] = &cb.ConfigValue{Value: canonical(t, m), ModPolicy: "Admins"}
}

func capabilities(names ...string) *cb.Capabilities {
	c := &cb.Capabilities{Capabilities: map[string]*cb.Capability{}}
	for _, n := range names {
		c.Capabilities[n] = &cb.Capability{}
	}
	return c
}

func sub(g group, path ...string) group {
	for _, p := range path {
		g = g.Groups[p]
	}
	return g
}

func TestConfigsThatMayNotBe(t *testing.T) {
	const (
		system = "initializing channelconfig failed: "
		order  = system + "could not create channel Orderer sub-group config: "
		app    = system + "could not create channel Application sub-group config: "
		cons   = system + "could not create channel Consortiums sub-group config: "
	)
	otherMSP := func(id string, changes ...func(*mspproto.FabricMSPConfig)) *mspproto.MSPConfig {
		return msptest.Config(id, msptest.NewCA(t, "ca"), changes...)
	}
	batch := func(count, absolute, preferred uint32) *ab.BatchSize {
		return &ab.BatchSize{MaxMessageCount: count, AbsoluteMaxBytes: absolute, PreferredMaxBytes: preferred}
	}
	for _, tc := range []struct {
		name   string
		change func(sys, app group)
		want   string // of whichever channel is refused
	}{
		{"an unknown channel value", func(s, _ group) { set(t, s, "Foo", &cb.Consortium{}) }, system + "failed to deserialize values: Unexpected key Foo"},
		{"a channel value that is no message", func(s, _ group) { s.Values["OrdererAddresses"].Value = []byte{0xff} }, system + "failed to deserialize values: value OrdererAddresses: "},
		{"an unknown group", func(s, _ group) { s.Groups["Foo"] = &cb.ConfigGroup{} }, system + "Disallowed channel group: Foo"},
		{"an unknown hash", func(s, _ group) { set(t, s, "HashingAlgorithm", &cb.HashingAlgorithm{Name: "MD5"}) }, system + "Unknown hashing algorithm type: MD5"},
		{"no hash", func(s, _ group) { delete(s.Values, "HashingAlgorithm") }, system + "Unknown hashing algorithm type: "},
		{"a Merkle tree", func(s, _ group) { set(t, s, "BlockDataHashingStructure", &cb.BlockDataHashingStructure{Width: 2}) }, system + "BlockDataHashStructure width only supported at MaxUint32 in this version"},
		{"no addresses without the capability", func(s, _ group) {
			delete(s.Values, "OrdererAddresses")
			set(t, s, "Capabilities", capabilities("V1_3"))
		}, system + "Must set some OrdererAddresses"},
		{"channel without orderer capabilities", func(s, _ group) { delete(sub(s, "Orderer").Values, "Capabilities") }, "cannot enable channel capabilities without orderer support first"},
		{"application without orderer capabilities", func(_, a group) {
			delete(sub(a, "Orderer").Values, "Capabilities")
			delete(a.Values, "Capabilities")
		}, "cannot enable application capabilities without orderer support first"},

		{"an unknown orderer value", func(s, _ group) { set(t, sub(s, "Orderer"), "Foo", &cb.Consortium{}) }, order + "failed to deserialize values: Unexpected key Foo"},
		{"no messages in a batch", func(s, _ group) { set(t, sub(s, "Orderer"), "BatchSize", batch(0, 1, 1)) }, order + "Attempted to set the batch size max message count to an invalid value: 0"},
		{"no bytes in a batch", func(s, _ group) { set(t, sub(s, "Orderer"), "BatchSize", batch(1, 0, 1)) }, order + "Attempted to set the batch size absolute max bytes to an invalid value: 0"},
		{"no preferred bytes in a batch", func(s, _ group) { set(t, sub(s, "Orderer"), "BatchSize", batch(1, 1, 0)) }, order + "Attempted to set the batch size preferred max bytes to an invalid value: 0"},
		{"more preferred than absolute", func(s, _ group) { set(t, sub(s, "Orderer"), "BatchSize", batch(1, 2, 3)) }, order + "Attempted to set the batch size preferred max bytes (3) greater than the absolute max bytes (2)."},
		{"a timeout without a unit", func(s, _ group) { set(t, sub(s, "Orderer"), "BatchTimeout", &ab.BatchTimeout{Timeout: "2"}) }, order + `Attempted to set the batch timeout to a invalid value: time: missing unit in duration "2"`},
		{"no timeout", func(s, _ group) { delete(sub(s, "Orderer").Values, "BatchTimeout") }, order + `Attempted to set the batch timeout to a invalid value: time: invalid duration ""`},
		{"a timeout of nothing", func(s, _ group) { set(t, sub(s, "Orderer"), "BatchTimeout", &ab.BatchTimeout{Timeout: "0s"}) }, order + "Attempted to set the batch timeout to a non-positive value: 0s"},
		{"a negative timeout", func(s, _ group) { set(t, sub(s, "Orderer"), "BatchTimeout", &ab.BatchTimeout{Timeout: "-1s"}) }, order + "Attempted to set the batch timeout to a non-positive value: -1s"},
		{"a broker without a port", func(s, _ group) {
			set(t, sub(s, "Orderer"), "KafkaBrokers", &ab.KafkaBrokers{Brokers: []string{"a:1", "kafka"}})
		}, order + "Invalid broker entry: kafka"},
		{"a sub-group of an ordering organization", func(s, _ group) {
			sub(s, "Orderer", "OrdererOrg").Groups = map[string]*cb.ConfigGroup{"X": {}}
		}, order + "OrdererOrg config does not allow sub-groups"},
		{"endpoints without the capability", func(s, _ group) {
			set(t, s, "Capabilities", capabilities("V1_3"))
			set(t, sub(s, "Orderer", "OrdererOrg"), "Endpoints", &cb.OrdererAddresses{})
		}, order + "Orderer Org OrdererOrg cannot contain endpoints value until V1_4_2+ capabilities have been enabled"},
		{"anchor peers of an ordering organization", func(s, _ group) { set(t, sub(s, "Orderer", "OrdererOrg"), "AnchorPeers", &pb.AnchorPeers{}) }, order + "failed to deserialize values: Unexpected key AnchorPeers"},
		{"an organization without MSP", func(s, _ group) { delete(sub(s, "Orderer", "OrdererOrg").Values, "MSP") }, order + "setting up the MSP manager failed: expected at least one CA certificate"},
		{"an MSP of another type", func(s, _ group) {
			set(t, sub(s, "Orderer", "OrdererOrg"), "MSP", &mspproto.MSPConfig{Type: 1})
		}, order + "setting up the MSP manager failed: Setup error: unsupported msp type 1"},
		{"an MSP without a name", func(s, _ group) { set(t, sub(s, "Orderer", "OrdererOrg"), "MSP", otherMSP("")) }, order + "MSP for org OrdererOrg has empty MSP ID"},
		{"two MSPs of a name", func(s, _ group) { set(t, sub(s, "Orderer", "OrdererOrg"), "MSP", otherMSP("Org1MSP")) }, order + "Attempted to define two different versions of MSP: Org1MSP"},

		{"an unknown application value", func(_, a group) { set(t, sub(a, "Application"), "Foo", &cb.Consortium{}) }, app + "failed to deserialize values: Unexpected key Foo"},
		{"access control lists without the capability", func(_, a group) {
			set(t, sub(a, "Application"), "ACLs", &pb.ACLs{})
			set(t, sub(a, "Application"), "Capabilities", capabilities("V1_1"))
		}, app + "ACLs may not be specified without the required capability"},
		{"a sub-group of an application organization", func(_, a group) {
			sub(a, "Application", "Org1MSP").Groups = map[string]*cb.ConfigGroup{"X": {}}
		}, app + "ApplicationOrg config does not allow sub-groups"},
		{"endpoints of an application organization", func(_, a group) { set(t, sub(a, "Application", "Org1MSP"), "Endpoints", &cb.OrdererAddresses{}) }, app + "failed to deserialize values: Unexpected key Endpoints"},

		{"an unknown consortium value", func(s, _ group) { set(t, sub(s, "Consortiums", "SampleConsortium"), "Foo", &cb.Consortium{}) }, cons + "failed to deserialize values: Unexpected key Foo"},
		{"a sub-group of a consortium's organization", func(s, _ group) {
			sub(s, "Consortiums", "SampleConsortium", "Org1MSP").Groups = map[string]*cb.ConfigGroup{"X": {}}
		}, cons + "organizations do not support sub-groups"},

		{"a policy that does not compile", func(s, _ group) { s.Policies["Foo"] = &cb.ConfigPolicy{} }, "initializing policymanager failed: policy Foo at path Channel was nil"},
		{"a name that may not be", func(s, _ group) { s.Policies["a b"] = s.Policies["Admins"] }, "initializing configtx manager failed: error converting config to map: illegal characters in key: [Policy] : config ID 'a b' contains illegal characters"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, a := systemConfig(t), appConfig(t)
			tc.change(s, a)
			_, errSystem := channelconfig.NewBundle("system", &cb.Config{ChannelGroup: s})
			_, errApp := channelconfig.NewBundle("app", &cb.Config{ChannelGroup: a})
			err := errSystem
			if err == nil {
				err = errApp
			}
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, tc.want, err.Error()[:len(tc.want)])
			require.True(t, errSystem == nil || errApp == nil, "one channel was changed")
		})
	}
	_, err := channelconfig.NewBundle("ch", nil)
	require.EqualError(t, err, "channelconfig Config cannot be nil")
	_, err = channelconfig.NewBundle("ch", &cb.Config{})
	require.EqualError(t, err, "config must contain a channel group")
	_, err = channelconfig.NewBundle("Ch", &cb.Config{ChannelGroup: systemConfig(t)})
	require.EqualError(t, err, "initializing configtx manager failed: bad channel ID: 'Ch' contains illegal characters")
}

func TestBrokerEntries(t *testing.T) {
	for broker, ok := range map[string]bool{
		"localhost:9092": true, "127.0.0.1:0": true, "kafka-0.example.com:65535": true, "K:1": true, ":9092": true,
		"localhost": false, "localhost:": false, "localhost:65536": false, "localhost:x": false, "a:1:2": false,
		"-a:1": false, "a-:1": false, ".a:1": false, "a.:1": false, "a_b:1": false, "http://a:1": false, "a b:1": false, "-:1": false,
	} {
		s := systemConfig(t)
		set(t, sub(s, "Orderer"), "KafkaBrokers", &ab.KafkaBrokers{Brokers: []string{broker}})
		_, err := channelconfig.NewBundle("system", &cb.Config{ChannelGroup: s})
		require.Equal(t, ok, err == nil, broker)
	}
}

func TestBundleGivesTheValues(t *testing.T) {
	s, a := systemConfig(t), appConfig(t)
	o := sub(s, "Orderer")
	set(t, s, "HashingAlgorithm", &cb.HashingAlgorithm{Name: "SHA3_256"})
	set(t, s, "BlockDataHashingStructure", &cb.BlockDataHashingStructure{Width: math.MaxUint32})
	delete(s.Values, "OrdererAddresses")
	set(t, o, "ConsensusType", &ab.ConsensusType{Type: "etcdraft", Metadata: []byte("m"), State: ab.ConsensusType_STATE_MAINTENANCE})
	set(t, o, "BatchSize", &ab.BatchSize{MaxMessageCount: 1, AbsoluteMaxBytes: 3, PreferredMaxBytes: 2})
	set(t, o, "BatchTimeout", &ab.BatchTimeout{Timeout: "1.5s"})
	set(t, o, "ChannelRestrictions", &ab.ChannelRestrictions{MaxCount: 9})
	delete(o.Values, "KafkaBrokers")
	set(t, sub(o, "OrdererOrg"), "Endpoints", &cb.OrdererAddresses{Addresses: []string{"o:1"}})
	set(t, sub(a, "Application", "Org1MSP"), "AnchorPeers", &pb.AnchorPeers{AnchorPeers: []*pb.AnchorPeer{{Host: "p", Port: 2}}})

	b, err := channelconfig.NewBundle("system", &cb.Config{Sequence: 3, ChannelGroup: s})
	require.NoError(t, err)
	require.Empty(t, b.ChannelConfig().OrdererAddresses())
	orderer, ok := b.OrdererConfig()
	require.True(t, ok)
	require.Equal(t, "etcdraft", orderer.ConsensusType())
	require.Equal(t, []byte("m"), orderer.ConsensusMetadata())
	require.Equal(t, ab.ConsensusType_STATE_MAINTENANCE, orderer.ConsensusState())
	require.EqualValues(t, 3, orderer.BatchSize().AbsoluteMaxBytes)
	require.Equal(t, 1500*time.Millisecond, orderer.BatchTimeout())
	require.EqualValues(t, 9, orderer.MaxChannelsCount())
	require.Empty(t, orderer.KafkaBrokers())
	require.NoError(t, orderer.Capabilities().Supported())
	require.True(t, orderer.Capabilities().ConsensusTypeMigration())
	oorg := orderer.Organizations()["OrdererOrg"]
	require.Equal(t, "OrdererOrg", oorg.Name())
	require.Equal(t, "OrdererMSP", oorg.MSPID())
	require.Equal(t, []string{"o:1"}, oorg.Endpoints())
	require.Same(t, b.MSPManager().MSPs()["OrdererMSP"], oorg.MSP())
	consortiums, ok := b.ConsortiumsConfig()
	require.True(t, ok)
	consortium := consortiums.Consortiums()["SampleConsortium"]
	require.EqualValues(t, cb.Policy_IMPLICIT_META, consortium.ChannelCreationPolicy().Type)
	require.Equal(t, "Org1MSP", consortium.Organizations()["Org1MSP"].MSPID())
	_, ok = b.PolicyManager().GetPolicy(policies.BlockValidation)
	require.True(t, ok)
	require.EqualValues(t, 3, b.ConfigtxValidator().Sequence())

	b, err = channelconfig.NewBundle("app", &cb.Config{ChannelGroup: a})
	require.NoError(t, err)
	application, ok := b.ApplicationConfig()
	require.True(t, ok)
	require.Equal(t, "p", application.Organizations()["Org1MSP"].AnchorPeers()[0].Host)
	_, ok = b.ConsortiumsConfig()
	require.False(t, ok)

	b, err = channelconfig.NewBundle("bare", &cb.Config{ChannelGroup: &cb.ConfigGroup{Values: s.Values}})
	require.NoError(t, err)
	_, ok = b.OrdererConfig()
	require.False(t, ok)
	_, ok = b.ApplicationConfig()
	require.False(t, ok)
}

func TestUnsupportedCapabilitiesAreNamedNotRefused(t *testing.T) {
	s := systemConfig(t)
	set(t, s, "Capabilities", capabilities("V1_4_3", "V9", "V8"))
	set(t, sub(s, "Orderer"), "Capabilities", capabilities("V1_4_2", "V3_0"))
	b, err := channelconfig.NewBundle("system", &cb.Config{ChannelGroup: s})
	require.NoError(t, err)
	require.EqualError(t, b.ChannelConfig().Capabilities().Supported(), "Channel capability V8 is required but not supported")
	o, _ := b.OrdererConfig()
	require.EqualError(t, o.Capabilities().Supported(), "Orderer capability V3_0 is required but not supported")
}

func TestMSPVersionFollowsTheChannelCapabilities(t *testing.T) {
	for _, tc := range []struct {
		names []string
		want  msp.Version
	}{
		{nil, msp.V1_0},
		{[]string{"V1_1"}, msp.V1_1},
		{[]string{"V1_3"}, msp.V1_3},
		{[]string{"V1_1", "V1_4_2"}, msp.V1_3},
		{[]string{"V1_4_3"}, msp.V1_4_3},
		{[]string{"V2_0"}, msp.V1_4_3},
	} {
		a := appConfig(t)
		// MSPs before 1.4.3 know no admin unit; the rest of the channel does not mind.
		set(t, a, "Capabilities", capabilities(tc.names...))
		b, err := channelconfig.NewBundle("app", &cb.Config{ChannelGroup: a})
		require.NoError(t, err)
		require.Equal(t, tc.want, b.ChannelConfig().Capabilities().MSPVersion(), "%v", tc.names)
	}
}

func TestEnvelopesWithoutAConfig(t *testing.T) {
	for _, tc := range []struct {
		name    string
		payload []byte
		want    string
	}{
		{"garbage", []byte{0xff}, "failed to unmarshal payload from envelope: "},
		{"no header", canonical(t, &cb.Payload{}), "envelope header cannot be nil"},
		{"a config that is none", canonical(t, &cb.Payload{Data: []byte{0xff}}), "failed to unmarshal config envelope from payload: "},
		{"a header that is none", canonical(t, &cb.Payload{Header: &cb.Header{ChannelHeader: []byte{0xff}}}), "failed to unmarshal channel header: "},
		{"no config", canonical(t, &cb.Payload{Header: &cb.Header{}}), "channelconfig Config cannot be nil"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := channelconfig.NewBundleFromEnvelope(&cb.Envelope{Payload: tc.payload})
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := channelconfig.NewBundleFromEnvelope(nil)
	require.Error(t, err)
}
