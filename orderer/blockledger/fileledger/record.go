package fileledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"
)

var errRecord = errors.New("malformed block record")

// appendRecord appends a block's record with its length prefix.
func appendRecord(b []byte, block *cb.Block) []byte {
	b = binary.AppendUvarint(b, uint64(bodySize(block)))
	b = binary.AppendUvarint(b, block.GetHeader().GetNumber())
	b = appendBytes(b, block.GetHeader().GetDataHash())
	b = appendBytes(b, block.GetHeader().GetPreviousHash())
	b = appendList(b, block.GetData().GetData())
	return appendList(b, block.GetMetadata().GetMetadata())
}

// recordSize is the number of bytes that appendRecord appends.
func recordSize(block *cb.Block) int64 {
	n := bodySize(block)
	return int64(uvarintSize(uint64(n)) + n)
}

func bodySize(block *cb.Block) int {
	h := block.GetHeader()
	n := uvarintSize(h.GetNumber()) + bytesSize(h.GetDataHash()) + bytesSize(h.GetPreviousHash())
	for _, list := range [][][]byte{block.GetData().GetData(), block.GetMetadata().GetMetadata()} {
		n += uvarintSize(uint64(len(list)))
		for _, e := range list {
			n += bytesSize(e)
		}
	}
	return n
}

// parseRecord decodes a record without its length prefix. The block refers to b.
func parseRecord(b []byte) (*cb.Block, error) {
	r := reader{rest: b}
	block := &cb.Block{
		Header:   &cb.BlockHeader{Number: r.uvarint(), DataHash: r.bytes(), PreviousHash: r.bytes()},
		Data:     &cb.BlockData{Data: r.list()},
		Metadata: &cb.BlockMetadata{Metadata: r.list()},
	}
	if r.failed {
		return nil, errRecord
	}
	if len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes left over", errRecord, len(r.rest))
	}
	return block, nil
}

func uvarintSize(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}

func bytesSize(b []byte) int { return uvarintSize(uint64(len(b))) + len(b) }

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendList(b []byte, list [][]byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, e := range list {
		b = appendBytes(b, e)
	}
	return b
}

// reader consumes a byte slice; after a failure it yields zero values.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if r.failed || n <= 0 {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	v := r.rest[:n:n]
	r.rest = r.rest[n:]
	return v
}

func (r *reader) list() [][]byte {
	n := r.uvarint()
	if r.failed || n > uint64(len(r.rest)) { // an element takes at least its length byte
		r.failed = true
		return nil
	}
	list := make([][]byte, 0, n)
	for range n {
		list = append(list, r.bytes())
	}
	return list
}
