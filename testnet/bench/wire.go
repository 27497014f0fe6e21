package bench

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that is wrapped
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// raw is a codec that carries []byte as they are and fills *[]byte: the load
// shares the processors with what it measures, so it must not cost more than
// it has to.
type raw struct{ encoding.CodecV2 }

func rawCodec() raw { return raw{encoding.GetCodecV2("proto")} }

func (c raw) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

func (c raw) Unmarshal(data mem.BufferSlice, v any) error {
	if b, ok := v.(*[]byte); ok {
		*b = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// errWire is returned for an answer that is not what the protocol says.
var errWire = errors.New("malformed message")

// fields calls f for each length-delimited field of an encoded message and
// skips the others.
func fields(b []byte, f func(num protowire.Number, v []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
		}
		b = b[n:]
		if typ == protowire.BytesType {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
			}
			if err := f(num, v); err != nil {
				return err
			}
			b = b[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
		}
		b = b[n:]
	}
	return nil
}

// Numbers of fields (common.proto, ab.proto).
const (
	deliverBlock    = 2 // DeliverResponse.block
	blockData       = 2 // Block.data
	blockDataData   = 1 // BlockData.data
	envelopePayload = 1 // Envelope.payload
	payloadData     = 2 // Payload.data
)

// forEachContent calls f with the content of every transaction of the block
// that a DeliverResponse carries. block is false if it carries none.
func forEachContent(response []byte, f func(content []byte) error) (block bool, err error) {
	// path leads from the response to the content.
	path := []protowire.Number{deliverBlock, blockData, blockDataData, envelopePayload, payloadData}
	var walk func(b []byte, depth int) error
	walk = func(b []byte, depth int) error {
		return fields(b, func(num protowire.Number, v []byte) error {
			switch {
			case num != path[depth]:
				return nil
			case depth == len(path)-1:
				return f(v)
			}
			block = true
			return walk(v, depth+1)
		})
	}
	err = walk(response, 0)
	return block, err
}

// indexOf is the number of the transaction with that content.
func indexOf(content []byte) (uint64, error) {
	if len(content) < indexSize {
		return 0, fmt.Errorf("%w: a transaction that is not ours", errWire)
	}
	return binary.BigEndian.Uint64(content[len(content)-indexSize:]), nil
}
