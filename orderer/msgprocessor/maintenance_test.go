package msgprocessor

import (
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/golang/protobuf/ptypes/wrappers"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

const (
	normal      = ab.ConsensusType_STATE_NORMAL
	maintenance = ab.ConsensusType_STATE_MAINTENANCE
)

// consensus is the channel's ConsensusType, changed.
func (c *testChannel) consensus(change func(*ab.ConsensusType)) map[string]proto.Message {
	v := fixture.ConsensusType(c.t, c.config())
	change(v)
	return map[string]proto.Message{channelconfig.ConsensusTypeKey: v}
}

func withTimeout(values map[string]proto.Message) map[string]proto.Message {
	values[channelconfig.BatchTimeoutKey] = &ab.BatchTimeout{Timeout: "111ms"}
	return values
}

// The forbidden transitions of spec 2.7 B, on the system channel and on an
// application channel, each with the row's text.
func TestForbiddenTransitions(t *testing.T) {
	system, sp := newSystem(t, nil)
	app, ap := newApplication(t, nil)
	metadata := system.net.RaftMetadata(7050, 7150, 7250)
	for _, ch := range []struct {
		rows string
		c    *testChannel
		p    Processor
	}{{"B1,3,5…", system, sp}, {"B2,4,6…", app, ap}} {
		c := ch.c
		set := func(kind string, state ab.ConsensusType_State, md []byte) map[string]proto.Message {
			return c.consensus(func(v *ab.ConsensusType) { v.Type, v.State, v.Metadata = kind, state, md })
		}
		for _, step := range []struct {
			row    string
			values func() map[string]proto.Message
			want   string // "" for accepted
		}{
			{"B1,B2 type and state together", func() map[string]proto.Message { return set("etcdraft", maintenance, metadata) },
				"attempted to change ConsensusType.Type from kafka to etcdraft, but ConsensusType.State is changing from STATE_NORMAL to STATE_MAINTENANCE"},
			{"B3,B4 state with BatchTimeout", func() map[string]proto.Message { return withTimeout(set("kafka", maintenance, nil)) },
				"config update contain more then just the ConsensusType value in the Orderer group"},
			{"1.3 row 8: type in NORMAL", func() map[string]proto.Message { return set("etcdraft", normal, metadata) },
				"attempted to change consensus type from kafka to etcdraft, but current config ConsensusType.State is not in maintenance mode"},
			{"1.3 row 7: metadata with the state", func() map[string]proto.Message { return set("kafka", maintenance, metadata) },
				"attempted to change ConsensusType.Metadata, but ConsensusType.State is changing from STATE_NORMAL to STATE_MAINTENANCE"},
			{"B5,B6 enter", func() map[string]proto.Message { return set("kafka", maintenance, nil) }, ""},
			{"B7,B8 unknown type", func() map[string]proto.Message { return set("melville", maintenance, metadata) },
				"attempted to change consensus type from kafka to melville, transition not supported"},
			{"B9,B10 type and leaving together", func() map[string]proto.Message { return set("etcdraft", normal, metadata) },
				"attempted to change ConsensusType.Type from kafka to etcdraft, but ConsensusType.State is changing from STATE_MAINTENANCE to STATE_NORMAL"},
			{"1.3 row 11: metadata that is none", func() map[string]proto.Message { return set("etcdraft", maintenance, []byte{1, 2, 3}) },
				"failed to unmarshal etcdraft metadata configuration: "},
			{"B11,B12 type with BatchTimeout", func() map[string]proto.Message { return withTimeout(set("etcdraft", maintenance, metadata)) }, ""},
			{"B13,B14 BatchTimeout in maintenance", func() map[string]proto.Message {
				return map[string]proto.Message{channelconfig.BatchTimeoutKey: &ab.BatchTimeout{Timeout: "222ms"}}
			}, ""},
			{"B15,B16 leaving with BatchTimeout", func() map[string]proto.Message { return withTimeout(set("etcdraft", normal, metadata)) },
				"config update contain more then just the ConsensusType value in the Orderer group"},
			{"2.6 back to kafka is let through", func() map[string]proto.Message { return set("kafka", maintenance, nil) }, ""},
			{"leave", func() map[string]proto.Message { return set("kafka", normal, nil) }, ""},
		} {
			err := c.apply(ch.p, c.update(step.values()))
			if step.want == "" {
				require.NoError(t, err, "%s %s", c.id(), step.row)
				continue
			}
			require.ErrorContains(t, err, "config update for existing channel did not pass maintenance checks: config transaction inspection failed: "+step.want, "%s %s", c.id(), step.row)
			require.NotErrorIs(t, err, ErrPermissionDenied)
			require.NotErrorIs(t, err, ErrMaintenanceMode)
		}
	}
}

// The log lines of spec 1.3.
func TestTransitionsAreLogged(t *testing.T) {
	c, _ := newApplication(t, nil)
	core, logs := observer.New(zap.InfoLevel)
	o := testOptions()
	o.Logger = zap.New(core).Sugar()
	p := NewStandardChannel(c, o)
	for _, step := range []struct {
		change func(*ab.ConsensusType)
		want   string
	}{
		{func(v *ab.ConsensusType) { v.State = maintenance }, "[channel: ch1] maintenance mode: ConsensusType.State about to change from STATE_NORMAL to STATE_MAINTENANCE"},
		{func(v *ab.ConsensusType) { v.Type, v.Metadata = "etcdraft", c.net.RaftMetadata(7050) }, "[channel: ch1] consensus-type migration: about to change from kafka to etcdraft"},
		{func(v *ab.ConsensusType) { v.State = normal }, "[channel: ch1] maintenance mode: ConsensusType.State about to change from STATE_MAINTENANCE to STATE_NORMAL"},
	} {
		require.NoError(t, c.apply(p, c.update(c.consensus(step.change))))
		require.Equal(t, 1, logs.FilterMessage(step.want).Len(), step.want)
	}
}

func capabilities(names ...string) []byte {
	m := &cb.Capabilities{Capabilities: map[string]*cb.Capability{}}
	for _, n := range names {
		m.Capabilities[n] = &cb.Capability{}
	}
	return protoutil.MustMarshal(m)
}

// Rows 4a, 4b and 4c of spec 1.3.
func TestWithoutTheCapabilityNothingMigrates(t *testing.T) {
	c, p := newApplication(t, func(config *cb.Config) {
		fixture.OrdererValues(config)[channelconfig.CapabilitiesKey].Value = capabilities("V1_1")
	})
	err := c.apply(p, c.update(c.consensus(func(v *ab.ConsensusType) { v.State = maintenance })))
	require.ErrorContains(t, err, "next config attempted to change ConsensusType.State to STATE_MAINTENANCE, but capability is disabled")
	err = c.apply(p, c.update(c.consensus(func(v *ab.ConsensusType) { v.Type = "solo" })))
	require.ErrorContains(t, err, "next config attempted to change ConsensusType.Type from kafka to solo, but capability is disabled")
	require.NoError(t, c.apply(p, c.update(withTimeout(map[string]proto.Message{}))), "row 4c: other changes pass")

	// Spec 1.5: the channel capability gates the type before this filter does.
	// Without it identities with admin and orderer OUs are not valid either, so
	// the check is called by itself.
	c, _ = newApplication(t, func(config *cb.Config) {
		config.ChannelGroup.Values[channelconfig.CapabilitiesKey].Value = capabilities("V1_3")
		for _, org := range config.ChannelGroup.Groups[channelconfig.OrdererGroup].Groups {
			delete(org.Values, channelconfig.EndpointsKey)
		}
	})
	next := c.config()
	v := fixture.ConsensusType(t, next)
	v.Type = "etcdraft"
	fixture.OrdererValues(next)[channelconfig.ConsensusTypeKey].Value = protoutil.MustMarshal(v)
	b, err := newBundle("ch1", next)
	require.NoError(t, err)
	require.EqualError(t, c.resources.ValidateNew(b), "attempted to change consensus type from kafka to etcdraft")
}

// Rows 1 to 3 of spec 1.3: messages that no client can bring about, but a
// consenter's log might hold.
func TestMaintenanceFilterRefusesMalformedConfigurations(t *testing.T) {
	c, p := newApplication(t, nil)
	wrap := func(e *cb.ConfigEnvelope) *protoutil.Message {
		m, err := p.wrap(cb.HeaderType_CONFIG, "ch1", e)
		require.NoError(t, err)
		return m
	}
	update := c.update(c.consensus(func(v *ab.ConsensusType) { v.State = maintenance })).Envelope
	noOrderer := c.config()
	delete(noOrderer.ChannelGroup.Groups, channelconfig.OrdererGroup)
	delete(noOrderer.ChannelGroup.Values, channelconfig.CapabilitiesKey)
	delete(noOrderer.ChannelGroup.Groups[channelconfig.ApplicationGroup].Values, channelconfig.CapabilitiesKey)
	for _, test := range []struct {
		row, want string
		msg       *protoutil.Message
	}{
		{"row 1", "updated config does not include a config update", wrap(&cb.ConfigEnvelope{Config: c.config()})},
		{"row 2", "failed to parse config: ", wrap(&cb.ConfigEnvelope{Config: &cb.Config{}, LastUpdate: update})},
		{"row 3", "next config is missing orderer group", wrap(&cb.ConfigEnvelope{Config: noOrderer, LastUpdate: update})},
	} {
		err := p.maintenance.Apply(c.resources, test.msg)
		require.ErrorContains(t, err, "config transaction inspection failed: "+test.want, test.row)
	}
	err := p.maintenance.Apply(c.resources, protoutil.NewMessage(update))
	require.ErrorContains(t, err, "envelope unmarshalling failed: ")
}

// Spec 1.4, rule by rule.
func TestOnlyConsensusType(t *testing.T) {
	value := map[string]*cb.ConfigValue{channelconfig.ConsensusTypeKey: {}}
	groups := func(m map[string]*cb.ConfigGroup) *cb.ConfigGroup { return &cb.ConfigGroup{Groups: m} }
	for want, ws := range map[string]*cb.ConfigGroup{
		"config update contains no changes": {},
		"config update contains changes to values in group Channel": {
			Groups: map[string]*cb.ConfigGroup{"Orderer": {Values: value}}, Values: map[string]*cb.ConfigValue{"Capabilities": {}}},
		"config update contains changes to more than one group":             groups(map[string]*cb.ConfigGroup{"Orderer": {Values: value}, "Application": {}}),
		"update does not contain the Orderer group":                         groups(map[string]*cb.ConfigGroup{"Application": {}}),
		"config update contains changes to groups within the Orderer group": groups(map[string]*cb.ConfigGroup{"Orderer": {Values: value, Groups: map[string]*cb.ConfigGroup{"Org": {}}}}),
		"config update does not contain the ConsensusType value":            groups(map[string]*cb.ConfigGroup{"Orderer": {Values: map[string]*cb.ConfigValue{"BatchSize": {}}}}),
		"config update contain more then just the ConsensusType value in the Orderer group": groups(map[string]*cb.ConfigGroup{"Orderer": {
			Values: map[string]*cb.ConfigValue{channelconfig.ConsensusTypeKey: {}, "BatchSize": {}}}}),
		"": groups(map[string]*cb.ConfigGroup{"Orderer": {Values: value, Policies: map[string]*cb.ConfigPolicy{"Admins": {}}}}),
	} {
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
			Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: "ch1",
			Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: protoutil.MustMarshal(&cb.ConfigUpdate{ChannelId: "ch1", WriteSet: ws})},
		}, nil)
		require.NoError(t, err)
		if err := onlyConsensusType(env); want == "" {
			require.NoError(t, err, "policies are not looked at")
		} else {
			require.EqualError(t, err, want)
		}
	}
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_CONFIG_UPDATE, Data: &wrappers.BytesValue{Value: []byte("x")}}, nil)
	require.NoError(t, err)
	require.ErrorContains(t, onlyConsensusType(env), "config update unmarshalling error: ")
	require.ErrorContains(t, onlyConsensusType(&cb.Envelope{Payload: []byte{1}}), "envelope to config update unmarshalling error: ")
}

