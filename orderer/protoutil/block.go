package protoutil

import (
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
)

// MetadataSlots is the number of metadata slots of a new block (spec 7.7).
const MetadataSlots = 5

// NewBlock returns a block with the number and previous hash given, no data
// and MetadataSlots empty metadata slots.
func NewBlock(number uint64, previousHash []byte) *cb.Block {
	return &cb.Block{
		Header:   &cb.BlockHeader{Number: number, PreviousHash: previousHash, DataHash: []byte{}},
		Data:     &cb.BlockData{},
		Metadata: &cb.BlockMetadata{Metadata: emptySlots()},
	}
}

// NewBlockOf returns a block that holds messages, with its data hash.
func NewBlockOf(number uint64, previousHash []byte, messages []*Message) *cb.Block {
	block := NewBlock(number, previousHash)
	block.Data.Data = make([][]byte, len(messages))
	for i, m := range messages {
		block.Data.Data[i] = m.Bytes()
	}
	block.Header.DataHash = BlockDataHash(block.Data)
	return block
}

func emptySlots() [][]byte {
	slots := make([][]byte, MetadataSlots)
	for i := range slots {
		slots[i] = []byte{}
	}
	return slots
}

type asn1Header struct {
	Number       *big.Int
	PreviousHash []byte
	DataHash     []byte
}

// BlockHeaderBytes is the ASN.1 DER form of a header, the bytes that are
// hashed and that block signatures end with (spec 7.7, A.3).
func BlockHeaderBytes(h *cb.BlockHeader) []byte {
	b, err := asn1.Marshal(asn1Header{
		Number:       new(big.Int).SetUint64(h.GetNumber()),
		PreviousHash: h.GetPreviousHash(),
		DataHash:     h.GetDataHash(),
	})
	if err != nil { // three plain fields always encode
		panic(fmt.Sprintf("protoutil: encoding block header: %v", err))
	}
	return b
}

// BlockHeaderHash is the SHA-256 of BlockHeaderBytes.
func BlockHeaderHash(h *cb.BlockHeader) []byte {
	sum := sha256.Sum256(BlockHeaderBytes(h))
	return sum[:]
}

// BlockDataHash is the SHA-256 of all data elements, one after the other.
func BlockDataHash(d *cb.BlockData) []byte {
	h := sha256.New()
	for _, b := range d.GetData() {
		h.Write(b)
	}
	return h.Sum(nil)
}

// UnmarshalBlock decodes a block and checks that header, data and metadata
// are present. The block may refer to b, which must not be changed afterwards.
func UnmarshalBlock(b []byte) (*cb.Block, error) {
	if block, ok := splitBlock(b); ok {
		return block, nil
	}
	block := &cb.Block{}
	if err := proto.Unmarshal(b, block); err != nil {
		return nil, fmt.Errorf("error unmarshalling Block: %w", err)
	}
	if block.Header == nil || block.Data == nil {
		return nil, errors.New("block without header or data")
	}
	if block.Metadata == nil {
		block.Metadata = &cb.BlockMetadata{}
	}
	return block, nil
}

// Metadata returns the decoded metadata of one slot; a missing or empty slot
// gives an empty Metadata.
func Metadata(block *cb.Block, slot cb.BlockMetadataIndex) (*cb.Metadata, error) {
	md := &cb.Metadata{}
	slots := block.GetMetadata().GetMetadata()
	if int(slot) >= len(slots) {
		return md, nil
	}
	if err := proto.Unmarshal(slots[slot], md); err != nil {
		return nil, fmt.Errorf("error unmarshalling metadata at index [%s]: %w", slot, err)
	}
	return md, nil
}

// SetMetadata puts encoded bytes into one slot, growing the slots if a block
// came with fewer.
func SetMetadata(block *cb.Block, slot cb.BlockMetadataIndex, encoded []byte) {
	if block.Metadata == nil {
		block.Metadata = &cb.BlockMetadata{}
	}
	for len(block.Metadata.Metadata) <= int(slot) {
		block.Metadata.Metadata = append(block.Metadata.Metadata, []byte{})
	}
	block.Metadata.Metadata[slot] = encoded
}

// OrdererBlockMetadata returns what the orderer signed into the SIGNATURES
// slot, or nil if that slot holds no value (blocks before 1.4.1).
func OrdererBlockMetadata(block *cb.Block) (*cb.OrdererBlockMetadata, error) {
	md, err := Metadata(block, cb.BlockMetadataIndex_SIGNATURES)
	if err != nil {
		return nil, err
	}
	if len(md.Value) == 0 {
		return nil, nil
	}
	obm := &cb.OrdererBlockMetadata{}
	if err := proto.Unmarshal(md.Value, obm); err != nil {
		return nil, fmt.Errorf("error unmarshalling OrdererBlockMetadata: %w", err)
	}
	return obm, nil
}

// ConsenterMetadata returns the consenter's metadata of a block: from the
// SIGNATURES slot, or from slot ORDERER if SIGNATURES has no value (spec 2.3).
func ConsenterMetadata(block *cb.Block) (*cb.Metadata, error) {
	obm, err := OrdererBlockMetadata(block)
	if err != nil {
		return nil, err
	}
	if obm == nil {
		return Metadata(block, cb.BlockMetadataIndex_ORDERER)
	}
	md := &cb.Metadata{}
	if err := proto.Unmarshal(obm.ConsenterMetadata, md); err != nil {
		return nil, fmt.Errorf("error unmarshalling consenter metadata: %w", err)
	}
	return md, nil
}

// LastConfigIndex returns the number of the channel's last config block as
// recorded in block: from SIGNATURES, or from slot LAST_CONFIG (spec 7.7).
func LastConfigIndex(block *cb.Block) (uint64, error) {
	obm, err := OrdererBlockMetadata(block)
	if err != nil {
		return 0, err
	}
	if obm != nil {
		return obm.GetLastConfig().GetIndex(), nil
	}
	md, err := Metadata(block, cb.BlockMetadataIndex_LAST_CONFIG)
	if err != nil {
		return 0, err
	}
	lc := &cb.LastConfig{}
	if err := proto.Unmarshal(md.Value, lc); err != nil {
		return 0, fmt.Errorf("error unmarshalling LastConfig: %w", err)
	}
	return lc.Index, nil
}

// IsConfigBlock reports whether the block is a config block: one envelope, of
// type CONFIG or ORDERER_TRANSACTION.
func IsConfigBlock(block *cb.Block) bool {
	if len(block.GetData().GetData()) != 1 {
		return false
	}
	env, err := UnmarshalEnvelope(block.Data.Data[0])
	if err != nil {
		return false
	}
	h, err := ChannelHeader(env)
	if err != nil {
		return false
	}
	t := cb.HeaderType(h.Type)
	return t == cb.HeaderType_CONFIG || t == cb.HeaderType_ORDERER_TRANSACTION
}

// EnvelopeAt returns the envelope at index of a block's data.
func EnvelopeAt(block *cb.Block, index int) (*cb.Envelope, error) {
	if n := len(block.GetData().GetData()); index < 0 || index >= n {
		return nil, fmt.Errorf("no envelope at index %d, the block has %d", index, n)
	}
	return UnmarshalEnvelope(block.Data.Data[index])
}

// ChannelIDOf returns the channel that a block belongs to, read from the
// header of its first envelope.
func ChannelIDOf(block *cb.Block) (string, error) {
	env, err := EnvelopeAt(block, 0)
	if err != nil {
		return "", err
	}
	h, err := ChannelHeader(env)
	if err != nil {
		return "", err
	}
	return h.ChannelId, nil
}
