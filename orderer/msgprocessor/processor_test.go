package msgprocessor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

func TestClassification(t *testing.T) {
	for kind, want := range map[int32]Classification{
		0: NormalMsg, 1: ConfigMsg, 2: ConfigUpdateMsg, 3: NormalMsg, 4: ConfigMsg, 5: NormalMsg, 6: NormalMsg, 8: NormalMsg, 9: NormalMsg, 77: NormalMsg, -1: NormalMsg,
	} {
		require.Equal(t, want, Classify(&cb.ChannelHeader{Type: kind}), "type %d", kind)
	}
	require.Equal(t, NormalMsg, Classify(nil))
}

// The rows of appendix E that the processors of channel ch1 decide.
func TestNormalMessages(t *testing.T) {
	c, p := newApplication(t, nil)
	user := c.net.OrgUser("User1")
	good := c.net.Message("ch1", user, "x")
	forged := proto.Clone(good).(*cb.Envelope)
	forged.Signature[len(forged.Signature)-1] ^= 1
	for _, test := range []struct {
		row, want string
		env       *cb.Envelope
		is        error
	}{
		{"accepted", "", good, nil},
		{"from an orderer", "", c.net.Message("ch1", c.net.Orderer(2), "x"), nil},
		{"empty payload", "Message was empty", &cb.Envelope{}, nil},
		{"too large", "message payload is 10485761 bytes and exceeds maximum allowed 10485760 bytes", &cb.Envelope{Payload: make([]byte, 10<<20), Signature: []byte{1}}, nil},
		{"Writers not met", "permission denied", forged, ErrPermissionDenied},
		{"no header", "could not convert message to signedData: ", &cb.Envelope{Payload: []byte{}, Signature: []byte("x")}, nil},
	} {
		seq, err := p.ProcessNormalMsg(protoutil.NewMessage(test.env))
		if test.want == "" {
			require.NoError(t, err, test.row)
			require.Equal(t, uint64(1), seq)
			continue
		}
		if test.row == "no header" {
			test.env.Payload = protoutil.MustMarshal(&cb.Payload{Data: []byte("x")})
			_, err = p.ProcessNormalMsg(protoutil.NewMessage(test.env))
		}
		require.ErrorContains(t, err, test.want, test.row)
		if test.is != nil {
			require.ErrorIs(t, err, test.is)
		}
	}
}

// badSigner is an orderer whose signatures nobody accepts.
type badSigner struct{ protoutil.Signer }

func (badSigner) Sign([]byte) ([]byte, error) { return []byte("not a signature"), nil }

// Spec 1.2 step 5: what the orderer makes of an update goes through the filters
// again, with the orderer's own signature.
func TestTheWrappedUpdateIsCheckedToo(t *testing.T) {
	c, p := newApplication(t, nil)
	update := c.update(map[string]proto.Message{channelconfig.BatchTimeoutKey: &ab.BatchTimeout{Timeout: "111ms"}})
	_, _, err := p.ProcessConfigUpdateMsg(update)
	require.NoError(t, err)
	c.Signer = badSigner{c.Signer}
	_, _, err = p.ProcessConfigUpdateMsg(update)
	require.ErrorContains(t, err, "config update for existing channel did not pass final checks: ")
	require.ErrorIs(t, err, ErrPermissionDenied)
}

func TestExpiredIdentities(t *testing.T) {
	c, _ := newApplication(t, nil)
	msg := protoutil.NewMessage(c.net.Message("ch1", c.net.OrgUser("User1"), "x"))
	o := testOptions()
	o.Now = func() time.Time { return testTime.AddDate(100, 0, 0) }
	_, err := NewStandardChannel(c, o).ProcessNormalMsg(msg)
	require.EqualError(t, err, "broadcast client identity expired")
	o.NoExpirationChecks = true
	_, err = NewStandardChannel(c, o).ProcessNormalMsg(msg)
	require.NoError(t, err)

	old, _ := newApplication(t, func(config *cb.Config) {
		delete(fixture.OrdererValues(config), channelconfig.CapabilitiesKey)
		delete(config.ChannelGroup.Values, channelconfig.CapabilitiesKey)
		delete(config.ChannelGroup.Groups[channelconfig.ApplicationGroup].Values, channelconfig.CapabilitiesKey)
	})
	o.NoExpirationChecks = false
	require.NoError(t, ExpirationFilter{Now: o.Now}.Apply(old.resources, msg), "without capability V1_1 nothing expires")
	require.Zero(t, ExpiresAt([]byte{1, 2}))
	require.Zero(t, ExpiresAt(nil))
	require.False(t, ExpiresAt(mustSerialize(t, c)).IsZero())
}

