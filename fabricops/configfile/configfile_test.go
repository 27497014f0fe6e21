package configfile_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/configfile"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

func newest(t *testing.T, stage string) *channelcfg.View {
	t.Helper()
	blocks := fakenet.Ledger(t, "2.2.15", stage, fakenet.Channel)
	index, err := protoutil.LastConfigIndex(blocks[len(blocks)-1])
	require.NoError(t, err)
	v, err := channelcfg.FromBlock(blocks[index])
	require.NoError(t, err)
	return v
}

func TestTheKindOfAFileIsFound(t *testing.T) {
	v := newest(t, fakenet.KafkaNormal)
	u, err := channelcfg.Build(v, runbook.ChangeEnterMaintenance, nil)
	require.NoError(t, err)
	admin, err := identity.Load(fakenet.NewCrypto(t).Admin())
	require.NoError(t, err)
	require.NoError(t, u.Sign(admin))
	env, err := u.Export()
	require.NoError(t, err)
	for kind, data := range map[configfile.Kind][]byte{
		configfile.Block: protoutil.MustMarshal(v.Block), configfile.Config: protoutil.MustMarshal(v.Config),
		configfile.Update: u.Bytes, configfile.Envelope: protoutil.MustMarshal(env),
	} {
		got, m, err := configfile.Detect(data)
		require.NoError(t, err)
		require.Equal(t, kind, got)
		text, err := configfile.JSON(m)
		require.NoError(t, err)
		require.Contains(t, string(text), `"ConsensusType"`)
		require.Contains(t, string(text), `"STATE_`, "values are decoded")
	}
	for _, junk := range [][]byte{nil, []byte("junk"), []byte("{}"), {8, 1}, bytes.Repeat([]byte{0xff}, 100)} {
		_, _, err := configfile.Detect(junk)
		require.ErrorIs(t, err, configfile.ErrUnknown)
	}
	_, err = configfile.Decode("letter", nil)
	require.ErrorContains(t, err, "block, envelope, update or config")
	_, err = configfile.UpdateOf(protoutil.MustMarshal(v.Block))
	require.ErrorContains(t, err, "it holds a block, not an update")
	_, err = configfile.ConfigOf(u.Bytes)
	require.ErrorContains(t, err, "it holds an update, not a configuration")
	for _, text := range []string{`{"a": 1}`, `{`, `{"channel_group":{"groups":{"Orderer":null}}}`, `{"channel_group":{"values":[1]}}`, `{"channel_group":7}`} {
		_, err := configfile.ConfigOf([]byte(text))
		require.Error(t, err, text)
	}
}

// Nothing edited is no update; one edit touches one value, though JSON and back
// need not encode the others as they were.
func TestAnUpdateFromEditedJSONTouchesWhatWasEdited(t *testing.T) {
	for _, stage := range []string{fakenet.KafkaNormal, fakenet.RaftNormal} {
		v := newest(t, stage)
		text, err := configfile.JSON(v.Config)
		require.NoError(t, err)
		_, err = configfile.EditedUpdate(v, text)
		require.ErrorIs(t, err, channelcfg.ErrInForce)

		edited := strings.Replace(string(text), `"STATE_NORMAL"`, `"STATE_MAINTENANCE"`, 1)
		u, err := configfile.EditedUpdate(v, []byte(edited))
		require.NoError(t, err)
		want, err := channelcfg.Build(v, runbook.ChangeEnterMaintenance, nil)
		require.NoError(t, err)
		require.Equal(t, want.Bytes, u.Bytes, "as the update of a run")

		changes, err := configfile.Touched(u)
		require.NoError(t, err)
		require.Len(t, changes, 1)
		require.Equal(t, "Orderer.values.ConsensusType", changes[0].Path)
	}
}

func TestDiffIsOfContent(t *testing.T) {
	v := newest(t, fakenet.KafkaNormal)
	after, ok := proto.Clone(v.Config).(*cb.Config)
	require.True(t, ok)
	none, err := configfile.Diff(v.Config, after)
	require.NoError(t, err)
	require.Empty(t, none)

	orderer := after.ChannelGroup.Groups["Orderer"]
	orderer.Version++
	after.Sequence++
	none, err = configfile.Diff(v.Config, after)
	require.NoError(t, err)
	require.Empty(t, none, "versions follow from the rest")

	text, err := configfile.JSON(v.Config)
	require.NoError(t, err)
	edited := strings.Replace(string(text), `"STATE_NORMAL"`, `"STATE_MAINTENANCE"`, 1)
	edited = strings.Replace(edited, `"timeout": "200ms"`, `"timeout": "2s"`, 1)
	after, err = configfile.ParseConfig([]byte(edited))
	require.NoError(t, err)
	delete(after.ChannelGroup.Groups["Application"].Groups, "Org1MSP")
	got, err := configfile.Diff(v.Config, after)
	require.NoError(t, err)
	var paths []string
	for _, c := range got {
		paths = append(paths, c.Path)
	}
	require.Equal(t, []string{
		"Application.Org1MSP", "Orderer.values.BatchTimeout.value.timeout", "Orderer.values.ConsensusType.value.state",
	}, paths)
	require.Nil(t, got[0].After)
	require.Equal(t, "STATE_MAINTENANCE", got[2].After)

	u, err := configfile.EditedUpdate(v, must(configfile.JSON(after)))
	require.NoError(t, err)
	changes, err := configfile.Touched(u)
	require.NoError(t, err)
	paths = nil
	for _, c := range changes {
		paths = append(paths, c.Path)
	}
	require.Equal(t, []string{"Application.members", "Orderer.values.BatchTimeout", "Orderer.values.ConsensusType"}, paths)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Lists are compared as sets: a consenter that joins is one line.
func TestDiffOfLists(t *testing.T) {
	v := newest(t, fakenet.RaftNormal)
	text := string(must(configfile.JSON(v.Config)))
	edited := strings.Replace(text, `"port": 7250`, `"port": 7251`, 1)
	require.NotEqual(t, text, edited)
	got, err := configfile.Diff(v.Config, must(configfile.ParseConfig([]byte(edited))))
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "Orderer.values.ConsensusType.value.metadata.consenters", got[0].Path)
	require.NotNil(t, got[0].Before)
	require.Nil(t, got[0].After)
	require.NotNil(t, got[1].After)
}
