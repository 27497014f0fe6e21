package channelcfg_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

var versions = []string{"2.2.15", "2.5.16"}

func newest(t *testing.T, version, stage, channel string) *channelcfg.View {
	t.Helper()
	blocks := fakenet.Ledger(t, version, stage, channel)
	index, err := protoutil.LastConfigIndex(blocks[len(blocks)-1])
	require.NoError(t, err)
	v, err := channelcfg.FromBlock(blocks[index])
	require.NoError(t, err)
	return v
}

func metadata(t *testing.T, crypto fakenet.Crypto) []byte {
	t.Helper()
	inv := &inventory.Network{}
	for i, address := range []string{"localhost:7050", "localhost:7150", "localhost:7250"} {
		inv.Orderers = append(inv.Orderers, inventory.Orderer{
			Process:    inventory.Process{Name: "orderer" + string(rune('0'+i)), Address: address},
			ServerCert: filepath.Join(crypto.OrdererTLS(i), "server.crt"),
			ClientCert: filepath.Join(crypto.OrdererTLS(i), "server.crt"),
		})
	}
	md, err := consenters.Build(inv)
	require.NoError(t, err)
	return md.Bytes
}

// engine judges an update as an orderer does: configtx, then the maintenance
// filter. It returns the configuration that results.
func engine(v *channelcfg.View, env *cb.Envelope) (*cb.ConfigEnvelope, error) {
	bundle, err := channelconfig.NewBundle(v.Channel, v.Config)
	if err != nil {
		return nil, err
	}
	next, err := bundle.ConfigtxValidator().ProposeConfigUpdate(env)
	if err != nil {
		return nil, err
	}
	config, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_CONFIG, ChannelID: v.Channel, Data: next}, nil)
	if err != nil {
		return nil, err
	}
	filter := msgprocessor.MaintenanceFilter{
		NewBundle: func(id string, c *cb.Config) (channelconfig.Resources, error) { return channelconfig.NewBundle(id, c) },
		Logger:    zap.NewNop().Sugar(),
	}
	return next, filter.Apply(bundle, protoutil.NewMessage(config))
}

func TestTheThreeUpdatesChangeOneValueAndNothingElse(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	admin, err := identity.Load(crypto.Admin())
	require.NoError(t, err)
	md := metadata(t, crypto)
	for _, version := range versions {
		for _, channel := range []string{fakenet.SystemChannel, fakenet.Channel} {
			t.Run(version+" "+channel, func(t *testing.T) {
				v := newest(t, version, fakenet.KafkaNormal, channel)
				require.Equal(t, "kafka", v.Type())
				require.Equal(t, "STATE_NORMAL", v.State())
				require.Empty(t, v.MetadataHash())
				for _, step := range []struct {
					change runbook.Change
					want   *ab.ConsensusType
				}{
					{runbook.ChangeEnterMaintenance, &ab.ConsensusType{Type: "kafka", State: ab.ConsensusType_STATE_MAINTENANCE}},
					{runbook.ChangeSwitchType, &ab.ConsensusType{Type: "etcdraft", Metadata: md, State: ab.ConsensusType_STATE_MAINTENANCE}},
					{runbook.ChangeExitMaintenance, &ab.ConsensusType{Type: "etcdraft", Metadata: md}},
				} {
					require.False(t, channelcfg.InForce(v, step.change, md))
					u, err := channelcfg.Build(v, step.change, md)
					require.NoError(t, err)
					require.NoError(t, u.Sign(admin))
					env, err := u.Envelope(admin, time.Now(), nil)
					require.NoError(t, err)
					result, err := engine(v, env)
					require.NoError(t, err, "the engine accepts %s", step.change)
					requireOnlyConsensusTypeChanged(t, v.Config, result.Config, step.want)
					v = after(v, result)
					require.True(t, channelcfg.InForce(v, step.change, md))
					_, err = channelcfg.Build(v, step.change, md)
					require.ErrorIs(t, err, channelcfg.ErrInForce)
				}
			})
		}
	}
}

func after(v *channelcfg.View, result *cb.ConfigEnvelope) *channelcfg.View {
	next := *v
	next.Config = result.Config
	next.Consensus = &ab.ConsensusType{}
	value := result.Config.ChannelGroup.Groups["Orderer"].Values["ConsensusType"].Value
	if err := proto.Unmarshal(value, next.Consensus); err != nil {
		panic(err) // the engine has just accepted it
	}
	return &next
}

func requireOnlyConsensusTypeChanged(t *testing.T, before, after *cb.Config, want *ab.ConsensusType) {
	t.Helper()
	got := &ab.ConsensusType{}
	changed := after.ChannelGroup.Groups["Orderer"].Values["ConsensusType"]
	require.NoError(t, proto.Unmarshal(changed.Value, got))
	require.True(t, proto.Equal(want, got), "%v", got)
	rest := proto.Clone(after).(*cb.Config)
	old := before.ChannelGroup.Groups["Orderer"].Values["ConsensusType"]
	require.Equal(t, old.ModPolicy, changed.ModPolicy)
	require.Equal(t, old.Version+1, changed.Version)
	rest.ChannelGroup.Groups["Orderer"].Values["ConsensusType"] = old
	rest.Sequence = before.Sequence
	require.True(t, bytes.Equal(protoutil.MustMarshal(before), protoutil.MustMarshal(rest)), "everything else is as it was, byte for byte")
}

