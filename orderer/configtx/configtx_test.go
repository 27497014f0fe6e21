package configtx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/configtx"
	"raftmig/orderer/msp"
	"raftmig/orderer/policies"
	"raftmig/orderer/policies/policydsl"
	"raftmig/orderer/protoutil"
)

type nobody struct{}

func (nobody) DeserializeIdentity([]byte) (msp.Identity, error) { return nil, errors.New("nobody") }

var (
	accept = policydsl.SignaturePolicy(policydsl.AcceptAll())
	reject = policydsl.SignaturePolicy(policydsl.RejectAll())
)

func policy(p *cb.Policy) *cb.ConfigPolicy { return &cb.ConfigPolicy{Policy: p, ModPolicy: "Admins"} }

func value(text string) *cb.ConfigValue {
	return &cb.ConfigValue{Value: []byte(text), ModPolicy: "Admins"}
}

// config is /Channel with values A (version 3) and B, policies Admins (accepts)
// and Nobody (rejects); /Channel/G (version 2) with value C, guarded by G's own
// Admins; /Channel/Closed whose Admins reject.
func config() *cb.Config {
	return &cb.Config{Sequence: 7, ChannelGroup: &cb.ConfigGroup{
		ModPolicy: "Admins",
		Policies:  map[string]*cb.ConfigPolicy{"Admins": policy(accept), "Nobody": policy(reject)},
		Values: map[string]*cb.ConfigValue{
			"A": {Version: 3, Value: []byte("a"), ModPolicy: "Admins"},
			"B": {Value: []byte("b"), ModPolicy: "/Channel/Nobody"},
		},
		Groups: map[string]*cb.ConfigGroup{
			"G": {
				Version: 2, ModPolicy: "Admins",
				Policies: map[string]*cb.ConfigPolicy{"Admins": policy(accept)},
				Values:   map[string]*cb.ConfigValue{"C": value("c"), "D": {Value: []byte("d"), ModPolicy: "/Channel/Closed/Admins"}, "E": {Value: []byte("e"), ModPolicy: "Gone"}},
			},
			"Closed": {
				ModPolicy: "Admins",
				Policies:  map[string]*cb.ConfigPolicy{"Admins": policy(reject)},
				Values:    map[string]*cb.ConfigValue{"F": {Value: []byte("f"), ModPolicy: "/Channel/Admins"}, "H": value("h")},
			},
		},
	}}
}

func validator(t testing.TB, c *cb.Config) configtx.Validator {
	t.Helper()
	pm, err := policies.NewManager("Channel", c.ChannelGroup, nobody{})
	require.NoError(t, err)
	v, err := configtx.NewValidator("ch", c, "Channel", pm)
	require.NoError(t, err)
	return v
}

func envelope(t testing.TB, u *cb.ConfigUpdate) *cb.Envelope {
	t.Helper()
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: u.ChannelId,
		Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: protoutil.MustMarshal(u)},
	}, nil)
	require.NoError(t, err)
	return env
}

type set = *cb.ConfigGroup

// withG is a read or write set that holds group G only.
func withG(g *cb.ConfigGroup) set {
	return &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"G": g}}
}

func withValue(name string, v *cb.ConfigValue) *cb.ConfigGroup {
	return &cb.ConfigGroup{Values: map[string]*cb.ConfigValue{name: v}}
}

