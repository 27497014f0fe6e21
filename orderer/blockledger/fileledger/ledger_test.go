package fileledger

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/protoutil"
)

func TestAppendRefusesABlockThatDoesNotFollow(t *testing.T) {
	l := ledgerOf(t, open(t, t.TempDir(), Options{}), "ch")
	blocks := equalChain(3, 10)
	require.EqualError(t, l.Append(blocks[1]), "block number should have been 0 but was 1")
	require.NoError(t, l.Append(blocks[0]))
	require.EqualError(t, l.Append(blocks[0]), "block number should have been 1 but was 0")
	stranger := protoutil.NewBlockOf(1, []byte{1, 2}, nil)
	require.ErrorContains(t, l.Append(stranger), "unexpected Previous block hash. Expected PreviousHash = [")
	require.Equal(t, uint64(1), l.Height())
	require.NoError(t, l.Append(blocks[1]))
}

func TestBlockByNumber(t *testing.T) {
	l := ledgerOf(t, open(t, t.TempDir(), Options{}), "ch")
	_, err := l.BlockByNumber(0)
	require.ErrorIs(t, err, blockledger.ErrNotFound)
	blocks := equalChain(1, 10)
	appendAll(t, l, blocks)
	e, err := l.BlockByNumber(0)
	require.NoError(t, err)
	require.Same(t, blocks[0], e.Block)
	require.Equal(t, protoutil.MustMarshal(blocks[0]), e.Wire())
	_, err = l.BlockByNumber(1)
	require.ErrorIs(t, err, blockledger.ErrNotFound)
}

// Files roll as Fabric's do, and a ledger of many files opens whatever became
// of the index.
func TestLedgerOfManyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := openWith(t, dir, options{})
	rapid.Check(t, func(rt *rapid.T) {
		require.NoError(rt, f.Remove("ch"))
		f.opts.maxFileSize, f.opts.tailBytes = rapid.Int64Range(200, 600).Draw(rt, "maxFileSize"), 300
		blocks := chain(rapid.SliceOfN(rapid.IntRange(0, 700), 1, 25).Draw(rt, "sizes")...)
		appendAll(t, ledgerOf(t, f, "ch"), blocks)
		want := indexOf(rt, f, "ch")

		files, err := blockFiles(filepath.Join(dir, "chains", "ch"))
		require.NoError(rt, err)
		for _, n := range files {
			if content := blockFileContent(t, dir, "ch", n); int64(len(content)) > f.opts.maxFileSize {
				_, size, err := readAt(bytes.NewReader(content), 0)
				require.NoError(rt, err)
				require.Equal(rt, int64(len(content)), size, "only a single block may exceed the limit")
			}
		}
		switch rapid.IntRange(0, 2).Draw(rt, "index") {
		case 0: // absent
			setIndex(rt, f, "ch", nil)
		case 1: // behind: as it was some blocks ago
			x := newIndex(f.db, "ch")
			back := uint64(rapid.IntRange(0, len(blocks)-1).Draw(rt, "checkpoint"))
			at, _ := x.location(back)
			b := x.newBatch()
			b.block(back, at)
			require.NoError(rt, b.write(false))
		}
		l := reopen(rt, f, "ch")
		require.Equal(rt, uint64(len(blocks)), l.Height())
		for i, b := range readAll(t, l) {
			require.Equal(rt, protoutil.MustMarshal(blocks[i]), protoutil.MustMarshal(b))
		}
		require.Equal(rt, want, indexOf(rt, f, "ch"))
	})
}

func TestAMissingOrWrongIndexEntryIsRepairedWhenItIsRead(t *testing.T) {
	f := openWith(t, t.TempDir(), options{tailBytes: 1})
	l := ledgerOf(t, f, "ch")
	appendAll(t, l, equalChain(5, 10))
	require.NoError(t, f.db.Delete(l.index.key(blockKey(2)...), nil))
	e, err := l.BlockByNumber(2)
	require.NoError(t, err)
	require.Equal(t, uint64(2), e.Block.Header.Number)

	at, _ := l.index.location(1)
	b := l.index.newBatch()
	b.block(3, at)
	require.NoError(t, b.write(false))
	e, err = l.BlockByNumber(3)
	require.NoError(t, err)
	require.Equal(t, uint64(3), e.Block.Header.Number)
	require.NoError(t, l.Append(equalChain(6, 10)[5]))
	readAll(t, l)
}

