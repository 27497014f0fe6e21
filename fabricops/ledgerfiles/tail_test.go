package ledgerfiles_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/ledgerfiles"
	"raftmig/orderer/protoutil"
)

func TestTheTailOfRealLedgers(t *testing.T) {
	for _, version := range []string{"2.2.15", "2.5.16"} {
		for _, stage := range []string{fakenet.KafkaNormal, fakenet.TypeSwitched, fakenet.RaftNormal} {
			dir := fakenet.Unpack(t, "ledger-"+version+"-"+stage)
			for _, c := range []string{fakenet.SystemChannel, fakenet.Channel} {
				blocks := fakenet.Ledger(t, version, stage, c)
				last := blocks[len(blocks)-1]
				tail, err := ledgerfiles.ReadTail(dir, c)
				require.NoError(t, err)
				require.True(t, proto.Equal(last, tail.Newest))
				index, err := protoutil.LastConfigIndex(last)
				require.NoError(t, err)
				require.True(t, proto.Equal(blocks[index], tail.Config), "%s %s %s", version, stage, c)
			}
		}
	}
	_, err := ledgerfiles.ReadTail(t.TempDir(), "ch1")
	require.ErrorContains(t, err, "no such file")
}

// However the file is cut off, a tail is a block that was there, or an error.
func TestATornTailIsPassedOver(t *testing.T) {
	dir := fakenet.Unpack(t, "ledger-2.5.16-"+fakenet.TypeSwitched)
	blocks := fakenet.Ledger(t, "2.5.16", fakenet.TypeSwitched, "ch1")
	path := filepath.Join(dir, "chains", "ch1", "blockfile_000000")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		require.NoError(rt, os.WriteFile(path, whole[:rapid.IntRange(0, len(whole)).Draw(rt, "length")], 0o600))
		height, err := ledgerfiles.Height(dir, "ch1")
		require.NoError(rt, err)
		tail, err := ledgerfiles.ReadTail(dir, "ch1")
		if height == 0 {
			require.ErrorContains(rt, err, "holds no block")
			return
		}
		require.NoError(rt, err)
		require.True(rt, proto.Equal(blocks[height-1], tail.Newest))
	})
}