func TestUpdatesThatMayNotBe(t *testing.T) {
	changed := func(version uint64, modPolicy string) *cb.ConfigValue {
		return &cb.ConfigValue{Version: version, Value: []byte("new"), ModPolicy: modPolicy}
	}
	inG := func(name string, v *cb.ConfigValue) set {
		return withG(&cb.ConfigGroup{Version: 2, Values: map[string]*cb.ConfigValue{name: v}})
	}
	for _, tc := range []struct {
		name        string
		channel     string
		read, write set
		want        string
	}{
		{"another channel", "other", nil, nil, "ConfigUpdate for channel 'other' but envelope for channel 'ch'"},
		{"a read key that there is not", "", withValue("X", value("x")), nil, "error validating ReadSet: existing config does not contain element for [Value]  /Channel/X but was in the read set"},
		{"a read key at another version", "", withValue("A", changed(2, "")), nil, "error validating ReadSet: proposed update requires that key [Value]  /Channel/A be at version 2, but it is currently at version 3"},
		{"a read group at another version", "", withG(&cb.ConfigGroup{Version: 1}), nil, "error validating ReadSet: proposed update requires that key [Group]  /Channel/G be at version 1, but it is currently at version 2"},
		{"a read policy at another version", "", &cb.ConfigGroup{Policies: map[string]*cb.ConfigPolicy{"Admins": {Version: 9}}}, nil, "error validating ReadSet: proposed update requires that key [Policy] /Channel/Admins be at version 9, but it is currently at version 0"},
		{"a bad name in the read set", "", withValue("a b", value("x")), nil, "error mapping ReadSet: illegal characters in key: [Value]  : config ID 'a b' contains illegal characters"},
		{"a bad name in the write set", "", nil, &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"..": {}}}, "error mapping WriteSet: illegal characters in key: [Group]  : name '..' for config ID is not allowed"},
		{"no name in the write set", "", nil, &cb.ConfigGroup{Policies: map[string]*cb.ConfigPolicy{"": {}}}, "error mapping WriteSet: illegal characters in key: [Policy] : config ID illegal, cannot be empty"},
		{"nothing", "", nil, nil, "error validating DeltaSet: delta set was empty -- update would have no effect"},
		{"what was read only", "", withValue("A", changed(3, "")), withValue("A", changed(3, "")), "error validating DeltaSet: delta set was empty -- update would have no effect"},
		{"the same version, not read", "", &cb.ConfigGroup{}, withValue("A", changed(3, "Admins")), "error validating DeltaSet: attempt to set key [Value]  /Channel/A to version 3, but key is at version 3"},
		{"a version too far", "", &cb.ConfigGroup{}, withValue("A", changed(5, "Admins")), "error validating DeltaSet: attempt to set key [Value]  /Channel/A to version 5, but key is at version 3"},
		{"a new key not at version 0", "", &cb.ConfigGroup{}, withValue("X", changed(1, "Admins")), "error validating DeltaSet: attempted to set key [Value]  /Channel/X to version 1, but key does not exist"},
		{"no mod_policy", "", &cb.ConfigGroup{}, withValue("A", changed(4, "")), "error validating DeltaSet: invalid mod_policy for element [Value]  /Channel/A: mod_policy not set"},
		{"a malformed mod_policy", "", &cb.ConfigGroup{}, withValue("A", changed(4, "/Channel//Admins")), "error validating DeltaSet: invalid mod_policy for element [Value]  /Channel/A: path element at 1 is invalid: config ID illegal, cannot be empty"},
		{"a mod_policy with blanks", "", &cb.ConfigGroup{}, withValue("A", changed(4, "my policy")), "error validating DeltaSet: invalid mod_policy for element [Value]  /Channel/A: path element at 0 is invalid: config ID 'my policy' contains illegal characters"},
		{"a policy of the root that rejects", "", &cb.ConfigGroup{}, withValue("B", changed(1, "Admins")), "error validating DeltaSet: policy for [Value]  /Channel/B not satisfied: signature set did not satisfy policy"},
		{"an absolute policy that rejects", "", withG(&cb.ConfigGroup{Version: 2}), inG("D", changed(1, "Admins")), "error validating DeltaSet: policy for [Value]  /Channel/G/D not satisfied: signature set did not satisfy policy"},
		{"a relative policy of the group that rejects", "", &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"Closed": {}}}, &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"Closed": withValue("H", changed(1, "Admins"))}}, "error validating DeltaSet: policy for [Value]  /Channel/Closed/H not satisfied: signature set did not satisfy policy"},
		{"a group's own policy that rejects", "", &cb.ConfigGroup{}, &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"Closed": {Version: 1, ModPolicy: "Admins"}}}, "error validating DeltaSet: policy for [Group]  /Channel/Closed not satisfied: signature set did not satisfy policy"},
		{"a policy that there is not", "", withG(&cb.ConfigGroup{Version: 2}), inG("E", changed(1, "Admins")), "error validating DeltaSet: unexpected missing policy Gone for item [Value]  /Channel/G/E"},
		{"a new key without its group's new version", "", withG(&cb.ConfigGroup{Version: 2}), inG("X", changed(0, "Admins")), ""},
		{"a key left out although it is written", "", withG(&cb.ConfigGroup{Version: 2}), withG(&cb.ConfigGroup{Version: 2, Groups: map[string]*cb.ConfigGroup{"X": {}}}), "error validating DeltaSet: invalid mod_policy for element [Group]  /Channel/G/X: mod_policy not set"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			channel := tc.channel
			if channel == "" {
				channel = "ch"
			}
			v := validator(t, config())
			got, err := v.ProposeConfigUpdate(envelope(t, &cb.ConfigUpdate{ChannelId: channel, ReadSet: tc.read, WriteSet: tc.write}))
			if tc.want == "" {
				// Without a new version its group does not list the key: it is not in the result.
				require.NoError(t, err)
				require.True(t, proto.Equal(config().ChannelGroup, got.Config.ChannelGroup))
				return
			}
			require.EqualError(t, err, "error authorizing update: "+tc.want)
		})
	}
}