func mustSerialize(t *testing.T, s protoutil.Signer) []byte {
	b, err := s.Serialize()
	require.NoError(t, err)
	return b
}

func TestSystemChannelProcessor(t *testing.T) {
	c, p := newSystem(t, nil)
	_, err := p.ProcessNormalMsg(protoutil.NewMessage(c.net.Message("nowhere", c.net.OrgUser("User1"), "x")))
	require.Equal(t, ErrChannelDoesNotExist, err)
	_, err = p.ProcessNormalMsg(protoutil.NewMessage(c.net.Message("syschannel", c.net.Orderer(1), "x")))
	require.NoError(t, err)
	_, err = p.ProcessNormalMsg(protoutil.NewMessage(&cb.Envelope{Payload: []byte{1}}))
	require.Error(t, err)
}

func TestChannelCreation(t *testing.T) {
	c, p := newSystem(t, nil)
	msg, seq, err := p.ProcessConfigUpdateMsg(protoutil.NewMessage(c.net.Creation()))
	require.NoError(t, err)
	require.Equal(t, uint64(0), seq)
	h, err := protoutil.ChannelHeader(msg.Envelope)
	require.NoError(t, err)
	require.Equal(t, &cb.ChannelHeader{Type: int32(cb.HeaderType_ORDERER_TRANSACTION), ChannelId: "syschannel", Timestamp: h.Timestamp}, h,
		"version 0, epoch 0, no transaction ID")
	require.Equal(t, testTime.Unix(), h.Timestamp.Seconds)

	payload, err := protoutil.EnvelopePayload(msg.Envelope)
	require.NoError(t, err)
	inner, err := protoutil.UnmarshalEnvelope(payload.Data)
	require.NoError(t, err)
	e, err := protoutil.ConfigEnvelope(inner)
	require.NoError(t, err)
	require.Equal(t, uint64(1), e.Config.Sequence)
	app := e.Config.ChannelGroup.Groups[channelconfig.ApplicationGroup]
	require.Equal(t, uint64(1), app.Version)
	require.Contains(t, app.Groups, "Org1MSP")
	require.NotContains(t, e.Config.ChannelGroup.Groups, channelconfig.ConsortiumsGroup)

	again, _, err := p.ProcessConfigMsg(msg)
	require.NoError(t, err)
	require.False(t, again.SameBytes(msg), "signed anew")
	_, _, err = p.ProcessConfigMsg(protoutil.NewMessage(c.net.Message("syschannel", c, "x")))
	require.ErrorContains(t, err, "Abort processing config msg because of unexpected envelope type MESSAGE")
}

