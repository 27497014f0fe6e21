package fileledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/protoutil"
)

// maxBuffer is the size in bytes of the largest encoding buffer that is kept.
const maxBuffer = 4 << 20

// Ledger is one channel's blocks on disk. It implements blockledger.ReadWriter.
// Blocks given to it must not be changed afterwards.
type Ledger struct {
	dir     string
	index   *index
	readers *readers
	opts    *options
	log     *zap.SugaredLogger
	metrics channelMetrics

	appending sync.Mutex // held while blocks are appended and while closing
	segment   *segment
	lastHash  []byte
	buffer    []byte
	damaged   error // why a new index did not help; it is not built again

	mu     sync.RWMutex // protects what readers see
	height uint64
	tail   tail
	grown  chan struct{} // closed when height grows or the ledger closes
	closed bool
}

// openLedger opens the ledger in dir, creating it if there is none.
func openLedger(dir string, x *index, opts *options, m channelMetrics, log *zap.SugaredLogger) (*Ledger, error) {
	end, err := recoverLedger(dir, x, log)
	if err != nil {
		return nil, err
	}
	s, err := openSegment(opts.open, dir, end.file, end.offset)
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		dir: dir, index: x, opts: opts, log: log, metrics: m,
		readers:  &readers{dir: dir, open: map[int]*os.File{}},
		segment:  s,
		lastHash: end.hash,
		height:   end.number,
		tail:     tail{limit: opts.tailBytes},
		grown:    make(chan struct{}),
	}
	if end.last != nil {
		l.tail.push(end.last.Header.Number, blockledger.NewEntry(end.last), recordSize(end.last))
	}
	m.height.Set(float64(l.height))
	return l, nil
}

// Height implements blockledger.Reader.
func (l *Ledger) Height() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.height
}

// BlockByNumber implements blockledger.Reader.
func (l *Ledger) BlockByNumber(number uint64) (*blockledger.Entry, error) {
	entry, _, err := l.lookUp(number)
	if entry == nil && err == nil {
		return nil, fmt.Errorf("block %d: %w", number, blockledger.ErrNotFound)
	}
	return entry, err
}

// lookUp returns a block, or a channel that is closed when the ledger grows if
// the block is not there yet.
func (l *Ledger) lookUp(number uint64) (*blockledger.Entry, <-chan struct{}, error) {
	l.mu.RLock()
	height, grown, closed, entry := l.height, l.grown, l.closed, l.tail.get(number)
	l.mu.RUnlock()
	switch {
	case closed:
		return nil, nil, blockledger.ErrClosed
	case number >= height:
		return nil, grown, nil
	case entry != nil:
		return entry, nil, nil
	}
	block, err := l.read(number)
	if err != nil {
		return nil, nil, err
	}
	return blockledger.NewEntry(block), nil, nil
}

// read reads a block from the files. If the index does not lead to it, the
// index is built anew.
func (l *Ledger) read(number uint64) (*cb.Block, error) {
	block, err := l.readIndexed(number)
	switch {
	case err == nil || errors.Is(err, blockledger.ErrClosed):
		return block, err
	case unreadable(err):
		return nil, fmt.Errorf("reading block %d: %w", number, err)
	}
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.isClosed() {
		return nil, blockledger.ErrClosed
	}
	if block, err := l.readIndexed(number); err == nil { // another reader had it built
		return block, nil
	}
	if l.damaged != nil {
		return nil, fmt.Errorf("reading block %d: %w", number, l.damaged)
	}
	l.log.Warnf("Ledger index does not lead to block [%d] (%s); it is built from the block files", number, err)
	if _, _, err = reindex(l.dir, l.index, recovered{}); err == nil {
		if block, err = l.readIndexed(number); err == nil {
			return block, nil
		}
		err = fmt.Errorf("%w: a new index does not lead to it either: %w", ErrDamaged, err)
	}
	if errors.Is(err, ErrDamaged) {
		l.damaged = err
	}
	return nil, fmt.Errorf("reading block %d: %w", number, err)
}

