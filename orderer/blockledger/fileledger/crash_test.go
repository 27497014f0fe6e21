package fileledger

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/protoutil"
)

// A crash may cut the file anywhere within the last write and may lose any
// part of the index. What was stored before is there after opening, the torn
// block is not, and the ledger goes on from there.
func TestLedgerOpensAfterATearAtEveryByteOfTheTail(t *testing.T) {
	t.Parallel()
	blocks := chain(30, 0, 150, 60)
	dir := t.TempDir()
	f := openWith(t, dir, options{})
	l := ledgerOf(t, f, "ch")
	appendAll(t, l, blocks[:2])
	before, indexBefore := blockFileContent(t, dir, "ch", 0), indexOf(t, f, "ch")
	appendAll(t, l, blocks[2:3])
	after, indexAfter := blockFileContent(t, dir, "ch", 0), indexOf(t, f, "ch")

	for name, index := range map[string]map[string]string{
		"with the index of before": indexBefore, "with the index of after": indexAfter, "without index": nil,
	} {
		t.Run(name, func(t *testing.T) {
			for size := len(before); size <= len(after); size++ {
				closeLedger(t, f, "torn")
				chainDir := filepath.Join(dir, "chains", "torn")
				require.NoError(t, os.MkdirAll(chainDir, 0o755))
				require.NoError(t, os.WriteFile(blockFile(chainDir, 0), after[:size], 0o644))
				setIndex(t, f, "torn", index)
				want := 2
				if size == len(after) {
					want = 3
				}
				l := ledgerOf(t, f, "torn")
				require.Equal(t, uint64(want), l.Height(), "cut at %d", size)
				appendAll(t, l, blocks[want:])
				require.Len(t, readAll(t, reopen(t, f, "torn")), 4)
			}
		})
	}
}

// Pages of the last write may reach the disk in any order: the file has its
// full size, but some bytes are zero.
func TestTornLastRecordOfFullSizeIsCutOff(t *testing.T) {
	t.Parallel()
	blocks := chain(30, 200, 60)
	dir := t.TempDir()
	f := openWith(t, dir, options{})
	l := ledgerOf(t, f, "ch")
	appendAll(t, l, blocks[:1])
	good := len(blockFileContent(t, dir, "ch", 0))
	appendAll(t, l, blocks[1:2])
	whole := blockFileContent(t, dir, "ch", 0)
	path := blockFile(filepath.Join(dir, "chains", "ch"), 0)
	rapid.Check(t, func(rt *rapid.T) {
		closeLedger(rt, f, "ch")
		// Metadata lies behind the data and is under no hash: only a loss in
		// what the hashes cover, or that breaks the record, can be seen.
		covered := len(whole) - len("signature") - 8
		from := rapid.IntRange(good, covered-1).Draw(rt, "from")
		to := rapid.IntRange(from+1, covered).Draw(rt, "to")
		content := bytes.Clone(whole)
		clear(content[from:to])
		want := uint64(1)
		if bytes.Equal(whole, content) {
			want = 2
		}
		require.NoError(rt, os.WriteFile(path, content, 0o644))
		setIndex(rt, f, "ch", nil)
		l := reopen(rt, f, "ch")
		require.Equal(rt, want, l.Height())
		appendAll(t, l, blocks[want:])
		require.Len(rt, readAll(t, reopen(rt, f, "ch")), 3)
	})
}

func TestDamageBeforeTheTailIsReportedAndNothingIsCutOff(t *testing.T) {
	dir := t.TempDir()
	f := openWith(t, dir, options{maxFileSize: 400})
	appendAll(t, ledgerOf(t, f, "ch"), equalChain(6, 100))
	require.NoError(t, f.Close())
	chainDir := filepath.Join(dir, "chains", "ch")
	files, err := blockFiles(chainDir)
	require.NoError(t, err)
	require.Greater(t, len(files), 1)

	for name, damage := range map[string]func(content []byte) []byte{
		"a changed byte of data":     func(c []byte) []byte { c[100] ^= 1; return c },
		"a changed length":           func(c []byte) []byte { c[0] ^= 4; return c },
		"a length beyond the end":    func(c []byte) []byte { c[1] = 0x7f; return c },
		"a first file cut short":     func(c []byte) []byte { return c[:len(c)-1] },
		"a first file that is empty": func(c []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			copied := t.TempDir()
			require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
			require.NoError(t, os.RemoveAll(filepath.Join(copied, "index")))
			path := blockFile(filepath.Join(copied, "chains", "ch"), 0)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			content = damage(content)
			require.NoError(t, os.WriteFile(path, content, 0o644))
			_, err = openWith(t, copied, options{maxFileSize: 400}).GetOrCreate("ch")
			require.ErrorIs(t, err, ErrDamaged)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, after))
		})
	}
	t.Run("a missing first file", func(t *testing.T) {
		require.NoError(t, os.Remove(blockFile(chainDir, 0)))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "index")))
		_, err := openWith(t, dir, options{}).GetOrCreate("ch")
		require.ErrorIs(t, err, ErrDamaged)
	})
}

// A backup of block files from an earlier day may meet the index of today.
func TestIndexAheadOfTheFilesIsNotTrusted(t *testing.T) {
	dir := t.TempDir()
	f := openWith(t, dir, options{})
	l := ledgerOf(t, f, "ch")
	blocks := equalChain(5, 50)
	appendAll(t, l, blocks[:3])
	earlier := blockFileContent(t, dir, "ch", 0)
	appendAll(t, l, blocks[3:])
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(blockFile(filepath.Join(dir, "chains", "ch"), 0), earlier, 0o644))

	l = ledgerOf(t, openWith(t, dir, options{}), "ch")
	require.Equal(t, uint64(3), l.Height())
	appendAll(t, l, blocks[3:])
	require.Len(t, readAll(t, l), 5)
}

func FuzzParseRecord(f *testing.F) {
	for _, b := range chain(0, 30) {
		f.Add(appendRecord(nil, b)[1:])
	}
	f.Add([]byte{0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, record []byte) {
		block, err := parseRecord(record)
		if err != nil {
			return
		}
		again := appendRecord(nil, block)
		require.Equal(t, int64(len(again)), recordSize(block))
		back, size, err := readAt(bytes.NewReader(again), 0)
		require.NoError(t, err)
		require.Equal(t, int64(len(again)), size)
		require.True(t, bytes.Equal(protoutil.MustMarshal(block), protoutil.MustMarshal(back)))
	})
}

// Whatever stands behind the last block, the blocks before it are kept.
func FuzzTail(f *testing.F) {
	blocks := chain(10, 20, 30)
	var whole []byte
	for _, b := range blocks[:2] {
		whole = appendRecord(whole, b)
	}
	next := appendRecord(nil, blocks[2])
	f.Add(next)
	f.Add(next[:len(next)-1])
	f.Add([]byte{0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, tail []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(blockFile(dir, 0), append(bytes.Clone(whole), tail...), 0o600))
		p, visited := position{}, uint64(0)
		torn, err := scan(dir, &p, func(*cb.Block, location) error { visited++; return nil })
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		require.GreaterOrEqual(t, visited, uint64(2))
		require.Equal(t, visited, p.number)
		require.Equal(t, int64(len(whole)+len(tail)), p.offset+torn)
	})
}
