package fileledger

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockledger"
)

func specified(n uint64) *ab.SeekPosition {
	return &ab.SeekPosition{Type: &ab.SeekPosition_Specified{Specified: &ab.SeekSpecified{Number: n}}}
}

func TestIteratorStarts(t *testing.T) {
	oldest := &ab.SeekPosition{Type: &ab.SeekPosition_Oldest{}}
	newest := &ab.SeekPosition{Type: &ab.SeekPosition_Newest{}}
	nextCommit := &ab.SeekPosition{Type: &ab.SeekPosition_NextCommit{}}
	for _, tc := range []struct {
		name   string
		height int
		start  *ab.SeekPosition
		first  uint64
		found  bool
	}{
		{"oldest is block 0", 3, oldest, 0, true},
		{"newest is the last block", 3, newest, 2, true},
		{"newest of an empty ledger is the first to come", 0, newest, 0, true},
		{"next commit is the block to come", 3, nextCommit, 3, true},
		{"a specified block", 3, specified(1), 1, true},
		{"the block to come, specified", 3, specified(3), 3, true},
		{"a block after that is not found", 3, specified(4), 0, false},
		{"a position without type is not found", 3, &ab.SeekPosition{}, 0, false},
		{"no position is not found", 3, nil, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := ledgerOf(t, open(t, t.TempDir(), Options{}), "ch")
			blocks := equalChain(tc.height+1, 10)
			appendAll(t, l, blocks[:tc.height])
			it, first := l.Iterator(tc.start)
			defer it.Close()
			require.Equal(t, tc.first, first)
			require.NoError(t, l.Append(blocks[tc.height]))
			entry, status := it.Next(t.Context())
			if !tc.found {
				require.Equal(t, cb.Status_NOT_FOUND, status)
				return
			}
			require.Equal(t, cb.Status_SUCCESS, status)
			require.Equal(t, tc.first, entry.Block.Header.Number)
		})
	}
}

func TestWaitingIteratorEnds(t *testing.T) {
	for name, end := range map[string]func(f blockledger.Factory, it blockledger.Iterator, cancel func()){
		"when its context ends":      func(_ blockledger.Factory, _ blockledger.Iterator, cancel func()) { cancel() },
		"when it is closed":          func(_ blockledger.Factory, it blockledger.Iterator, _ func()) { it.Close() },
		"when the folder is closed":  func(f blockledger.Factory, _ blockledger.Iterator, _ func()) { _ = f.Close() },
		"when the ledger is removed": func(f blockledger.Factory, _ blockledger.Iterator, _ func()) { _ = f.Remove("ch") },
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, t.TempDir(), Options{})
			l := ledgerOf(t, f, "ch")
			synctest.Test(t, func(t *testing.T) {
				outside := l.grown
				l.grown = make(chan struct{}) // one that the bubble owns
				defer func() { l.grown = outside }()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				it, _ := l.Iterator(specified(0))
				status := make(chan cb.Status)
				go func() {
					_, s := it.Next(ctx)
					status <- s
				}()
				synctest.Wait() // Next waits now
				end(f, it, cancel)
				require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, <-status)
			})
		})
	}
}

func TestReadersFollowTheWriterAndShareTheTail(t *testing.T) {
	const readers, count = 8, 60
	// The tail holds a few blocks only, so that slow readers go to the files.
	l := ledgerOf(t, openWith(t, t.TempDir(), options{tailBytes: 500, maxFileSize: 3000}), "ch")
	blocks := equalChain(count, 100)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			it, _ := l.Iterator(specified(0))
			defer it.Close()
			for n := range uint64(count) {
				e, status := it.Next(t.Context())
				if status != cb.Status_SUCCESS || e.Block.Header.Number != n {
					t.Errorf("block %d: %s", n, status)
					return
				}
			}
		})
	}
	appendAll(t, l, blocks)
	wg.Wait()
	a, err := l.BlockByNumber(count - 1)
	require.NoError(t, err)
	b, err := l.BlockByNumber(count - 1)
	require.NoError(t, err)
	require.Same(t, a, b)
}