func TestFailedAppendLeavesTheLedgerAsItWas(t *testing.T) {
	blocks := equalChain(4, 100)
	for _, tc := range []struct {
		name   string
		fail   failingDisk
		usable bool
	}{
		{"disk full before the first byte", failingDisk{err: syscall.ENOSPC}, true},
		{"disk full within the block", failingDisk{err: syscall.ENOSPC, room: 50}, true},
		{"disk full when syncing", failingDisk{syncErr: syscall.ENOSPC}, true},
		{"device error when writing", failingDisk{err: syscall.EIO, room: 50}, true},
		{"device error when syncing", failingDisk{syncErr: syscall.EIO}, false},
		{"the file cannot be cut back", failingDisk{err: syscall.ENOSPC, room: 50, truncErr: syscall.EIO}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, disk := t.TempDir(), &failingDisk{}
			f := openWith(t, dir, options{open: disk.open})
			l := ledgerOf(t, f, "ch")
			appendAll(t, l, blocks[:2])
			before := blockFileContent(t, dir, "ch", 0)

			*disk = tc.fail
			require.Error(t, l.Append(blocks[2]))
			require.Equal(t, uint64(2), l.Height())
			if tc.fail.truncErr == nil {
				require.Equal(t, before, blockFileContent(t, dir, "ch", 0))
			}
			*disk = failingDisk{}
			if tc.usable {
				require.NoError(t, l.Append(blocks[2]))
			} else {
				require.ErrorContains(t, l.Append(blocks[2]), "not usable since an earlier error")
			}
			require.NoError(t, f.Close())

			l = ledgerOf(t, openWith(t, dir, options{}), "ch")
			appendAll(t, l, blocks[l.Height():])
			require.Len(t, readAll(t, l), 4)
		})
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, Options{})
	l, other := ledgerOf(t, f, "ch"), ledgerOf(t, f, "ch1")
	appendAll(t, l, equalChain(3, 10))
	appendAll(t, other, equalChain(2, 10))
	require.NoError(t, f.Remove("ch"))
	require.NoError(t, f.Remove("never-there"))

	require.Equal(t, []string{"ch1"}, channelsOf(t, f))
	require.ErrorIs(t, l.Append(equalChain(4, 10)[3]), blockledger.ErrClosed)
	require.Len(t, readAll(t, other), 2)
	require.Equal(t, uint64(0), ledgerOf(t, f, "ch").Height(), "a new ledger of that name is empty")
	require.NoError(t, f.Remove("ch"))
	require.NoError(t, f.Close())
	for key := range dump(t, dir) {
		require.Contains(t, key, "ch1\\x00")
	}
}

func TestRemovalCutShortIsFinishedOnOpening(t *testing.T) {
	dir := t.TempDir()
	f, err := New(dir, Options{})
	require.NoError(t, err)
	appendAll(t, ledgerOf(t, f, "ch"), equalChain(3, 10))
	require.NoError(t, f.Close())
	marker := filepath.Join(dir, "pendingops", "remove", "ch.remove")
	require.NoError(t, os.WriteFile(marker, nil, 0o600))

	f = open(t, dir, Options{})
	require.Empty(t, channelsOf(t, f))
	require.NoFileExists(t, marker)
	require.Equal(t, uint64(0), ledgerOf(t, f, "ch").Height())
}

// A node that takes a folder which cannot be read for an empty one begins anew.
func TestAFolderThatCannotBeListedIsNotAnEmptyOne(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, Options{})
	require.Empty(t, channelsOf(t, f))
	require.NoError(t, os.Remove(filepath.Join(dir, "chains")))
	_, err := f.ChannelIDs()
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What is kept elsewhere for a channel goes before its ledger does, and is tried
// again until it is gone: a ledger that is left says that it may be there.
func TestARemovalIncludesWhatIsKeptElsewhere(t *testing.T) {
	dir := t.TempDir()
	var asked []string
	failure := errors.New("the disk is full")
	o := Options{OnRemove: func(channelID string) error {
		asked = append(asked, channelID)
		return failure
	}}
	f, err := New(dir, o)
	require.NoError(t, err)
	appendAll(t, ledgerOf(t, f, "ch"), equalChain(3, 10))
	require.ErrorIs(t, f.Remove("ch"), failure)
	require.Equal(t, []string{"ch"}, channelsOf(t, f))
	require.NoError(t, f.Close())

	_, err = New(dir, o)
	require.ErrorIs(t, err, failure, "at the next start as well")
	failure = nil
	f = open(t, dir, o)
	require.Empty(t, channelsOf(t, f))
	require.Equal(t, []string{"ch", "ch", "ch"}, asked)
	require.NoError(t, f.Close())
	open(t, dir, o)
	require.Len(t, asked, 3)
}

func TestNamesThatLeaveTheFolderAreRefused(t *testing.T) {
	f := open(t, t.TempDir(), Options{})
	for _, name := range []string{"", ".", "..", "a/b", "a\x00b"} {
		_, err := f.GetOrCreate(name)
		require.Error(t, err, "%q", name)
		require.Error(t, f.Remove(name), "%q", name)
	}
}

func TestAFolderIsOpenOnlyOnce(t *testing.T) {
	dir := t.TempDir()
	l := ledgerOf(t, open(t, dir, Options{}), "ch")
	appendAll(t, l, equalChain(2, 10))
	_, err := New(dir, Options{})
	require.ErrorContains(t, err, "opening ledger index")
	readAll(t, l)
}

func TestClosedFactoryAndLedger(t *testing.T) {
	f := open(t, t.TempDir(), Options{TailBytes: 1})
	l := ledgerOf(t, f, "ch")
	appendAll(t, l, equalChain(2, 10))
	require.NoError(t, f.Close())
	_, err := f.GetOrCreate("ch")
	require.ErrorIs(t, err, blockledger.ErrClosed)
	require.ErrorIs(t, f.Remove("ch"), blockledger.ErrClosed)
	_, err = l.BlockByNumber(0)
	require.ErrorIs(t, err, blockledger.ErrClosed)
	require.ErrorIs(t, l.Append(equalChain(3, 10)[2]), blockledger.ErrClosed)
}

func TestBlockIsTakenBackIfItCannotBeIndexed(t *testing.T) {
	dir := t.TempDir()
	f := openWith(t, dir, options{})
	l := ledgerOf(t, f, "ch")
	blocks := equalChain(3, 100)
	appendAll(t, l, blocks[:2])
	before := blockFileContent(t, dir, "ch", 0)
	require.NoError(t, f.db.Close()) // every write to the index fails from now on
	require.ErrorContains(t, l.Append(blocks[2]), "writing ledger index")
	require.Equal(t, uint64(2), l.Height())
	require.Equal(t, before, blockFileContent(t, dir, "ch", 0))
	require.NoError(t, l.close())

	l = ledgerOf(t, openWith(t, dir, options{}), "ch")
	appendAll(t, l, blocks[2:])
	require.Len(t, readAll(t, l), 3)
}