func TestAnotherModificationPolicyIsKept(t *testing.T) {
	v := newest(t, "2.2.15", fakenet.KafkaNormal, fakenet.Channel)
	config := proto.Clone(v.Config).(*cb.Config)
	config.ChannelGroup.Groups["Orderer"].Values["ConsensusType"].ModPolicy = "/Channel/Orderer/Admins"
	v.Config = config
	u, err := channelcfg.Build(v, runbook.ChangeEnterMaintenance, nil)
	require.NoError(t, err)
	update, err := protoutil.UnmarshalConfigUpdate(u.Bytes)
	require.NoError(t, err)
	require.Equal(t, "/Channel/Orderer/Admins", update.WriteSet.Groups["Orderer"].Values["ConsensusType"].ModPolicy)
}

func TestUpdatesThatMustNotBeBuilt(t *testing.T) {
	md := metadata(t, fakenet.NewCrypto(t))
	normal := newest(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel)
	switched := newest(t, "2.5.16", fakenet.TypeSwitched, fakenet.Channel)

	_, err := channelcfg.Build(normal, runbook.ChangeSwitchType, md)
	require.ErrorIs(t, err, channelcfg.ErrNotNow, "type and state never change without maintenance")
	_, err = channelcfg.Build(switched, runbook.ChangeSwitchType, append(md[:len(md):len(md)], 0))
	require.ErrorIs(t, err, channelcfg.ErrNotNow, "other metadata is not laid over metadata that is there")
	_, err = channelcfg.Build(normal, "reverse", nil)
	require.Error(t, err)
}

func TestDetachedSignatureOfASecondAdminIsCarried(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	admin, err := identity.Load(crypto.Admin())
	require.NoError(t, err)
	user, err := identity.Load(crypto.User())
	require.NoError(t, err)
	u, err := channelcfg.Build(newest(t, "2.2.15", fakenet.KafkaNormal, fakenet.Channel), runbook.ChangeEnterMaintenance, nil)
	require.NoError(t, err)
	require.NoError(t, u.Sign(user))
	require.NoError(t, u.Sign(admin))
	env, err := u.Envelope(user, time.Now(), nil)
	require.NoError(t, err)
	inner, err := protoutil.EnvelopeToConfigUpdate(env)
	require.NoError(t, err)
	signed, err := protoutil.ConfigUpdateAsSignedData(inner)
	require.NoError(t, err)
	require.Len(t, signed, 2)
	_, err = engine(newest(t, "2.2.15", fakenet.KafkaNormal, fakenet.Channel), env)
	require.NoError(t, err)
}

// The guide's way: configtxlator compute_update over the same two configurations.
func TestInteropUpdatesEqualThoseOfConfigtxlator(t *testing.T) {
	bin := fabrictest.Dir(t, "configtxlator")
	crypto := fakenet.NewCrypto(t)
	admin, err := identity.Load(crypto.Admin())
	require.NoError(t, err)
	md := metadata(t, crypto)
	for _, version := range versions {
		for _, channel := range []string{fakenet.SystemChannel, fakenet.Channel} {
			v := newest(t, version, fakenet.KafkaNormal, channel)
			for _, change := range []runbook.Change{runbook.ChangeEnterMaintenance, runbook.ChangeSwitchType, runbook.ChangeExitMaintenance} {
				t.Run(version+" "+channel+" "+string(change), func(t *testing.T) {
					u, err := channelcfg.Build(v, change, md)
					require.NoError(t, err)
					require.NoError(t, u.Sign(admin))
					env, err := u.Envelope(admin, time.Now(), nil)
					require.NoError(t, err)
					result, err := engine(v, env)
					require.NoError(t, err)
					theirs := computeUpdate(t, bin, v, result.Config)
					ours, err := protoutil.UnmarshalConfigUpdate(u.Bytes)
					require.NoError(t, err)
					require.True(t, bytes.Equal(protoutil.MustMarshal(theirs), protoutil.MustMarshal(ours)), "theirs %v\nours %v", theirs, ours)
					v = after(v, result)
				})
			}
		}
	}
}

func computeUpdate(t *testing.T, bin string, v *channelcfg.View, next *cb.Config) *cb.ConfigUpdate {
	t.Helper()
	dir := t.TempDir()
	// The edited configuration of the guide has the old versions.
	edited := proto.Clone(v.Config).(*cb.Config)
	edited.ChannelGroup.Groups["Orderer"].Values["ConsensusType"].Value = next.ChannelGroup.Groups["Orderer"].Values["ConsensusType"].Value
	require.NoError(t, os.WriteFile(filepath.Join(dir, "original.pb"), protoutil.MustMarshal(v.Config), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "updated.pb"), protoutil.MustMarshal(edited), 0o600))
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "configtxlator"), "compute_update",
		"--channel_id", v.Channel, "--original", "original.pb", "--updated", "updated.pb", "--output", "update.pb")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	raw, err := os.ReadFile(filepath.Join(dir, "update.pb"))
	require.NoError(t, err)
	u, err := protoutil.UnmarshalConfigUpdate(raw)
	require.NoError(t, err)
	return u
}
