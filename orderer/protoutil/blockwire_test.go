package protoutil

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBlocksAreEncodedAsTheLibraryDoes(t *testing.T) {
	content := rapid.SliceOfN(rapid.Byte(), 0, 200)
	rapid.Check(t, func(t *rapid.T) {
		block := NewBlock(rapid.Uint64().Draw(t, "number"), content.Draw(t, "previous hash"))
		block.Header.DataHash = content.Draw(t, "data hash")
		block.Data.Data = rapid.SliceOf(content).Draw(t, "data")
		block.Metadata.Metadata = rapid.SliceOf(content).Draw(t, "metadata")
		require.Equal(t, MustMarshal(block), MarshalBlock(block))
		requireSameBlock(t, MarshalBlock(block))
	})
	for _, block := range []*cb.Block{{}, {Header: &cb.BlockHeader{}}, {Data: &cb.BlockData{}}, {Metadata: &cb.BlockMetadata{}}} {
		require.Equal(t, string(MustMarshal(block)), string(MarshalBlock(block)))
	}
}

// requireSameBlock compares with the decoding by the library.
func requireSameBlock(t require.TestingT, raw []byte) {
	want := &cb.Block{}
	wantErr := proto.Unmarshal(raw, want)
	got, err := UnmarshalBlock(raw)
	if wantErr != nil || want.Header == nil || want.Data == nil {
		require.Error(t, err)
		return
	}
	require.NoError(t, err)
	if want.Metadata == nil {
		want.Metadata = &cb.BlockMetadata{}
	}
	require.True(t, proto.Equal(want, got))
}

// blockVectors are encodings that a decoder could get wrong.
var blockVectors = [][]byte{
	nil, {0x0a, 0, 0x12, 0}, {0x0a, 0, 0x12, 0, 0x1a, 0}, {0x12, 0, 0x0a, 0, 0x1a, 0}, {0x0a, 0, 0x1a, 0, 0x12, 0},
	{0x0a, 2, 0x08, 5, 0x12, 3, 0x0a, 1, 'x', 0x1a, 2, 0x0a, 0},
	{0x0a, 2, 0x08, 5, 0x12, 3, 0x0a, 1, 'x', 0x12, 3, 0x0a, 1, 'y', 0x1a, 2, 0x0a, 0}, // merged
	{0x0a, 2, 0x08, 5, 0x12, 3, 0x12, 1, 'x', 0x1a, 2, 0x0a, 0},                        // unknown in data
	{0x0a, 2, 0x20, 5, 0x12, 0, 0x1a, 0},                                               // unknown in the header
	{0x0a, 2, 0x08, 5, 0x12, 0, 0x1a, 2, 0x10, 1},
	{0x0a, 0, 0x12, 0, 0x1a, 0, 0x20, 1},
	{0x0a, 0, 0x12, 3, 0x0a, 2, 'x', 0x1a, 0},
	{0x0a, 0, 0x12, 9}, {0x0a, 1, 0xff, 0x12, 0, 0x1a, 0},
}

func TestBlocksAreDecodedAsTheLibraryDoes(t *testing.T) {
	for _, raw := range blockVectors {
		requireSameBlock(t, raw)
	}
}

func FuzzUnmarshalBlock(f *testing.F) {
	for _, raw := range blockVectors {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { requireSameBlock(t, raw) })
}

func benchBlock() *cb.Block {
	block := NewBlock(7, make([]byte, 32))
	for range 500 {
		block.Data.Data = append(block.Data.Data, make([]byte, 2100))
	}
	return block
}

func BenchmarkMarshalBlock(b *testing.B) {
	block := benchBlock()
	b.SetBytes(500 * 2100)
	for b.Loop() {
		MarshalBlock(block)
	}
}

func BenchmarkUnmarshalBlock(b *testing.B) {
	raw := MarshalBlock(benchBlock())
	b.SetBytes(500 * 2100)
	for b.Loop() {
		_, err := UnmarshalBlock(raw)
		require.NoError(b, err)
	}
}
