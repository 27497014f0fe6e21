package fileledger

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"github.com/syndtr/goleveldb/leveldb"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/protoutil"
)

// fixtures are ledger folders of three nodes each, written by Fabric orderers.
func fixtures(t *testing.T) []string {
	names, err := filepath.Glob("testdata/fabric-*.tar.gz")
	require.NoError(t, err)
	require.Len(t, names, 6)
	return names
}

// unpack writes a fixture into a fresh folder and returns the nodes' folders.
func unpack(t testing.TB, name string) []string {
	dir := t.TempDir()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	gz, err := gzip.NewReader(f)
	require.NoError(t, err)
	in := tar.NewReader(gz)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		path := filepath.Join(dir, h.Name)
		if h.FileInfo().IsDir() {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	return []string{filepath.Join(dir, "o0"), filepath.Join(dir, "o1"), filepath.Join(dir, "o2")}
}

func open(t testing.TB, dir string, opts Options) blockledger.Factory {
	f, err := New(dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func ledgerOf(t testing.TB, f blockledger.Factory, channelID string) *Ledger {
	l, err := f.GetOrCreate(channelID)
	require.NoError(t, err)
	return l.(*Ledger)
}

func channelsOf(t testing.TB, f blockledger.Factory) []string {
	ids, err := f.ChannelIDs()
	require.NoError(t, err)
	return ids
}

// readAll reads all blocks one by one, bypassing the tail, and checks the chain.
func readAll(t testing.TB, l *Ledger) []*cb.Block {
	var blocks []*cb.Block
	var hash []byte
	for n := range l.Height() {
		b, err := l.read(n)
		require.NoError(t, err)
		require.Equal(t, n, b.Header.Number)
		require.True(t, bytes.Equal(hash, b.Header.PreviousHash), "block %d", n)
		require.Equal(t, protoutil.BlockDataHash(b.Data), b.Header.DataHash)
		hash = protoutil.BlockHeaderHash(b.Header)
		blocks = append(blocks, b)
	}
	return blocks
}

// dump returns the content of an index database that nobody has open.
func dump(t testing.TB, dir string) map[string]string {
	db, err := leveldb.OpenFile(filepath.Join(dir, "index"), nil)
	require.NoError(t, err)
	defer db.Close()
	content := map[string]string{}
	it := db.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		content[fmt.Sprintf("%q", it.Key())] = hex.EncodeToString(it.Value())
	}
	require.NoError(t, it.Error())
	return content
}

func blockFileContent(t testing.TB, dir, channelID string, number int) []byte {
	b, err := os.ReadFile(blockFile(filepath.Join(dir, "chains", channelID), number))
	require.NoError(t, err)
	return b
}

// damages are the states that a Fabric ledger's index may be found in.
var damages = map[string]func(t *testing.T, index string){
	"present": func(*testing.T, string) {},
	"absent":  func(t *testing.T, index string) { require.NoError(t, os.RemoveAll(index)) },
	"without its manifest": func(t *testing.T, index string) {
		names, err := filepath.Glob(filepath.Join(index, "MANIFEST-*"))
		require.NoError(t, err)
		require.NotEmpty(t, names)
		for _, n := range names {
			require.NoError(t, os.Remove(n))
		}
	},
	"without CURRENT": func(t *testing.T, index string) {
		require.NoError(t, os.Remove(filepath.Join(index, "CURRENT")))
	},
	"overwritten with noise": func(t *testing.T, index string) {
		names, err := filepath.Glob(filepath.Join(index, "*"))
		require.NoError(t, err)
		for _, n := range names {
			require.NoError(t, os.WriteFile(n, bytes.Repeat([]byte("noise"), 100), 0o644))
		}
	},
	"without the end of its log": func(t *testing.T, index string) {
		names, err := filepath.Glob(filepath.Join(index, "*.log"))
		require.NoError(t, err)
		for _, n := range names {
			require.NoError(t, os.Truncate(n, 40))
		}
	},
}

func TestFabricsLedgersOpenWhateverTheIndex(t *testing.T) {
	t.Parallel()
	for _, name := range fixtures(t) {
		for damage, apply := range damages {
			t.Run(filepath.Base(name)+"/index "+damage, func(t *testing.T) {
				nodes := unpack(t, name)
				if strings.HasPrefix(damage, "without") { // variants of damage: one node each is enough
					nodes = nodes[:1]
				}
				for _, dir := range nodes {
					want := dump(t, dir)
					apply(t, filepath.Join(dir, "index"))
					f, err := New(dir, Options{})
					require.NoError(t, err)
					require.Equal(t, []string{"ch1", "syschannel"}, channelsOf(t, f))
					for _, channelID := range channelsOf(t, f) {
						l := ledgerOf(t, f, channelID)
						var file []byte
						for _, b := range readAll(t, l) {
							file = appendRecord(file, b)
						}
						require.Equal(t, blockFileContent(t, dir, channelID, 0), file)
					}
					require.NoError(t, f.Close())
					require.Equal(t, want, dump(t, dir))
				}
			})
		}
	}
}

func TestLedgerWrittenHereEqualsFabrics(t *testing.T) {
	t.Parallel()
	for _, name := range fixtures(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			for _, dir := range unpack(t, name) {
				theirs, ours := open(t, dir, Options{}), t.TempDir()
				f, err := New(ours, Options{})
				require.NoError(t, err)
				for _, channelID := range channelsOf(t, theirs) {
					l := ledgerOf(t, f, channelID)
					for _, b := range readAll(t, ledgerOf(t, theirs, channelID)) {
						require.NoError(t, l.Append(b))
					}
					require.Equal(t, blockFileContent(t, dir, channelID, 0), blockFileContent(t, ours, channelID, 0))
				}
				require.NoError(t, errors.Join(f.Close(), theirs.Close()))
				require.Equal(t, dump(t, dir), dump(t, ours))
			}
		})
	}
}
