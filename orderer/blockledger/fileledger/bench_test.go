package fileledger

import (
	"context"
	"sync"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// fullBlocks are n blocks of 100 messages of 3.5 kB.
func fullBlocks(n int) []*cb.Block {
	var messages []*protoutil.Message
	for range 100 {
		messages = append(messages, protoutil.NewMessage(&cb.Envelope{Payload: make([]byte, 3430), Signature: make([]byte, 70)}))
	}
	var blocks []*cb.Block
	var hash []byte
	for i := range n {
		b := protoutil.NewBlockOf(uint64(i), hash, messages)
		hash = protoutil.BlockHeaderHash(b.Header)
		blocks = append(blocks, b)
	}
	return blocks
}

func BenchmarkAppend(b *testing.B) {
	for name, blocks := range map[string][]*cb.Block{
		"350kB": fullBlocks(1), "1kB": equalChain(1, 1000),
	} {
		b.Run(name, func(b *testing.B) {
			l := ledgerOf(b, openWith(b, b.TempDir(), options{}), "ch")
			b.SetBytes(recordSize(blocks[0]))
			for b.Loop() {
				block := protoutil.NewBlock(l.height, l.lastHash)
				block.Data, block.Header.DataHash = blocks[0].Data, blocks[0].Header.DataHash
				require.NoError(b, l.Append(block))
			}
		})
	}
}

// BenchmarkFiftySubscribers has as many iterators follow the tip of a ledger,
// each marshalling what it gets, as Deliver does.
func BenchmarkFiftySubscribers(b *testing.B) {
	data := fullBlocks(1)[0]
	l := ledgerOf(b, openWith(b, b.TempDir(), options{}), "ch")
	ctx, cancel := context.WithCancel(context.Background())
	var readers, seen sync.WaitGroup
	for range 50 {
		readers.Go(func() {
			it, _ := l.Iterator(specified(0))
			defer it.Close()
			for {
				e, status := it.Next(ctx)
				if status != cb.Status_SUCCESS {
					return
				}
				_ = e.Wire()
				seen.Done()
			}
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		block := protoutil.NewBlock(l.height, l.lastHash)
		block.Data, block.Header.DataHash = data.Data, data.Header.DataHash
		seen.Add(50)
		require.NoError(b, l.Append(block))
		seen.Wait()
	}
	cancel()
	readers.Wait()
}

// BenchmarkReadOld iterates over blocks that are no longer in memory.
func BenchmarkReadOld(b *testing.B) {
	l := ledgerOf(b, openWith(b, b.TempDir(), options{tailBytes: 1}), "ch")
	blocks := fullBlocks(100)
	appendAll(b, l, blocks)
	b.SetBytes(recordSize(blocks[0]))
	for i := 0; b.Loop(); i++ {
		_, err := l.BlockByNumber(uint64(i % 99))
		require.NoError(b, err)
	}
}

// BenchmarkOpenWithoutIndex rebuilds the index of 100 blocks of 350 kB.
func BenchmarkOpenWithoutIndex(b *testing.B) {
	dir := b.TempDir()
	f := openWith(b, dir, options{})
	appendAll(b, ledgerOf(b, f, "ch"), fullBlocks(100))
	for b.Loop() {
		l := f.ledgers["ch"]
		_, _, err := reindex(l.dir, l.index, recovered{})
		require.NoError(b, err)
	}
}
