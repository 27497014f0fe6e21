package configtx_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/configtx"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
)

// edited is a configuration before and after an operator's change.
type edited struct {
	before, after *cb.ConfigGroup
}

func TestInteropUpdatesComputedByConfigtxlatorGiveTheUpdatedConfig(t *testing.T) {
	bin := fabrictest.Dir(t, "configtxlator")
	dir := t.TempDir()
	write := func(name string, g *cb.ConfigGroup) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, protoutil.MustMarshal(&cb.Config{ChannelGroup: g}), 0o600))
		return path
	}
	gen := rapid.Custom(func(t *rapid.T) edited {
		e := edited{before: drawGroup(t, 2)}
		e.after = proto.Clone(e.before).(*cb.ConfigGroup)
		edit(t, e.after, 2)
		return e
	})
	compared := 0
	for i := range 25 {
		e := gen.Example(i)
		if proto.Equal(e.before, e.after) {
			continue
		}
		out := filepath.Join(dir, "update.pb")
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "configtxlator"), "compute_update",
			"--channel_id", "ch", "--original", write("before.pb", e.before), "--updated", write("after.pb", e.after), "--output", out)
		log, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", log)
		update, err := os.ReadFile(out)
		require.NoError(t, err)
		pm, err := policies.NewManager("Channel", e.before, nobody{})
		require.NoError(t, err)
		v, err := configtx.NewValidator("ch", &cb.Config{ChannelGroup: e.before}, "Channel", pm)
		require.NoError(t, err)
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
			Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: "ch", Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: update},
		}, nil)
		require.NoError(t, err)
		got, err := v.ProposeConfigUpdate(env)
		require.NoError(t, err)
		require.True(t, proto.Equal(e.after, got.Config.ChannelGroup), "want %v\ngot  %v", e.after, got.Config.ChannelGroup)
		compared++
	}
	require.Positive(t, compared)
}
