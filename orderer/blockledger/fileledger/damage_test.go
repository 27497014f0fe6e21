package fileledger

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// FAB-18304, issue 4162: a full disk or a crash damaged the tables or the
// manifest of the index, and the orderer never started again. Whatever is wrong with
// them, the blocks are there.
func TestAnIndexWithDamagedTablesIsBuiltAnew(t *testing.T) {
	for damage, apply := range map[string]func(name string) error{
		"deleted": os.Remove,
		"empty":   func(name string) error { return os.Truncate(name, 0) },
		"cut off": func(name string) error { return os.Truncate(name, 100) },
		"noise": func(name string) error {
			return os.WriteFile(name, bytes.Repeat([]byte("noise"), 1000), 0o600)
		},
	} {
		for _, pattern := range []string{"*.ldb", "MANIFEST-*", "CURRENT"} {
			t.Run(pattern+" "+damage, func(t *testing.T) {
				dir := t.TempDir()
				f := openWith(t, dir, options{})
				blocks := equalChain(60, 100)
				appendAll(t, ledgerOf(t, f, "ch"), blocks[:50])
				require.NoError(t, f.db.CompactRange(util.Range{})) // into tables
				require.NoError(t, f.Close())
				names, err := filepath.Glob(filepath.Join(dir, "index", pattern))
				require.NoError(t, err)
				require.NotEmpty(t, names)
				for _, name := range names {
					require.NoError(t, apply(name))
				}
				l := ledgerOf(t, openWith(t, dir, options{}), "ch")
				require.Equal(t, uint64(50), l.Height())
				appendAll(t, l, blocks[50:])
				require.Len(t, readAll(t, l), 60)
			})
		}
	}
}
