package fileledger

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// ErrDamaged is returned when block files hold something that no crash
// explains. The channel must be restored from a backup or another orderer.
var ErrDamaged = errors.New("block files are damaged")

// position is a place between two records and what the next one must be.
type position struct {
	file   int
	offset int64
	number uint64
	hash   []byte // of the header before; nil for block 0
}

// check tells whether block may stand at the position.
func (p *position) check(block *cb.Block) error {
	h := block.Header
	switch {
	case h.Number != p.number:
		return fmt.Errorf("block number is %d instead of %d", h.Number, p.number)
	case !bytes.Equal(h.PreviousHash, p.hash):
		return fmt.Errorf("previous hash of block %d is %x instead of %x", h.Number, h.PreviousHash, p.hash)
	case !bytes.Equal(h.DataHash, protoutil.BlockDataHash(block.Data)):
		return fmt.Errorf("data hash of block %d is not that of its data", h.Number)
	}
	return nil
}

// scanFile reads the records of one file from p on and calls visit for each
// with its location; p moves along. torn is set if the file ends with a record
// that a crash may have left: p then points to its beginning.
func scanFile(dir string, p *position, visit func(*cb.Block, location) error) (torn bool, err error) {
	f, err := os.Open(blockFile(dir, p.file))
	if err != nil {
		return false, fmt.Errorf("opening block file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("reading size of block file: %w", err)
	}
	end := info.Size()
	in := bufio.NewReaderSize(io.NewSectionReader(f, p.offset, end-p.offset), 1<<20)
	for p.offset < end {
		prefix, _ := in.Peek(int(min(binary.MaxVarintLen64, end-p.offset)))
		size, n := binary.Uvarint(prefix)
		if n <= 0 || size == 0 || size > uint64(end-p.offset-int64(n)) {
			return true, noneBehind(f, p, end, errRecord)
		}
		if _, err := in.Discard(n); err != nil {
			return false, fmt.Errorf("reading block file: %w", err)
		}
		record := make([]byte, size)
		if _, err := io.ReadFull(in, record); err != nil {
			return false, fmt.Errorf("reading block file: %w", err)
		}
		next := p.offset + int64(n) + int64(size)
		block, err := parseRecord(record)
		if err == nil {
			err = p.check(block)
		}
		if err != nil && next == end {
			return true, nil
		}
		if err != nil {
			return true, noneBehind(f, p, end, err)
		}
		if err := visit(block, location{p.file, p.offset}); err != nil {
			return false, err
		}
		p.offset, p.number, p.hash = next, p.number+1, protoutil.BlockHeaderHash(block.Header)
	}
	return false, nil
}

// noneBehind returns an error if good records follow the bad one at p up to
// the end of the file. A crash leaves no such thing, because a record is
// written only after the one before it is durable.
func noneBehind(f *os.File, p *position, end int64, why error) error {
	rest := make([]byte, end-p.offset)
	if _, err := f.ReadAt(rest, p.offset); err != nil {
		return fmt.Errorf("reading block file: %w", err)
	}
	for start := 1; start < len(rest); start++ {
		if recordsUpToEnd(rest[start:], p.number) {
			return fmt.Errorf("%w: %s at offset %d: %w, and %d bytes behind it there are good blocks",
				ErrDamaged, f.Name(), p.offset, why, start)
		}
	}
	return nil
}

// recordsUpToEnd reports whether b consists of blocks later than number.
func recordsUpToEnd(b []byte, number uint64) bool {
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || size == 0 || size > uint64(len(b)-n) {
			return false
		}
		if got, _ := binary.Uvarint(b[n:]); got <= number || got > number+1<<20 { // cheap, and rarely passed by chance
			return false
		}
		block, err := parseRecord(b[n : n+int(size)])
		if err != nil || !bytes.Equal(block.Header.DataHash, protoutil.BlockDataHash(block.Data)) {
			return false
		}
		b, number = b[n+int(size):], block.Header.Number
	}
	return true
}

// scan reads all records from p on, file by file. It returns the number of
// bytes after p that a crash may have left.
func scan(dir string, p *position, visit func(*cb.Block, location) error) (tornBytes int64, err error) {
	files, err := blockFiles(dir)
	if err != nil {
		return 0, err
	}
	if len(files) > 0 && files[len(files)-1] != len(files)-1 {
		return 0, fmt.Errorf("%w: %s has %d block files, the last of them number %d", ErrDamaged, dir, len(files), files[len(files)-1])
	}
	for p.file < len(files) {
		torn, err := scanFile(dir, p, visit)
		switch {
		case err != nil:
			return 0, err
		case torn && p.file < len(files)-1:
			return 0, fmt.Errorf("%w: %s ends within a record at offset %d, but is not the last file",
				ErrDamaged, blockFile(dir, p.file), p.offset)
		case torn:
			info, err := os.Stat(blockFile(dir, p.file))
			if err != nil {
				return 0, fmt.Errorf("reading size of block file: %w", err)
			}
			return info.Size() - p.offset, nil
		case p.file == len(files)-1:
			return 0, nil
		}
		p.file, p.offset = p.file+1, 0
	}
	return 0, nil
}

// readAt reads the record at a location of an open file.
func readAt(f io.ReaderAt, offset int64) (*cb.Block, int64, error) {
	first := make([]byte, 16<<10)
	n, err := f.ReadAt(first, offset)
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	size, prefix := binary.Uvarint(first[:n])
	if prefix <= 0 || size == 0 || size > 1<<31 {
		return nil, 0, errRecord
	}
	total := int64(prefix) + int64(size)
	record := first[:n]
	if total <= int64(n) {
		record = record[prefix:total:total]
	} else {
		if _, err := f.ReadAt(make([]byte, 1), offset+total-1); err != nil { // the file ends before the record does
			return nil, 0, errors.Join(errRecord, err)
		}
		record = append(make([]byte, 0, size), first[prefix:n]...)
		rest := record[len(record):size]
		if _, err := f.ReadAt(rest, offset+int64(n)); err != nil {
			return nil, 0, errors.Join(errRecord, err)
		}
		record = record[:size]
	}
	block, err := parseRecord(record)
	return block, total, err
}
