package configtx_test

import (
	"testing"

	"github.com/golang/protobuf/proto"
	fabricconfig "github.com/hyperledger/fabric-config/configtx"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/configtx"
	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
)

var names = []string{"A", "B", "C"}

func drawVersion(t *rapid.T) uint64 { return rapid.Uint64Range(0, 3).Draw(t, "version") }

func drawText(t *rapid.T) []byte {
	return []byte(rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "text"))
}

func drawModPolicy(t *rapid.T) string {
	return rapid.SampledFrom([]string{"Admins", "/Channel/Admins"}).Draw(t, "mod_policy")
}

// drawGroup draws a group in which everybody may change everything.
func drawGroup(t *rapid.T, depth int) *cb.ConfigGroup {
	g := &cb.ConfigGroup{
		Version: drawVersion(t), ModPolicy: drawModPolicy(t),
		Groups:   map[string]*cb.ConfigGroup{},
		Values:   map[string]*cb.ConfigValue{},
		Policies: map[string]*cb.ConfigPolicy{"Admins": {Version: drawVersion(t), Policy: accept, ModPolicy: drawModPolicy(t)}},
	}
	for _, name := range names {
		if rapid.Bool().Draw(t, "value") {
			g.Values[name] = &cb.ConfigValue{Version: drawVersion(t), Value: drawText(t), ModPolicy: drawModPolicy(t)}
		}
		if rapid.Bool().Draw(t, "policy") {
			g.Policies[name] = &cb.ConfigPolicy{Version: drawVersion(t), Policy: &cb.Policy{Type: 1, Value: accept.Value}, ModPolicy: drawModPolicy(t)}
		}
		if depth > 0 && rapid.Bool().Draw(t, "group") {
			g.Groups[name] = drawGroup(t, depth-1)
		}
	}
	return g
}

// zero sets the versions of a new element and all below it.
func zero(g *cb.ConfigGroup) {
	g.Version = 0
	for _, v := range g.Values {
		v.Version = 0
	}
	for _, p := range g.Policies {
		p.Version = 0
	}
	for _, sub := range g.Groups {
		zero(sub)
	}
}

// edit changes g as an operator would, sets the versions that must result, and
// reports whether anything changed.
func edit(t *rapid.T, g *cb.ConfigGroup, depth int) bool {
	members, changed := false, false
	if g.Groups == nil { // a copy of a group has no empty maps
		g.Groups = map[string]*cb.ConfigGroup{}
	}
	if g.Values == nil {
		g.Values = map[string]*cb.ConfigValue{}
	}
	for _, name := range names {
		switch v := g.Values[name]; rapid.SampledFrom([]string{"", "", "", "put", "delete"}).Draw(t, "edit") {
		case "put":
			if v == nil {
				g.Values[name] = &cb.ConfigValue{Value: drawText(t), ModPolicy: drawModPolicy(t)}
				members = true
			} else if text, mod := drawText(t), drawModPolicy(t); string(text) != string(v.Value) || mod != v.ModPolicy {
				g.Values[name] = &cb.ConfigValue{Version: v.Version + 1, Value: text, ModPolicy: mod}
				changed = true
			}
		case "delete":
			members = members || v != nil
			delete(g.Values, name)
		}
		switch p := g.Policies[name]; rapid.SampledFrom([]string{"", "", "", "put", "delete"}).Draw(t, "edit") {
		case "put":
			if p == nil {
				g.Policies[name] = &cb.ConfigPolicy{Policy: reject, ModPolicy: drawModPolicy(t)}
				members = true
			} else if mod := drawModPolicy(t); mod != p.ModPolicy {
				g.Policies[name] = &cb.ConfigPolicy{Version: p.Version + 1, Policy: p.Policy, ModPolicy: mod}
				changed = true
			}
		case "delete":
			members = members || p != nil
			delete(g.Policies, name)
		}
		if depth == 0 {
			continue
		}
		switch sub := g.Groups[name]; rapid.SampledFrom([]string{"", "edit", "edit", "put", "delete"}).Draw(t, "edit") {
		case "edit":
			if sub != nil {
				changed = edit(t, sub, depth-1) || changed
			}
		case "put":
			if sub == nil {
				g.Groups[name] = drawGroup(t, depth-1)
				zero(g.Groups[name])
				members = true
			}
		case "delete":
			members = members || sub != nil
			delete(g.Groups, name)
		}
	}
	if mod := drawModPolicy(t); mod != g.ModPolicy && rapid.Bool().Draw(t, "edit") {
		g.ModPolicy, members = mod, true
	}
	if members {
		g.Version++
	}
	return members || changed
}

