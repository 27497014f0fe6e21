package ledgerfiles_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/ledgerfiles"
)

func TestHeightsOfRealLedgers(t *testing.T) {
	for _, version := range []string{"2.2.15", "2.5.16"} {
		for _, stage := range []string{fakenet.KafkaNormal, fakenet.TypeSwitched, fakenet.RaftNormal} {
			dir := fakenet.Unpack(t, "ledger-"+version+"-"+stage)
			names, err := ledgerfiles.Channels(dir)
			require.NoError(t, err)
			require.Equal(t, []string{"ch1", "syschannel"}, names)
			heights, err := ledgerfiles.Heights(dir)
			require.NoError(t, err)
			for _, c := range names {
				require.EqualValues(t, len(fakenet.Ledger(t, version, stage, c)), heights[c])
			}
		}
	}
}

// However the end of the file is cut off, the complete blocks are counted.
func TestTornTailDoesNotCount(t *testing.T) {
	dir := fakenet.Unpack(t, "ledger-2.2.15-"+fakenet.TypeSwitched)
	path := filepath.Join(dir, "chains", "ch1", "blockfile_000000")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	full, err := ledgerfiles.Height(dir, "ch1")
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, len(whole)).Draw(rt, "length")
		require.NoError(rt, os.WriteFile(path, whole[:n], 0o600))
		h, err := ledgerfiles.Height(dir, "ch1")
		require.NoError(rt, err)
		require.LessOrEqual(rt, h, full)
		if n < len(whole) {
			require.Less(rt, h, full)
		}
	})
}

func TestBlocksInSeveralFiles(t *testing.T) {
	dir := fakenet.Unpack(t, "ledger-2.2.15-"+fakenet.KafkaNormal)
	chain := filepath.Join(dir, "chains", "ch1")
	// A file that was begun and holds nothing yet.
	require.NoError(t, os.WriteFile(filepath.Join(chain, "blockfile_000001"), nil, 0o600))
	h, err := ledgerfiles.Height(dir, "ch1")
	require.NoError(t, err)
	require.EqualValues(t, 2, h)
	require.NoError(t, os.WriteFile(filepath.Join(chain, "blockfile_000001"), []byte{1, 2}, 0o600))
	h, err = ledgerfiles.Height(dir, "ch1")
	require.NoError(t, err)
	require.EqualValues(t, 3, h)
}

func TestDamageIsNoHeight(t *testing.T) {
	dir := t.TempDir()
	chain := filepath.Join(dir, "chains", "ch1")
	require.NoError(t, os.MkdirAll(chain, 0o700))
	for name, content := range map[string][]byte{
		"a gap":             {1, 5, 1, 9},
		"an empty record":   {1, 0, 0},
		"an endless record": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"an endless varint": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(chain, "blockfile_000000"), content, 0o600))
		_, err := ledgerfiles.Height(dir, "ch1")
		require.Error(t, err, name)
	}
}

func TestALedgerThatWasNeverUsed(t *testing.T) {
	names, err := ledgerfiles.Channels(filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	require.Empty(t, names)
}

func FuzzHeight(f *testing.F) {
	dir := f.TempDir()
	chain := filepath.Join(dir, "chains", "ch1")
	require.NoError(f, os.MkdirAll(chain, 0o700))
	f.Add([]byte{3, 0, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(chain, "blockfile_000000"), b, 0o600))
		_, _ = ledgerfiles.Height(dir, "ch1") // must not panic
	})
}