// unreadable tells a failure of the disk or of the process from an index that
// leads nowhere.
func unreadable(err error) bool {
	var failed *fs.PathError
	return errors.As(err, &failed) && !errors.Is(err, fs.ErrNotExist)
}

func (l *Ledger) readIndexed(number uint64) (*cb.Block, error) {
	at, ok := l.index.location(number)
	if !ok {
		return nil, errors.New("not in the index")
	}
	block, err := l.readers.read(at)
	if errors.Is(err, errReadersClosed) {
		return nil, blockledger.ErrClosed
	}
	if err != nil {
		return nil, err
	}
	if block.Header.Number != number {
		return nil, fmt.Errorf("block %d is there", block.Header.Number)
	}
	return block, nil
}

// Append implements blockledger.Writer with one write and one sync.
func (l *Ledger) Append(block *cb.Block) error {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.isClosed() {
		return blockledger.ErrClosed
	}
	start := l.opts.now()
	if err := checkNext(block, l.height, l.lastHash); err != nil {
		return err
	}
	size := recordSize(block)
	if l.segment.size > 0 && l.segment.size+size > l.opts.maxFileSize {
		if err := l.roll(); err != nil {
			return err
		}
	}
	record := appendRecord(l.buffer[:0], block)
	if l.buffer = record; cap(record) > maxBuffer {
		l.buffer = nil
	}
	at := location{l.segment.number, l.segment.size}
	if err := l.segment.append(record); err != nil {
		return err
	}
	b := l.index.newBatch()
	b.block(block.Header.Number, at)
	b.manager(managerInfo{file: l.segment.number, size: l.segment.size, last: block.Header.Number})
	if err := b.write(false); err != nil {
		return errors.Join(err, l.segment.rewind(size))
	}
	l.lastHash = protoutil.BlockHeaderHash(block.Header)
	l.publish(block, size)
	l.metrics.commit.Observe(l.opts.now().Sub(start).Seconds())
	return nil
}

func checkNext(b *cb.Block, number uint64, hash []byte) error {
	if got := b.GetHeader().GetNumber(); got != number {
		return fmt.Errorf("block number should have been %d but was %d", number, got)
	}
	if got := b.GetHeader().GetPreviousHash(); !bytes.Equal(got, hash) {
		return fmt.Errorf("unexpected Previous block hash. Expected PreviousHash = [%x], PreviousHash referred in the latest block= [%x]", hash, got)
	}
	return nil
}

// roll starts the next file. The index names it durably before it holds a block.
func (l *Ledger) roll() error {
	s, err := openSegment(l.opts.open, l.dir, l.segment.number+1, 0)
	if err != nil {
		return err
	}
	ix := l.index.newBatch()
	ix.manager(managerInfo{file: s.number, last: l.height - 1})
	if err := ix.write(true); err != nil {
		return errors.Join(err, s.file.Close())
	}
	if err := l.segment.file.Close(); err != nil {
		l.log.Warnf("Closing block file %d: %s", l.segment.number, err) // its content is synced
	}
	l.segment = s
	return nil
}

// publish shows a stored block to readers.
func (l *Ledger) publish(block *cb.Block, size int64) {
	l.mu.Lock()
	l.tail.push(block.Header.Number, blockledger.NewEntry(block), size)
	l.height++
	height := l.height
	close(l.grown)
	l.grown = make(chan struct{})
	l.mu.Unlock()
	l.metrics.height.Set(float64(height))
}

func (l *Ledger) isClosed() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closed
}

// close ends all iterators and releases the files.
func (l *Ledger) close() error {
	l.appending.Lock()
	defer l.appending.Unlock()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.grown)
	l.mu.Unlock()
	l.readers.close()
	if err := l.segment.file.Close(); err != nil {
		return fmt.Errorf("closing block file: %w", err)
	}
	return nil
}

// options are the settings of a factory, as its ledgers need them.
type options struct {
	maxFileSize int64
	tailBytes   int64
	now         func() time.Time
	open        func(path string) (file, error)
	onRemove    func(channelID string) error // may be nil
}
