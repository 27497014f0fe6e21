package channelcfg_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// What one update of one channel costs in arithmetic: decode, build, sign.
func BenchmarkBuildAndSign(b *testing.B) {
	admin, err := identity.Load(fakenet.NewCrypto(b).Admin())
	require.NoError(b, err)
	blocks := fakenet.Ledger(b, "2.5.16", fakenet.KafkaNormal, fakenet.Channel)
	index, err := protoutil.LastConfigIndex(blocks[len(blocks)-1])
	require.NoError(b, err)
	for b.Loop() {
		v, err := channelcfg.FromBlock(blocks[index])
		require.NoError(b, err)
		u, err := channelcfg.Build(v, runbook.ChangeEnterMaintenance, nil)
		require.NoError(b, err)
		require.NoError(b, u.Sign(admin))
	}
}