func TestChannelCreationIsRefused(t *testing.T) {
	maxChannels := func(n uint64) func(*cb.Config) {
		return func(config *cb.Config) {
			fixture.OrdererValues(config)[channelconfig.ChannelRestrictionsKey] = &cb.ConfigValue{
				Value: protoutil.MustMarshal(&ab.ChannelRestrictions{MaxCount: n}), ModPolicy: "Admins"}
		}
	}
	for _, test := range []struct {
		name, want string
		system     func(*cb.Config)
		channels   int
		update     func(*cb.ConfigUpdate)
	}{
		{"as many channels as allowed", "", maxChannels(2), 2, nil},
		{"one channel too many", "channel creation would exceed maximimum number of channels: 2", maxChannels(2), 3, nil},
		{"no write set", "Config update has an empty writeset", nil, 1, func(u *cb.ConfigUpdate) { u.WriteSet = nil }},
		{"no Application group", "Config update has missing application group", nil, 1, func(u *cb.ConfigUpdate) { u.WriteSet.Groups = nil }},
		{"wrong version", "Config update for channel creation does not set application group version to 1, was 3", nil, 1, func(u *cb.ConfigUpdate) { u.WriteSet.Groups["Application"].Version = 3 }},
		{"no consortium", "Consortium config value missing", nil, 1, func(u *cb.ConfigUpdate) { delete(u.WriteSet.Values, "Consortium") }},
		{"unknown consortium", "Unknown consortium name: Other", nil, 1, func(u *cb.ConfigUpdate) {
			u.WriteSet.Values["Consortium"].Value = protoutil.MustMarshal(&cb.Consortium{Name: "Other"})
		}},
		{"no members", "Proposed configuration has no application group members, but consortium contains members", nil, 1, func(u *cb.ConfigUpdate) { u.WriteSet.Groups["Application"].Groups = nil }},
		{"a member from outside", "Attempted to include member Org9 which is not in the consortium", nil, 1, func(u *cb.ConfigUpdate) {
			u.WriteSet.Groups["Application"].Groups = map[string]*cb.ConfigGroup{"Org9": {}}
		}},
		{"a bad name", "bad channel ID", nil, 1, func(u *cb.ConfigUpdate) { u.ChannelId = "CH1" }},
		{"an element that is not there", "error validating channel creation transaction for new channel 'ch1', could not successfully apply update to template configuration: error authorizing update: ", nil, 1,
			func(u *cb.ConfigUpdate) { u.ReadSet.Groups["Nobody"] = &cb.ConfigGroup{} }},
		{"no such organization at all, empty consortium", "", func(config *cb.Config) {
			config.ChannelGroup.Groups["Consortiums"].Groups["SampleConsortium"].Groups = nil
		}, 1, func(u *cb.ConfigUpdate) {
			u.WriteSet.Groups["Application"].Groups, u.ReadSet.Groups["Application"].Groups = nil, nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, p := newSystem(t, test.system)
			c.channels = test.channels
			u := c.net.CreationUpdate()
			if test.update != nil {
				test.update(u)
			}
			admin := c.net.OrgUser("Admin")
			_, _, err := p.ProcessConfigUpdateMsg(protoutil.NewMessage(c.net.SignedUpdate(u, admin, admin)))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestMismatchedChannelIDs(t *testing.T) {
	c, p := newSystem(t, nil)
	admin := c.net.OrgUser("Admin")
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: "ch2",
		Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: protoutil.MustMarshal(c.net.CreationUpdate())},
	}, admin)
	require.NoError(t, err)
	_, _, err = p.ProcessConfigUpdateMsg(protoutil.NewMessage(env))
	require.EqualError(t, err, "Failing initial channel config creation: mismatched channel IDs: 'ch1' != 'ch2'")
}

// The name of the policy that governs a new channel's Application group.
func TestCreationPolicyKey(t *testing.T) {
	admins := func(version uint64) *creation {
		return &creation{application: &cb.ConfigGroup{Policies: map[string]*cb.ConfigPolicy{"Admins": {Version: version}}}}
	}
	other := &creation{application: &cb.ConfigGroup{Policies: map[string]*cb.ConfigPolicy{"Readers": {}}}}
	require.Equal(t, "ChannelCreationPolicy", creationPolicyKey(admins(1), false), "without V2_0")
	require.Equal(t, "Admins", creationPolicyKey(admins(1), true))
	require.Equal(t, "ChannelCreationPolicy", creationPolicyKey(admins(0), true), "an older configtxgen")
	require.Equal(t, "Admins", creationPolicyKey(other, true))
	require.Equal(t, "ChannelCreationPolicy", creationPolicyKey(&creation{application: &cb.ConfigGroup{}}, true), "no policies at all")
}

// A creation that claims more than its update says is not let through.
func TestSystemChannelFilterComparesClaimAndUpdate(t *testing.T) {
	c, p := newSystem(t, nil)
	msg, _, err := p.ProcessConfigUpdateMsg(protoutil.NewMessage(c.net.Creation()))
	require.NoError(t, err)
	payload, err := protoutil.EnvelopePayload(msg.Envelope)
	require.NoError(t, err)
	inner, err := protoutil.UnmarshalEnvelope(payload.Data)
	require.NoError(t, err)
	e, err := protoutil.ConfigEnvelope(inner)
	require.NoError(t, err)
	filter := SystemChannelFilter{Support: c, Templator: p.templator}
	wrap := func(kind cb.HeaderType, data proto.Message) *protoutil.Message {
		inner, err := p.wrap(kind, "ch1", data)
		require.NoError(t, err)
		outer, err := p.wrap(cb.HeaderType_ORDERER_TRANSACTION, "syschannel", inner.Envelope)
		require.NoError(t, err)
		return outer
	}
	require.NoError(t, filter.Apply(c.resources, wrap(cb.HeaderType_CONFIG, e)))
	require.EqualError(t, filter.Apply(c.resources, wrap(cb.HeaderType_MESSAGE, e)), "wrapped configtx envelope not a config transaction")
	changed := proto.Clone(e).(*cb.ConfigEnvelope)
	changed.Config.Sequence = 9
	require.EqualError(t, filter.Apply(c.resources, wrap(cb.HeaderType_CONFIG, changed)),
		"config proposed by the channel creation request did not match the config received with the channel creation request")
	require.EqualError(t, filter.Apply(c.resources, wrap(cb.HeaderType_CONFIG, &cb.ConfigEnvelope{Config: e.Config})),
		"updated config does not include a config update")
	c.metadata = ErrPermissionDenied
	require.ErrorContains(t, filter.Apply(c.resources, wrap(cb.HeaderType_CONFIG, e)), "consensus metadata update for channel creation is invalid: ")
	require.ErrorContains(t, filter.Apply(c.resources, protoutil.NewMessage(&cb.Envelope{Payload: []byte{1}})), "bad payload: ")
	require.EqualError(t, filter.Apply(c.resources, protoutil.NewMessage(&cb.Envelope{Payload: protoutil.MustMarshal(&cb.Payload{Data: []byte("x")})})), "missing payload header")
}

// The other refusals of the system channel's filter (spec 6.3), in its order.
func TestSystemChannelFilterTexts(t *testing.T) {
	c, p := newSystem(t, nil)
	msg, _, err := p.ProcessConfigUpdateMsg(protoutil.NewMessage(c.net.Creation()))
	require.NoError(t, err)
	noHeader := protoutil.MustMarshal(&cb.Payload{Header: &cb.Header{ChannelHeader: []byte{1}}})
	other := c.net.CreationUpdate()
	other.WriteSet.Values["Consortium"].Value = protoutil.MustMarshal(&cb.Consortium{Name: "Other"})
	unauthorized := c.net.CreationUpdate()
	admin := c.net.OrgUser("Admin")
	creation := func(env *cb.Envelope) *protoutil.Message {
		inner, err := p.wrap(cb.HeaderType_CONFIG, "ch1", &cb.ConfigEnvelope{LastUpdate: env})
		require.NoError(t, err)
		outer, err := p.wrap(cb.HeaderType_ORDERER_TRANSACTION, "syschannel", inner.Envelope)
		require.NoError(t, err)
		return outer
	}
	failing := func(after int, b channelconfig.Resources) NewBundleFunc {
		calls := 0
		return func(id string, config *cb.Config) (channelconfig.Resources, error) {
			if calls++; calls > after {
				if b != nil {
					return b, nil
				}
				return nil, errors.New("no")
			}
			return newBundle(id, config)
		}
	}
	solo, _ := newSystem(t, func(config *cb.Config) {
		v := fixture.ConsensusType(t, config)
		v.Type = "solo"
		fixture.OrdererValues(config)[channelconfig.ConsensusTypeKey].Value = protoutil.MustMarshal(v)
		delete(config.ChannelGroup.Groups, channelconfig.ConsortiumsGroup)
	})
	for _, tc := range []struct {
		want      string
		msg       *protoutil.Message
		newBundle NewBundleFunc
	}{
		{"bad channel header: ", protoutil.NewMessage(&cb.Envelope{Payload: noHeader}), newBundle},
		{"error constructing new channel config from update: Unknown consortium name: Other", creation(c.net.SignedUpdate(other, admin, admin)), newBundle},
		{"error proposing channel update to new channel config: error authorizing update: ", creation(c.net.SignedUpdate(unauthorized, admin)), newBundle},
		{"config does not validly parse: no", msg, failing(1, nil)},
		{"new bundle invalid: ", msg, failing(1, solo.resources)},
	} {
		filter := SystemChannelFilter{Support: c, Templator: Templator{NewBundle: tc.newBundle, Logger: zap.NewNop().Sugar()}}
		require.ErrorContains(t, filter.Apply(c.resources, tc.msg), tc.want)
	}
	require.EqualError(t, SigFilter{Normal: "/Channel/Nothing", Logger: zap.NewNop().Sugar()}.Apply(noPolicies{c.resources}, protoutil.NewMessage(c.net.Message("ch1", admin, "x"))),
		"could not find policy /Channel/Nothing")
}

// noPolicies is a configuration in which no policy is found.
type noPolicies struct{ channelconfig.Resources }

func (n noPolicies) PolicyManager() policies.Manager { return noManager{n.Resources.PolicyManager()} }

type (
	manager   = policies.Manager
	noManager struct{ manager }
)

func (noManager) GetPolicy(string) (policies.Policy, bool) { return nil, false }

// Envelopes of any bytes are classified and refused or accepted, never more.
func FuzzProcess(f *testing.F) {
	c, p := newApplication(f, nil)
	_, sp := newSystem(f, nil)
	f.Add(protoutil.MustMarshal(c.net.Message("ch1", c.net.OrgUser("User1"), "x")))
	f.Add(protoutil.MustMarshal(c.net.Creation()))
	f.Add([]byte("\x0a\x02\x0a\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, err := protoutil.ParseMessage(raw)
		if err != nil {
			return
		}
		if h, err := protoutil.ChannelHeader(msg.Envelope); err == nil {
			Classify(h)
		}
		for _, processor := range []Processor{p, sp} {
			_, nerr := processor.ProcessNormalMsg(msg)
			_, _, uerr := processor.ProcessConfigUpdateMsg(msg)
			_, _, cerr := processor.ProcessConfigMsg(msg)
			for _, err := range []error{nerr, uerr, cerr} {
				if err != nil && strings.TrimSpace(err.Error()) == "" {
					t.Fatal("an error without text")
				}
			}
		}
	})
}
