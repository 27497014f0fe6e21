package fileledger

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"raftmig/orderer/blockledger"
)

// repairs opens a ledger of five blocks of which the last alone is in memory,
// and returns how often its index has been built since.
func repairs(t *testing.T) (*Factory, *Ledger, func() int) {
	f := openWith(t, t.TempDir(), options{tailBytes: 1})
	appendAll(t, ledgerOf(t, f, "ch"), equalChain(5, 100))
	l := reopen(t, f, "ch")
	core, logs := observer.New(zap.WarnLevel)
	l.log = zap.New(core).Sugar()
	return f, l, func() int { return logs.FilterMessageSnippet("it is built from the block files").Len() }
}

func TestReadersThatMissABlockAtOnceBuildTheIndexOnce(t *testing.T) {
	f, l, built := repairs(t)
	require.NoError(t, f.db.Delete(l.index.key(blockKey(2)...), nil))
	var readers sync.WaitGroup
	l.appending.Lock() // nobody builds before all have missed it
	for range 8 {
		readers.Go(func() {
			_, err := l.BlockByNumber(2)
			require.NoError(t, err)
		})
	}
	time.Sleep(50 * time.Millisecond)
	l.appending.Unlock()
	readers.Wait()
	require.Equal(t, 1, built())
}

// Building the index reads all files and keeps blocks from being appended: no
// client may have that done again and again.
func TestABlockThatIsDamagedIsLookedForOnce(t *testing.T) {
	_, l, built := repairs(t)
	at, ok := l.index.location(2)
	require.True(t, ok)
	file, err := os.OpenFile(blockFile(l.dir, 0), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte{0}, at.offset) // a record without length
	require.NoError(t, err)
	require.NoError(t, file.Close())
	for range 3 {
		_, err = l.BlockByNumber(2)
		require.ErrorIs(t, err, ErrDamaged)
	}
	require.Equal(t, 1, built())
	_, err = l.BlockByNumber(3)
	require.NoError(t, err, "the others can be read as before")
}

func TestAFileThatCannotBeReadIsNotTheIndexsFault(t *testing.T) {
	_, l, built := repairs(t)
	name := blockFile(l.dir, 0)
	require.NoError(t, os.Rename(name, filepath.Join(t.TempDir(), "moved")))
	require.NoError(t, os.Mkdir(name, 0o700))
	_, err := l.BlockByNumber(2)
	require.ErrorIs(t, err, syscall.EISDIR)
	require.Zero(t, built())
}

func TestAClosedLedgerBuildsNoIndex(t *testing.T) {
	f, l, built := repairs(t)
	require.NoError(t, l.index.clear()) // as a removal does
	require.NoError(t, l.close())
	_, err := l.read(2)
	require.ErrorIs(t, err, blockledger.ErrClosed)
	require.Zero(t, built())
	require.Empty(t, indexOf(t, f, "ch"))
}
