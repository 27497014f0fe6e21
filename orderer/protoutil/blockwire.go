package protoutil

import (
	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of fields in common.proto.
const (
	blockHeader   = 1
	blockData     = 2
	blockMetadata = 3

	headerNumber       = 1
	headerPreviousHash = 2
	headerDataHash     = 3

	listElement = 1 // of BlockData and BlockMetadata
)

// MarshalBlock encodes a block that was built here, as Marshal does, with one
// copy of its data.
func MarshalBlock(block *cb.Block) []byte {
	header := appendBlockHeader(nil, block.GetHeader())
	data, metadata := block.GetData().GetData(), block.GetMetadata().GetMetadata()
	dataSize, metadataSize := listSize(data), listSize(metadata)
	size := protowire.SizeTag(blockHeader)*3 + protowire.SizeBytes(len(header)) + protowire.SizeBytes(dataSize) + protowire.SizeBytes(metadataSize)
	b := make([]byte, 0, size)
	if block.GetHeader() != nil {
		b = protowire.AppendBytes(protowire.AppendTag(b, blockHeader, protowire.BytesType), header)
	}
	if block.GetData() != nil {
		b = appendList(b, blockData, data, dataSize)
	}
	if block.GetMetadata() != nil {
		b = appendList(b, blockMetadata, metadata, metadataSize)
	}
	return b
}

func appendBlockHeader(b []byte, h *cb.BlockHeader) []byte {
	if n := h.GetNumber(); n > 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, headerNumber, protowire.VarintType), n)
	}
	for _, f := range [...]struct {
		number protowire.Number
		value  []byte
	}{{headerPreviousHash, h.GetPreviousHash()}, {headerDataHash, h.GetDataHash()}} {
		if len(f.value) > 0 {
			b = protowire.AppendBytes(protowire.AppendTag(b, f.number, protowire.BytesType), f.value)
		}
	}
	return b
}

func listSize(list [][]byte) int {
	n := 0
	for _, e := range list {
		n += protowire.SizeTag(listElement) + protowire.SizeBytes(len(e))
	}
	return n
}

func appendList(b []byte, field protowire.Number, list [][]byte, size int) []byte {
	b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
	for _, e := range list {
		b = protowire.AppendBytes(protowire.AppendTag(b, listElement, protowire.BytesType), e)
	}
	return b
}

// splitBlock decodes a block whose three fields are there, each once and in
// the order of their numbers, and have no unknown ones inside. The data refer
// to b. Anything else is left to the library.
func splitBlock(b []byte) (*cb.Block, bool) {
	var parts [3][]byte
	for i := range parts {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num != protowire.Number(i+1) || typ != protowire.BytesType {
			return nil, false
		}
		v, m := protowire.ConsumeBytes(b[n:])
		if m < 0 {
			return nil, false
		}
		parts[i], b = v, b[n+m:]
	}
	if len(b) > 0 {
		return nil, false
	}
	block := &cb.Block{Header: &cb.BlockHeader{}, Data: &cb.BlockData{}, Metadata: &cb.BlockMetadata{}}
	if proto.Unmarshal(parts[0], block.Header) != nil {
		return nil, false
	}
	var ok bool
	if block.Data.Data, ok = splitList(parts[1]); !ok {
		return nil, false
	}
	block.Metadata.Metadata, ok = splitList(parts[2])
	return block, ok
}

func splitList(b []byte) ([][]byte, bool) {
	var list [][]byte
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num != listElement || typ != protowire.BytesType {
			return nil, false
		}
		v, m := protowire.ConsumeBytes(b[n:])
		if m < 0 {
			return nil, false
		}
		list, b = append(list, v[:len(v):len(v)]), b[n+m:]
	}
	return list, true
}