func TestEnvelopesThatAreNoUpdates(t *testing.T) {
	v := validator(t, config())
	for _, tc := range []struct {
		name string
		env  *cb.Envelope
		want string
	}{
		{"none", nil, "error converting envelope to config update: nil envelope"},
		{"no payload", &cb.Envelope{}, "error converting envelope to config update: no header in payload"},
		{"garbage", &cb.Envelope{Payload: []byte{0xff}}, "error converting envelope to config update: error unmarshalling Payload: "},
		{"another type", must(protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_MESSAGE}, nil)), "error converting envelope to config update: invalid type MESSAGE, expected CONFIG_UPDATE"},
		{"garbage inside", must(protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_CONFIG_UPDATE, Bytes: []byte{0xff}}, nil)), "error converting envelope to config update: error unmarshalling message for type CONFIG_UPDATE: "},
		{"a bad update", must(protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_CONFIG_UPDATE, Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: []byte{0xff}}}, nil)), "error authorizing update: error unmarshalling ConfigUpdate: "},
		{"a bad signature", must(protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_CONFIG_UPDATE, Data: &cb.ConfigUpdateEnvelope{
			ConfigUpdate: protoutil.MustMarshal(&cb.ConfigUpdate{ChannelId: "ch"}),
			Signatures:   []*cb.ConfigSignature{{SignatureHeader: []byte{0xff}}},
		}}, nil)), "error authorizing update: config signature 0: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := v.ProposeConfigUpdate(tc.env)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func must(env *cb.Envelope, err error) *cb.Envelope {
	if err != nil {
		panic(err)
	}
	return env
}

