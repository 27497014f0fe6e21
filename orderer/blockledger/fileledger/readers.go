package fileledger

import (
	"errors"
	"fmt"
	"os"
	"sync"

	cb "github.com/hyperledger/fabric-protos-go/common"
)

// maxOpenReaders is the number of block files kept open for reading.
const maxOpenReaders = 8

// readers reads records from block files, keeping some of them open.
type readers struct {
	dir string

	mu     sync.Mutex
	open   map[int]*os.File
	order  []int // opened longest ago first
	closed bool
}

// read returns the block at a location. A file that another reader's demand
// closed meanwhile is opened again.
func (r *readers) read(at location) (*cb.Block, error) {
	for {
		f, err := r.file(at.file)
		if err != nil {
			return nil, err
		}
		block, _, err := readAt(f, at.offset)
		if !errors.Is(err, os.ErrClosed) {
			return block, err
		}
	}
}

func (r *readers) file(number int) (*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errReadersClosed
	}
	if f := r.open[number]; f != nil {
		return f, nil
	}
	f, err := os.Open(blockFile(r.dir, number))
	if err != nil {
		return nil, fmt.Errorf("opening block file: %w", err)
	}
	if len(r.order) == maxOpenReaders {
		oldest := r.order[0]
		r.order = r.order[1:]
		_ = r.open[oldest].Close() // only read from
		delete(r.open, oldest)
	}
	r.open[number] = f
	r.order = append(r.order, number)
	return f, nil
}

var errReadersClosed = errors.New("ledger is closed")

func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, f := range r.open {
		_ = f.Close() // only read from
	}
	r.open, r.order = nil, nil
}
