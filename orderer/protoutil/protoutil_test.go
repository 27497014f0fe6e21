package protoutil

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
)

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// Vectors of spec appendix A.3.
func TestBlockHeaderHashVectors(t *testing.T) {
	empty := sha256.Sum256(nil)
	ab := sha256.Sum256([]byte("ab"))
	first := fromHex(t, "9cae6f5c10756febc407bba95fc23853774c1f65f10354895bfdab6443d66ed3")
	for _, tc := range []struct {
		name   string
		header *cb.BlockHeader
		der    string
		hash   string
	}{
		{
			name:   "number 0 and no previous hash",
			header: &cb.BlockHeader{DataHash: empty[:]},
			der:    "30270201000400",
			hash:   hex.EncodeToString(first),
		},
		{
			name:   "number 200 needs a leading zero byte",
			header: &cb.BlockHeader{Number: 200, PreviousHash: first, DataHash: ab[:]},
			der:    "3048020200c8",
			hash:   "f9f651dc1b8baa4d15aa39f86614d3582237dec5f549ec04726c01a8bc307f82",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			der := hex.EncodeToString(BlockHeaderBytes(tc.header))
			require.True(t, strings.HasPrefix(der, tc.der), der)
			require.Equal(t, tc.hash, hex.EncodeToString(BlockHeaderHash(tc.header)))
		})
	}
}

func TestBlockDataHashIgnoresElementBorders(t *testing.T) {
	a := BlockDataHash(&cb.BlockData{Data: [][]byte{[]byte("a"), []byte("b")}})
	b := BlockDataHash(&cb.BlockData{Data: [][]byte{[]byte("ab")}})
	require.Equal(t, a, b)
}

func TestParseMessageKeepsCanonicalBytesAndRewritesOthers(t *testing.T) {
	canonical := NewMessage(&cb.Envelope{Payload: []byte("payload"), Signature: []byte("sig")}).Bytes()
	got, err := ParseMessage(canonical)
	require.NoError(t, err)
	require.Same(t, &canonical[0], &got.Bytes()[0])
	require.Equal(t, uint32(10), got.Size())

	reversed := append(append([]byte{0x12, 3}, "sig"...), append([]byte{0x0a, 7}, "payload"...)...)
	got, err = ParseMessage(reversed)
	require.NoError(t, err)
	require.Equal(t, canonical, got.Bytes())

	longLength := append(append([]byte{0x0a, 0x87, 0x00}, "payload"...), append([]byte{0x12, 3}, "sig"...)...)
	got, err = ParseMessage(longLength)
	require.NoError(t, err)
	require.Equal(t, canonical, got.Bytes())

	_, err = ParseMessage([]byte{0x0a, 0xff})
	require.Error(t, err)
}

func FuzzParseMessage(f *testing.F) {
	f.Add(NewMessage(&cb.Envelope{Payload: []byte("p"), Signature: []byte("s")}).Bytes())
	f.Add([]byte{0x12, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseMessage(raw)
		if err != nil {
			return
		}
		again, err := UnmarshalEnvelope(m.Bytes())
		require.NoError(t, err)
		require.Equal(t, m.GetPayload(), again.GetPayload())
		want := MustMarshal(&cb.Envelope{Payload: m.GetPayload(), Signature: m.GetSignature()})
		require.Equal(t, len(want), len(m.Bytes()))
		require.True(t, string(want) == string(m.Bytes()))
	})
}