func TestUpdatesChangeAddAndDelete(t *testing.T) {
	base := config()
	v := validator(t, base)
	update := &cb.ConfigUpdate{
		ChannelId: "ch",
		ReadSet:   withG(&cb.ConfigGroup{Version: 2, Values: map[string]*cb.ConfigValue{"C": {}}}),
		WriteSet: withG(&cb.ConfigGroup{
			Version: 3, ModPolicy: "Admins",
			Values:   map[string]*cb.ConfigValue{"C": {}, "N": value("n")}, // D and E go
			Policies: map[string]*cb.ConfigPolicy{"Admins": {Version: 1, Policy: reject, ModPolicy: "Admins"}},
			Groups:   map[string]*cb.ConfigGroup{"Sub": {ModPolicy: "Admins", Values: map[string]*cb.ConfigValue{"S": value("s")}}},
		}),
	}
	env := envelope(t, update)
	got, err := v.ProposeConfigUpdate(env)
	require.NoError(t, err)
	want := config()
	want.Sequence = 8
	g := want.ChannelGroup.Groups["G"]
	g.Version = 3
	delete(g.Values, "D")
	delete(g.Values, "E")
	g.Values["N"] = value("n")
	g.Policies["Admins"] = &cb.ConfigPolicy{Version: 1, Policy: reject, ModPolicy: "Admins"}
	g.Groups = map[string]*cb.ConfigGroup{"Sub": {ModPolicy: "Admins", Values: map[string]*cb.ConfigValue{"S": value("s")}}}
	require.True(t, proto.Equal(&cb.ConfigEnvelope{Config: want, LastUpdate: env}, got), "%v", got.Config)
	require.True(t, proto.Equal(config(), base), "the current configuration is not touched")
	require.NoError(t, v.Validate(got))
	// What was unguarded before the update is guarded by its new policy afterwards.
	_, err = validator(t, got.Config).ProposeConfigUpdate(envelope(t, &cb.ConfigUpdate{
		ChannelId: "ch", ReadSet: withG(&cb.ConfigGroup{Version: 3}), WriteSet: withG(&cb.ConfigGroup{Version: 3, Values: map[string]*cb.ConfigValue{"C": {Version: 1, ModPolicy: "Admins"}}}),
	}))
	require.ErrorContains(t, err, "policy for [Value]  /Channel/G/C not satisfied")
}

// countingManager counts the evaluations of each policy.
type countingManager struct {
	base  policies.Manager
	path  string
	calls map[string]int
}

type countingPolicy struct {
	policies.Policy
	count func()
}

func (p *countingPolicy) EvaluateSignedData(s []*protoutil.SignedData) error {
	p.count()
	return p.Policy.EvaluateSignedData(s)
}

func (m *countingManager) GetPolicy(path string) (policies.Policy, bool) {
	p, ok := m.base.GetPolicy(path)
	return &countingPolicy{p, func() { m.calls[m.path+" "+path]++ }}, ok
}

func (m *countingManager) Manager(path []string) (policies.Manager, bool) {
	sub, ok := m.base.Manager(path)
	return &countingManager{base: sub, path: strings.Join(path, "/"), calls: m.calls}, ok
}

func TestSignaturesAreVerifiedOnceForEachPolicy(t *testing.T) {
	c := config()
	pm, err := policies.NewManager("Channel", c.ChannelGroup, nobody{})
	require.NoError(t, err)
	counting := &countingManager{base: pm, calls: map[string]int{}}
	v, err := configtx.NewValidator("ch", c, "Channel", counting)
	require.NoError(t, err)
	_, err = v.ProposeConfigUpdate(envelope(t, &cb.ConfigUpdate{
		ChannelId: "ch", ReadSet: &cb.ConfigGroup{},
		WriteSet: &cb.ConfigGroup{
			Version: 1, ModPolicy: "Admins",
			Values:   map[string]*cb.ConfigValue{"A": {Version: 4, ModPolicy: "Admins"}},
			Policies: map[string]*cb.ConfigPolicy{"Nobody": {Version: 1, ModPolicy: "Admins", Policy: accept}, "Admins": {Version: 1, ModPolicy: "Admins", Policy: accept}},
			Groups: map[string]*cb.ConfigGroup{"G": {
				Version: 3, ModPolicy: "Admins",
				Values:   map[string]*cb.ConfigValue{"C": {Version: 1, ModPolicy: "Admins"}},
				Policies: map[string]*cb.ConfigPolicy{"Admins": {Version: 1, ModPolicy: "Admins", Policy: accept}},
			}},
		},
	}))
	require.NoError(t, err)
	require.Equal(t, map[string]int{" Admins": 2, "G Admins": 1}, counting.calls, "the root group and what is in it are looked up in two ways")
}

