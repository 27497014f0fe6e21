package etcdraft

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/consensus"
	"raftmig/orderer/types"
)

// Issue 4016 of Fabric: a channel's log and snapshots go with it.
func TestRemovingTheStorageOfAChannelLeavesThatOfOthers(t *testing.T) {
	wal, snap := t.TempDir(), t.TempDir()
	for _, dir := range []string{wal, snap} {
		for _, channel := range []string{"ch", "ch1"} {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, channel), 0o750))
			require.NoError(t, os.WriteFile(filepath.Join(dir, channel, "f"), nil, 0o600))
		}
	}
	require.NoError(t, RemoveStorage(wal, snap, "ch"))
	require.NoError(t, RemoveStorage(wal, snap, "ch"), "again")
	for _, dir := range []string{wal, snap} {
		require.NoDirExists(t, filepath.Join(dir, "ch"))
		require.FileExists(t, filepath.Join(dir, "ch1", "f"))
	}
	require.NoError(t, RemoveStorage("", "", "ch"), "a node that is not of cluster type has no folders")
}

func TestStatusOfAChain(t *testing.T) {
	net := newNetwork(t, 1)
	node := net.nodes[0]
	net.addChannel("ch1", net.config(node), net.nodes)
	node.start()
	chain := node.chains["ch1"].(*Chain)
	check := func(relation types.ConsensusRelation, status types.Status) {
		t.Helper()
		r, s := chain.StatusReport()
		require.Equal(t, relation, r)
		require.Equal(t, status, s)
	}
	check(types.ConsensusRelationConsenter, types.StatusActive)
	var told consensus.Chain
	chain.opts.Evicted = func(channelID string, c consensus.Chain) { told = c; require.Equal(t, "ch1", channelID) }
	chain.haltEvicted()
	require.Same(t, chain, told)
	check(types.ConsensusRelationConfigTracker, types.StatusInactive)

	told = nil
	node.consenter.onEvicted(chain)
	require.Nil(t, told, "a chain that is not the channel's any more is nobody's business")
}