// Spec 1.6: who may do what in maintenance mode.
func TestWhoMayDoWhatInMaintenance(t *testing.T) {
	c, p := newApplication(t, nil)
	require.NoError(t, c.apply(p, c.update(c.consensus(func(v *ab.ConsensusType) { v.State = maintenance }))))
	user, admin := c.net.OrgUser("User1"), c.net.OrgUser("Admin")

	_, err := p.ProcessNormalMsg(protoutil.NewMessage(c.net.Message("ch1", user, "x")))
	require.ErrorIs(t, err, ErrMaintenanceMode)
	require.EqualError(t, err, "normal transactions are rejected: maintenance mode")
	_, err = p.ProcessNormalMsg(protoutil.NewMessage(&cb.Envelope{}))
	require.ErrorIs(t, err, ErrMaintenanceMode, "before any filter runs")

	u := fixture.OrdererUpdate("ch1", c.config(), c.consensus(func(v *ab.ConsensusType) { v.State = normal }))
	_, _, err = p.ProcessConfigUpdateMsg(protoutil.NewMessage(c.net.SignedUpdate(u, admin, c.net.OrdererAdmin())))
	require.ErrorIs(t, err, ErrPermissionDenied, "an application's administrator may not send")
	require.ErrorContains(t, err, "config update for existing channel did not pass initial checks: implicit policy evaluation failed")
	require.ErrorContains(t, err, ": permission denied")
	require.NoError(t, c.apply(p, c.update(c.consensus(func(v *ab.ConsensusType) { v.State = normal }))), "the orderers' administrator may")

	system, sp := newSystem(t, nil)
	require.NoError(t, system.apply(sp, system.update(system.consensus(func(v *ab.ConsensusType) { v.State = maintenance }))))
	_, _, err = sp.ProcessConfigUpdateMsg(protoutil.NewMessage(system.net.Creation()))
	require.ErrorIs(t, err, ErrMaintenanceMode)
	require.EqualError(t, err, "channel creation is not permitted: maintenance mode")
}

// The capability gates the refusal of normal messages, but not whose
// signature counts (spec 1.5).
func TestMaintenanceWithoutCapability(t *testing.T) {
	c, p := newApplication(t, func(config *cb.Config) {
		v := fixture.ConsensusType(t, config)
		v.State = maintenance
		fixture.OrdererValues(config)[channelconfig.ConsensusTypeKey].Value = protoutil.MustMarshal(v)
		fixture.OrdererValues(config)[channelconfig.CapabilitiesKey].Value = capabilities("V1_1")
	})
	_, err := p.ProcessNormalMsg(protoutil.NewMessage(c.net.Message("ch1", c.net.OrgUser("User1"), "x")))
	require.ErrorIs(t, err, ErrPermissionDenied)
	_, err = p.ProcessNormalMsg(protoutil.NewMessage(c.net.Message("ch1", c.net.Orderer(1), "x")))
	require.NoError(t, err)
}