func TestDeeplyNestedGroupsAreRefused(t *testing.T) {
	deep := &cb.ConfigGroup{}
	for range 200 {
		deep = &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{strings.Repeat("g", 249): deep}}
	}
	v := validator(t, config())
	_, err := v.ProposeConfigUpdate(envelope(t, &cb.ConfigUpdate{ChannelId: "ch", ReadSet: deep}))
	require.EqualError(t, err, "error authorizing update: error mapping ReadSet: groups are nested more than 64 deep")
	_, err = v.ProposeConfigUpdate(envelope(t, &cb.ConfigUpdate{ChannelId: "ch", WriteSet: deep}))
	require.EqualError(t, err, "error authorizing update: error mapping WriteSet: groups are nested more than 64 deep")
}

func TestValidateRecomputesTheResult(t *testing.T) {
	v := validator(t, config())
	good := func() *cb.ConfigEnvelope {
		c, err := v.ProposeConfigUpdate(envelope(t, &cb.ConfigUpdate{ChannelId: "ch", WriteSet: withValue("A", &cb.ConfigValue{Version: 4, ModPolicy: "Admins"}), ReadSet: &cb.ConfigGroup{}}))
		require.NoError(t, err)
		return c
	}
	for _, tc := range []struct {
		name   string
		change func(*cb.ConfigEnvelope) *cb.ConfigEnvelope
		want   string
	}{
		{"nothing", func(*cb.ConfigEnvelope) *cb.ConfigEnvelope { return nil }, "config envelope is nil"},
		{"no config", func(c *cb.ConfigEnvelope) *cb.ConfigEnvelope { c.Config = nil; return c }, "config envelope has nil config"},
		{"the current sequence", func(c *cb.ConfigEnvelope) *cb.ConfigEnvelope { c.Config.Sequence = 7; return c }, "config currently at sequence 7, cannot validate config at sequence 7"},
		{"no update", func(c *cb.ConfigEnvelope) *cb.ConfigEnvelope { c.LastUpdate = nil; return c }, "nil envelope"},
		{"an update that may not be", func(c *cb.ConfigEnvelope) *cb.ConfigEnvelope {
			c.LastUpdate = envelope(t, &cb.ConfigUpdate{ChannelId: "ch"})
			return c
		}, "error validating DeltaSet: delta set was empty -- update would have no effect"},
		{"another result", func(c *cb.ConfigEnvelope) *cb.ConfigEnvelope { c.Config.ChannelGroup.Version++; return c }, "ConfigEnvelope LastUpdate did not produce the supplied config result"},
		{"no result", func(c *cb.ConfigEnvelope) *cb.ConfigEnvelope { c.Config.ChannelGroup = nil; return c }, "ConfigEnvelope LastUpdate did not produce the supplied config result"},
	} {
		t.Run(tc.name, func(t *testing.T) { require.EqualError(t, v.Validate(tc.change(good())), tc.want) })
	}
	require.NoError(t, v.Validate(good()))
}

