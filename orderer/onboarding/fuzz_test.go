package onboarding

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// Blocks that another orderer sends are believed, or refused with an error;
// those that are not what a real orderer wrote are refused.
func FuzzPulledBlock(f *testing.F) {
	chains := map[bool][]*cb.Block{true: readChannel(f, "2.5.16", systemChannel), false: readChannel(f, "2.5.16", appChannel)}
	for _, system := range []bool{true, false} {
		for _, b := range chains[system][1:] {
			f.Add(protoutil.MustMarshal(b), system)
		}
	}
	f.Add([]byte{0x0a, 0x02, 0x08, 0x01}, true)
	signed := map[string]bool{}
	for _, chain := range chains {
		for _, b := range chain {
			signed[string(protoutil.BlockHeaderBytes(b.Header))] = true
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, system bool) {
		block, err := protoutil.UnmarshalBlock(raw)
		if err != nil {
			return
		}
		if block.Header != nil {
			_, _ = genesisIn(block) // an error is a refusal
			isChannelConfig(block)
		}
		chain := chains[system]
		before := chain[0]
		if n := block.GetHeader().GetNumber(); n > 0 && n < uint64(len(chain)) {
			before = chain[n-1]
		}
		config := before
		for !isChannelConfig(config) {
			config = chain[config.Header.Number-1]
		}
		v, err := NewVerifier(config)
		require.NoError(t, err)
		if v.Verify([]*cb.Block{block}) != nil || block.Header.Number == 0 {
			return
		}
		// a signature does not say of which channel a block is; that a block does
		// not follow is seen when it is appended
		require.Contains(t, signed, string(protoutil.BlockHeaderBytes(block.Header)), "a block that nobody signed")
	})
}
