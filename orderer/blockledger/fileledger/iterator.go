package fileledger

import (
	"context"
	"sync"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/blockledger"
)

// Iterator implements blockledger.Reader.
func (l *Ledger) Iterator(start *ab.SeekPosition) (blockledger.Iterator, uint64) {
	height := l.Height()
	var number uint64
	switch s := start.GetType().(type) {
	case *ab.SeekPosition_Oldest:
	case *ab.SeekPosition_Newest:
		if height > 0 {
			number = height - 1
		}
	case *ab.SeekPosition_NextCommit:
		number = height
	case *ab.SeekPosition_Specified:
		if s.Specified.GetNumber() > height {
			return notFound{}, 0
		}
		number = s.Specified.GetNumber()
	default:
		return notFound{}, 0
	}
	return &iterator{ledger: l, next: number, done: make(chan struct{})}, number
}

// notFound is the iterator of a position that does not exist.
type notFound struct{}

// Next implements blockledger.Iterator.
func (notFound) Next(context.Context) (*blockledger.Entry, cb.Status) {
	return nil, cb.Status_NOT_FOUND
}

// Close implements blockledger.Iterator.
func (notFound) Close() {}

// iterator walks over a ledger; one goroutine calls Next, any may Close it.
type iterator struct {
	ledger *Ledger
	next   uint64
	close  sync.Once
	done   chan struct{}
}

// Next implements blockledger.Iterator.
func (it *iterator) Next(ctx context.Context) (*blockledger.Entry, cb.Status) {
	for {
		select {
		case <-it.done:
			return nil, cb.Status_SERVICE_UNAVAILABLE
		case <-ctx.Done():
			return nil, cb.Status_SERVICE_UNAVAILABLE
		default:
		}
		entry, grown, err := it.ledger.lookUp(it.next)
		if err != nil {
			it.ledger.log.Debugf("Iterator ends at block [%d]: %s", it.next, err)
			return nil, cb.Status_SERVICE_UNAVAILABLE
		}
		if entry != nil {
			it.next++
			return entry, cb.Status_SUCCESS
		}
		select {
		case <-grown:
		case <-it.done:
		case <-ctx.Done():
		}
	}
}

// Close implements blockledger.Iterator.
func (it *iterator) Close() { it.close.Do(func() { close(it.done) }) }