func proposal(t *rapid.T, c *cb.Config, update []byte) (configtx.Validator, *cb.ConfigEnvelope) {
	pm, err := policies.NewManager("Channel", c.ChannelGroup, nobody{})
	require.NoError(t, err)
	v, err := configtx.NewValidator("ch", c, "Channel", pm)
	require.NoError(t, err)
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: "ch", Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: update},
	}, nil)
	require.NoError(t, err)
	got, err := v.ProposeConfigUpdate(env)
	require.NoError(t, err)
	return v, got
}

// compute is the minimal update as fabric-config computes it, which sets
// versions in what it is given.
func compute(t *rapid.T, original, updated *cb.ConfigGroup) []byte {
	c := fabricconfig.New(&cb.Config{ChannelGroup: original})
	c.UpdatedConfig().ChannelGroup = proto.Clone(updated).(*cb.ConfigGroup)
	update, err := c.ComputeMarshaledUpdate("ch")
	require.NoError(t, err)
	return update
}

func TestAppliedUpdateGivesTheUpdatedConfig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		current := &cb.Config{Sequence: 4, ChannelGroup: drawGroup(t, 2)}
		updated := proto.Clone(current.ChannelGroup).(*cb.ConfigGroup)
		if !edit(t, updated, 2) {
			t.Skip("nothing was changed")
		}
		before := proto.Clone(current)
		v, got := proposal(t, current, compute(t, current.ChannelGroup, updated))
		require.True(t, proto.Equal(updated, got.Config.ChannelGroup), "want %v\ngot  %v", updated, got.Config.ChannelGroup)
		require.EqualValues(t, 5, got.Config.Sequence)
		require.NoError(t, v.Validate(got))
		require.True(t, proto.Equal(before, current), "the current configuration is not touched")

		// The same update does not apply twice.
		next := got.Config
		pm, err := policies.NewManager("Channel", next.ChannelGroup, nobody{})
		require.NoError(t, err)
		v, err = configtx.NewValidator("ch", next, "Channel", pm)
		require.NoError(t, err)
		_, err = v.ProposeConfigUpdate(got.LastUpdate)
		require.Error(t, err)
	})
}

func FuzzProposeConfigUpdate(f *testing.F) {
	c := config()
	v := validator(f, c)
	f.Add(protoutil.MustMarshal(&cb.ConfigUpdate{ChannelId: "ch", ReadSet: &cb.ConfigGroup{}, WriteSet: withValue("A", &cb.ConfigValue{Version: 4, ModPolicy: "Admins"})}), []byte{})
	f.Add(protoutil.MustMarshal(&cb.ConfigUpdate{ChannelId: "ch", ReadSet: withG(&cb.ConfigGroup{Version: 2}), WriteSet: withG(&cb.ConfigGroup{Version: 3, ModPolicy: "Admins"})}), []byte{})
	f.Add([]byte{0xff}, []byte{0x0a, 0x00})
	before := proto.Clone(c)
	f.Fuzz(func(t *testing.T, update, signature []byte) {
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
			Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: "ch",
			Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: update, Signatures: []*cb.ConfigSignature{{SignatureHeader: signature}}},
		}, nil)
		require.NoError(t, err)
		got, err := v.ProposeConfigUpdate(env)
		require.True(t, proto.Equal(before, c))
		if err != nil {
			return
		}
		require.NoError(t, v.Validate(got))
		require.EqualValues(t, 8, got.Config.Sequence)
		// What came of it can carry the next configuration.
		pm, err := policies.NewManager("Channel", got.Config.ChannelGroup, nobody{})
		if err != nil {
			return
		}
		_, err = configtx.NewValidator("ch", got.Config, "Channel", pm)
		require.NoError(t, err)
	})
}
