package ledgerfiles

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// Tail is the end of a channel's ledger: its last block and its last config
// block, which may be the same.
type Tail struct {
	Newest, Config *cb.Block
}

// ReadTail reads the end of one channel's ledger. A record that is cut off at
// the end of the last file does not count.
func ReadTail(ledgerDir, channel string) (*Tail, error) {
	files, err := blockFiles(filepath.Join(ledgerDir, chainsDir, channel))
	if err != nil {
		return nil, err
	}
	newest, err := find(files, func(uint64) bool { return true })
	if err != nil {
		return nil, err
	}
	if newest == nil {
		return nil, fmt.Errorf("the ledger of %s holds no block", channel)
	}
	index, err := protoutil.LastConfigIndex(newest)
	if err != nil {
		return nil, fmt.Errorf("channel %s, block %d: %w", channel, newest.Header.Number, err)
	}
	t := &Tail{Newest: newest, Config: newest}
	if index == newest.Header.Number {
		return t, nil
	}
	if t.Config, err = find(files, func(n uint64) bool { return n <= index }); err != nil {
		return nil, err
	}
	if t.Config == nil || t.Config.Header.Number != index {
		return nil, fmt.Errorf("the ledger of %s lacks its config block %d: it is damaged", channel, index)
	}
	return t, nil
}

// blockFiles lists the block files of a channel, in order.
func blockFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing block files: %w", err)
	}
	var files []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), blockPrefix) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	sort.Strings(files)
	return files, nil
}

// find returns the last block whose number satisfies a condition that holds
// for all numbers up to some, nil if there is none.
func find(files []string, holds func(number uint64) bool) (*cb.Block, error) {
	for i := len(files) - 1; i >= 0; i-- {
		f, err := os.Open(files[i])
		if err != nil {
			return nil, err
		}
		b, err := lastIn(f, holds)
		_ = f.Close() // read only
		if b != nil || err != nil {
			return b, err
		}
	}
	return nil, nil
}

// lastIn is find within one file.
func lastIn(f *os.File, holds func(number uint64) bool) (*cb.Block, error) {
	r := bufio.NewReaderSize(f, 256<<10)
	var at, length int64 // of the record found last
	for offset := int64(0); ; {
		size, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil || size == 0 || size > maxRecord {
			return nil, errors.Join(fmt.Errorf("%s: a record of %d bytes: the file is damaged", f.Name(), size), err)
		}
		number, used, ok := peekNumber(r)
		rest := int(size) - used
		if !ok || rest < 0 {
			break // cut off within the number
		}
		if n, err := r.Discard(rest); err != nil {
			if errors.Is(err, io.EOF) && n < rest {
				break
			}
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		if !holds(number) {
			break
		}
		begin := offset + int64(len(binary.AppendUvarint(nil, size)))
		at, length, offset = begin, int64(size), begin+int64(size)
	}
	if length == 0 {
		return nil, nil
	}
	raw := make([]byte, length)
	if _, err := f.ReadAt(raw, at); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	b, err := parseBlock(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return b, nil
}

// parseBlock decodes a block as block files hold it (spec 7.9): the header's
// number and hashes, then the counted lists of transactions and metadata.
func parseBlock(raw []byte) (*cb.Block, error) {
	c := cursor{rest: raw}
	b := &cb.Block{Header: &cb.BlockHeader{}, Data: &cb.BlockData{}, Metadata: &cb.BlockMetadata{}}
	b.Header.Number = c.number()
	b.Header.DataHash = c.content()
	b.Header.PreviousHash = c.content()
	b.Data.Data = c.list()
	b.Metadata.Metadata = c.list()
	if c.damaged {
		return nil, errors.New("a block cannot be decoded: the file is damaged")
	}
	return b, nil
}

// cursor reads varints and what they count; damage makes all else empty.
type cursor struct {
	rest    []byte
	damaged bool
}

func (c *cursor) number() uint64 {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.damaged, c.rest = true, nil
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

func (c *cursor) content() []byte {
	n := c.number()
	if n > uint64(len(c.rest)) {
		c.damaged, c.rest = true, nil
		return nil
	}
	v := c.rest[:n:n]
	c.rest = c.rest[n:]
	return v
}

func (c *cursor) list() [][]byte {
	var out [][]byte
	for n := c.number(); n > 0 && !c.damaged; n-- {
		out = append(out, c.content())
	}
	return out
}
