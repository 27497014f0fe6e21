package raftmetadata_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// Vectors of spec appendix A.2.
func TestBlockMetadataHasFabricsBytes(t *testing.T) {
	bm := raftmetadata.MigratedBlockMetadata(consenters("abc"))
	require.Equal(t, "0a030102031004", hex.EncodeToString(protoutil.MustMarshal(bm)))
	bm.RaftIndex = 7
	require.Equal(t, "0a0301020310041807", hex.EncodeToString(protoutil.MustMarshal(bm)))
}

// Vectors of spec appendix A.4.
func TestFirstCampaignerVectors(t *testing.T) {
	for channel, want := range map[string]struct {
		varint uint64
		node   [5]uint64
	}{
		"systemchannel":    {1712011, [5]uint64{1, 2, 2, 4, 2}},
		"testchannel1":     {123490869631752, [5]uint64{1, 1, 1, 1, 3}},
		"testchannel2":     {115, [5]uint64{1, 2, 2, 4, 1}},
		"mychannel":        {52, [5]uint64{1, 1, 2, 1, 3}},
		"channel1":         {378608992604464, [5]uint64{1, 1, 2, 1, 5}},
		"byfn-sys-channel": {20516357859, [5]uint64{1, 2, 1, 4, 5}},
	} {
		sum := sha256.Sum256([]byte(channel))
		x, _ := protowire.ConsumeVarint(sum[24:])
		require.Equal(t, want.varint, x, channel)
		for n, node := range want.node {
			require.Equal(t, node, raftmetadata.FirstCampaigner(channel, n+1), "%s of %d", channel, n+1)
		}
	}
}

func TestReadBlockMetadata(t *testing.T) {
	config := &etcdraft.ConfigMetadata{Consenters: consenters("abc")}
	for _, tc := range []struct {
		name  string
		value string
		want  *etcdraft.BlockMetadata
		err   string
	}{
		{name: "none is derived from the configuration", want: &etcdraft.BlockMetadata{ConsenterIds: []uint64{1, 2, 3}, NextConsenterId: 4}},
		{name: "what Raft wrote", value: "0a03010503100918cf01",
			want: &etcdraft.BlockMetadata{ConsenterIds: []uint64{1, 5, 3}, NextConsenterId: 9, RaftIndex: 207}},
		{name: "what Kafka wrote after the type change", value: "0805",
			err: "block metadata has 1 consenter IDs [5], but the configuration has 3 consenters: " +
				"the last block was not written by Raft, nor is it the block that changed the consensus type"},
		{name: "an ID twice", value: "0a03010103", err: "block metadata has invalid consenter IDs [1 1 3]"},
		{name: "noise", value: "ff", err: "failed to unmarshal block's metadata: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			value, err := hex.DecodeString(tc.value)
			require.NoError(t, err)
			bm, err := raftmetadata.ReadBlockMetadata(&cb.Metadata{Value: value}, config)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, protoutil.MustMarshal(tc.want), protoutil.MustMarshal(bm))
		})
	}
	bm, err := raftmetadata.ReadBlockMetadata(nil, config)
	require.NoError(t, err)
	require.Len(t, bm.ConsenterIds, 3)
}

func TestMigrationIsAnEmptyMetadataAboveTheGenesisBlock(t *testing.T) {
	require.True(t, raftmetadata.IsMigration(&cb.Metadata{}, 2))
	require.True(t, raftmetadata.IsMigration(nil, 4))
	require.False(t, raftmetadata.IsMigration(&cb.Metadata{}, 1))
	require.False(t, raftmetadata.IsMigration(&cb.Metadata{Value: []byte{8, 5}}, 4))
}

func TestTheLastBlockOfAFabricLedgerAfterTheTypeChangeIsAMigration(t *testing.T) {
	files, err := filepath.Glob("testdata/*.block.gz")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			block := readBlock(t, file)
			md, err := protoutil.ConsenterMetadata(block)
			require.NoError(t, err)
			require.True(t, raftmetadata.IsMigration(md, block.Header.Number+1))
			config, err := raftmetadata.OfConfigBlock(block)
			require.NoError(t, err)
			require.Len(t, config.Consenters, 3)
			require.NoError(t, raftmetadata.VerifyRaftOptions(config.Options))

			bm, err := raftmetadata.ReadBlockMetadata(md, config)
			require.NoError(t, err)
			require.Equal(t, []uint64{1, 2, 3}, bm.ConsenterIds)
			require.EqualValues(t, 4, bm.NextConsenterId)
			require.Zero(t, bm.RaftIndex)
			for i, c := range config.Consenters {
				id, ok := raftmetadata.ConsenterIDOf(c.ServerTlsCert, bm, config)
				require.True(t, ok)
				require.EqualValues(t, i+1, id)
			}

			env, err := protoutil.EnvelopeAt(block, 0)
			require.NoError(t, err)
			set, err := raftmetadata.FromConfigEnvelope(env)
			require.NoError(t, err)
			require.Equal(t, protoutil.MustMarshal(config), protoutil.MustMarshal(set), "the update sets the ConsensusType value")
		})
	}
}

func readBlock(t *testing.T, file string) *cb.Block {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	block, err := protoutil.UnmarshalBlock(raw)
	require.NoError(t, err)
	return block
}

func TestOnlyAnUpdateThatBumpsConsensusTypeSetsMetadata(t *testing.T) {
	value := protoutil.MustMarshal(&ab.ConsensusType{
		Type: "etcdraft", Metadata: protoutil.MustMarshal(&etcdraft.ConfigMetadata{Consenters: consenters("ab")}),
	})
	group := func(version uint64) *cb.ConfigGroup {
		return &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"Orderer": {
			Values: map[string]*cb.ConfigValue{"ConsensusType": {Version: version, Value: value}},
		}}}
	}
	for _, tc := range []struct {
		name   string
		update *cb.ConfigUpdate
		sets   bool
	}{
		{"nothing is written", &cb.ConfigUpdate{}, false},
		{"the version rises", &cb.ConfigUpdate{ReadSet: group(3), WriteSet: group(4)}, true},
		{"the version is only repeated", &cb.ConfigUpdate{ReadSet: group(3), WriteSet: group(3)}, false},
		{"it was not read and is above zero", &cb.ConfigUpdate{WriteSet: group(1)}, true},
		{"it was not read and is zero", &cb.ConfigUpdate{WriteSet: group(0)}, false},
		{"it is only read", &cb.ConfigUpdate{ReadSet: group(3)}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			md, err := raftmetadata.FromConfigUpdate(tc.update)
			require.NoError(t, err)
			require.Equal(t, tc.sets, md != nil)
			if tc.sets {
				require.Len(t, md.Consenters, 2)
			}
		})
	}
}
