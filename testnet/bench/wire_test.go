package bench

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// response is a DeliverResponse with a block of transactions with these indices.
func response(t testing.TB, indices ...uint64) []byte {
	block := protoutil.NewBlock(3, []byte("previous"))
	for _, i := range indices {
		env, err := transaction(nil, i, 100)
		require.NoError(t, err)
		block.Data.Data = append(block.Data.Data, protoutil.MustMarshal(env))
	}
	return protoutil.MustMarshal(&ab.DeliverResponse{Type: &ab.DeliverResponse_Block{Block: block}})
}

func TestTheTransactionsOfABlockAreFound(t *testing.T) {
	var got []uint64
	block, err := forEachContent(response(t, 7, 0, 1<<40), func(content []byte) error {
		i, err := indexOf(content)
		got = append(got, i)
		return err
	})
	require.NoError(t, err)
	require.True(t, block)
	require.Equal(t, []uint64{7, 0, 1 << 40}, got)
}

func TestAStatusIsNoBlock(t *testing.T) {
	status := protoutil.MustMarshal(&ab.DeliverResponse{Type: &ab.DeliverResponse_Status{Status: cb.Status_SERVICE_UNAVAILABLE}})
	block, err := forEachContent(status, nil)
	require.NoError(t, err)
	require.False(t, block)
}

func TestMalformedAnswersAreErrors(t *testing.T) {
	raw := response(t, 7)
	for _, b := range [][]byte{raw[:len(raw)-1], {0xff}, {0x12, 5}, {0x08}} {
		_, err := forEachContent(b, func([]byte) error { return nil })
		require.ErrorIs(t, err, errWire)
	}
	_, err := indexOf([]byte("short"))
	require.ErrorIs(t, err, errWire)
}

func FuzzForEachContent(f *testing.F) {
	f.Add(response(f, 7))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := forEachContent(raw, func(content []byte) error {
			_, _ = indexOf(content) // must not panic
			return nil
		})
		_ = err
	})
}
