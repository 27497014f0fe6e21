// Package blockledger stores the blocks of channels.
package blockledger

import (
	"context"
	"errors"
	"sync"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/protoutil"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound is returned for a block that the ledger does not have.
	ErrNotFound = errors.New("block not found")
	// ErrClosed is returned after the ledger was closed or removed.
	ErrClosed = errors.New("ledger closed")
)

// Factory opens ledgers by channel.
type Factory interface {
	// GetOrCreate opens a channel's ledger, creating an empty one if there is none.
	GetOrCreate(channelID string) (ReadWriter, error)
	// Remove deletes a channel's ledger.
	Remove(channelID string) error
	// ChannelIDs lists the channels that have a ledger, sorted. A node without
	// any begins anew, so that an error must never be taken for none.
	ChannelIDs() ([]string, error)
	// Close releases all ledgers.
	Close() error
}

// ReadWriter is a channel's ledger.
type ReadWriter interface {
	Reader
	Writer
}

// Reader reads blocks. It is safe for concurrent use.
type Reader interface {
	// Iterator starts at a position and returns the number of the first block
	// that it will give. A specified start beyond the height gives an iterator
	// whose Next answers NOT_FOUND (spec 6.5).
	Iterator(start *ab.SeekPosition) (Iterator, uint64)
	// Height is the number of blocks.
	Height() uint64
	// BlockByNumber returns one block or ErrNotFound.
	BlockByNumber(number uint64) (*Entry, error)
}

// Writer appends blocks. Only one goroutine may append.
type Writer interface {
	// Append stores the next block durably: its number is the height and its
	// previous hash that of the last block.
	Append(block *cb.Block) error
}

// Iterator walks over blocks in order, waiting for those to come.
type Iterator interface {
	// Next returns the next block and SUCCESS. It waits for a block that is not
	// there yet, until ctx ends (nil, SERVICE_UNAVAILABLE) or the ledger is
	// closed (nil, SERVICE_UNAVAILABLE); a position that does not exist gives
	// NOT_FOUND.
	Next(ctx context.Context) (*Entry, cb.Status)
	// Close releases the iterator.
	Close()
}

// Entry is a block as stored. It is shared between readers and must not be changed.
type Entry struct {
	Block *cb.Block

	once sync.Once
	wire []byte
}

// NewEntry wraps a block.
func NewEntry(block *cb.Block) *Entry { return &Entry{Block: block} }

// Wire returns the marshalled common.Block, made once for all readers.
func (e *Entry) Wire() []byte {
	e.once.Do(func() { e.wire = protoutil.MustMarshal(e.Block) })
	return e.wire
}