func TestEmptyModPoliciesAreFilledOnceThereAreOrdererCapabilities(t *testing.T) {
	old := func() *cb.Config {
		c := config()
		c.ChannelGroup.ModPolicy = ""
		c.ChannelGroup.Groups["G"].ModPolicy = ""
		c.ChannelGroup.Groups["G"].Values["C"].ModPolicy = ""
		c.ChannelGroup.Groups["G"].Policies["Admins"].ModPolicy = ""
		c.ChannelGroup.Groups["Orderer"] = &cb.ConfigGroup{ModPolicy: "Admins", Policies: map[string]*cb.ConfigPolicy{"Admins": policy(accept)}}
		return c
	}
	update := envelope(t, &cb.ConfigUpdate{ChannelId: "ch", ReadSet: &cb.ConfigGroup{}, WriteSet: withValue("A", &cb.ConfigValue{Version: 4, ModPolicy: "Admins"})})

	got, err := validator(t, old()).ProposeConfigUpdate(update)
	require.NoError(t, err)
	require.Empty(t, got.Config.ChannelGroup.ModPolicy)
	require.Empty(t, got.Config.ChannelGroup.Groups["G"].Values["C"].ModPolicy)

	capable := old()
	capable.ChannelGroup.Groups["Orderer"].Values = map[string]*cb.ConfigValue{"Capabilities": value("")}
	got, err = validator(t, capable).ProposeConfigUpdate(update)
	require.NoError(t, err)
	g := got.Config.ChannelGroup.Groups["G"]
	for _, filled := range []string{got.Config.ChannelGroup.ModPolicy, g.ModPolicy, g.Values["C"].ModPolicy, g.Policies["Admins"].ModPolicy} {
		require.Equal(t, "Admins", filled)
	}
	require.Equal(t, "/Channel/Closed/Admins", g.Values["D"].ModPolicy)
	require.Empty(t, capable.ChannelGroup.Groups["G"].ModPolicy, "the current configuration is not touched")
}

func TestNewValidatorRefusesBadConfigs(t *testing.T) {
	_, err := configtx.NewValidator("ch", nil, "Channel", nil)
	require.EqualError(t, err, "nil config parameter")
	_, err = configtx.NewValidator("ch", &cb.Config{}, "Channel", nil)
	require.EqualError(t, err, "nil channel group")
	_, err = configtx.NewValidator("Ch", config(), "Channel", nil)
	require.EqualError(t, err, "bad channel ID: 'Ch' contains illegal characters")
	_, err = configtx.NewValidator("ch", &cb.Config{ChannelGroup: withValue("_", value("x"))}, "Channel", nil)
	require.EqualError(t, err, "error converting config to map: illegal characters in key: [Value]  : config ID '_' contains illegal characters")
	_, err = configtx.NewValidator("ch", &cb.Config{ChannelGroup: &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"G": nil}}}, "Channel", nil)
	require.NoError(t, err)
	v := validator(t, config())
	require.Equal(t, "ch", v.ChannelID())
	require.EqualValues(t, 7, v.Sequence())
	require.True(t, proto.Equal(config(), v.ConfigProto()))
}

func TestIDs(t *testing.T) {
	long := strings.Repeat("a", 249)
	for id, want := range map[string]string{
		"a": "", "mychannel": "", "my-channel.1": "", long: "",
		"":                  "channel ID illegal, cannot be empty",
		long + "a":          "channel ID illegal, cannot be longer than 249",
		"A":                 "'A' contains illegal characters",
		"aB":                "'aB' contains illegal characters",
		"1a":                "'1a' contains illegal characters",
		".":                 "'.' contains illegal characters",
		"-a":                "'-a' contains illegal characters",
		"my_channel":        "'my_channel' contains illegal characters",
		"my channel":        "'my channel' contains illegal characters",
		"a\x00":             "'a\x00' contains illegal characters",
		"caf\u00e9":         "'caf\u00e9' contains illegal characters",
		"a/../../../passwd": "'a/../../../passwd' contains illegal characters",
	} {
		if err := configtx.ValidateChannelID(id); want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
	}
	for id, want := range map[string]string{
		"A": "", "1": "", "-": "", "...": "", "Org1.example-com": "", long: "",
		"":         "config ID illegal, cannot be empty",
		long + "a": "config ID illegal, cannot be longer than 249",
		".":        "name '.' for config ID is not allowed",
		"..":       "name '..' for config ID is not allowed",
		"a_b":      "config ID 'a_b' contains illegal characters",
		"a/b":      "config ID 'a/b' contains illegal characters",
	} {
		if err := configtx.ValidateConfigID(id); want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
	}
}
