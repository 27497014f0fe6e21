package onboarding

import (
	"context"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/cluster"
	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/protoutil"
)

var fabricVersions = []string{"2.2.15", "2.5.16"}

func newConfig(w *world, ledgers *memoryLedgers, cert []byte) Config {
	return Config{Ledgers: ledgers, NewPuller: w.newPuller, Signer: fakeSigner{}, ServerCert: cert, MaxRetries: 1}
}

func requireLedger(t *testing.T, ledgers *memoryLedgers, channel string, want []*cb.Block) {
	t.Helper()
	l, err := ledgers.GetOrCreate(channel)
	require.NoError(t, err)
	require.EqualValues(t, len(want), l.Height())
	for number, block := range want {
		entry, err := l.BlockByNumber(uint64(number))
		require.NoError(t, err)
		require.Equal(t, protoutil.BlockHeaderBytes(block.Header), protoutil.BlockHeaderBytes(entry.Block.Header))
	}
}

func TestANewNodeGetsTheChannelsItIsAConsenterOfFromRealLedgers(t *testing.T) {
	for _, version := range fabricVersions {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, version)
			ledgers := newMemoryLedgers()
			sys, app := w.channels[systemChannel], w.channels[appChannel]
			boot := sys[len(sys)-1]
			r := NewReplicator(newConfig(w, ledgers, serverCert(t, app, 1)))
			require.NoError(t, r.Replicate(context.Background(), boot))
			requireLedger(t, ledgers, systemChannel, sys)
			// All up to the last config block; Raft brings the rest.
			config := len(app)
			for !isChannelConfig(app[config-1]) {
				config--
			}
			requireLedger(t, ledgers, appChannel, app[:config])

			before := w.pulled[systemChannel]
			require.NoError(t, r.Replicate(context.Background(), boot))
			require.Equal(t, before, w.pulled[systemChannel], "replication isn't needed again")
		})
	}
}

func TestANewNodeGetsOnlyTheGenesisBlockOfOtherChannels(t *testing.T) {
	w := newWorld(t, "2.5.16")
	sys, app := w.channels[systemChannel], w.channels[appChannel]
	outsider := clustertest.NewCA(t, "ca").Issue(t, "outsider")
	for _, tc := range []struct {
		name string
		err  error
	}{
		{"because it is no consenter", nil},
		{"because it is forbidden", cluster.ErrForbidden},
		{"because nobody serves the channel", cluster.ErrServiceUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.errs[appChannel] = tc.err
			ledgers := newMemoryLedgers()
			r := NewReplicator(newConfig(w, ledgers, outsider.PEM))
			require.NoError(t, r.Replicate(context.Background(), sys[len(sys)-1]))
			requireLedger(t, ledgers, systemChannel, sys)
			requireLedger(t, ledgers, appChannel, app[:1])
		})
	}
}

// Killed at any append, a second run ends where an undisturbed one does, and a
// node that starts between the two knows that it has to run it.
func TestReplicationCanBeInterruptedAnywhere(t *testing.T) {
	w := newWorld(t, "2.5.16")
	sys, app := w.channels[systemChannel], w.channels[appChannel]
	boot := sys[len(sys)-1]
	cert := serverCert(t, app, 0)
	whole := newMemoryLedgers()
	require.NoError(t, NewReplicator(newConfig(w, whole, cert)).Replicate(context.Background(), boot))

	for n := 1; ; n++ {
		ledgers := newMemoryLedgers()
		ledgers.failAppend = n
		r := NewReplicator(newConfig(w, ledgers, cert))
		err := r.Replicate(context.Background(), boot)
		if err == nil {
			require.Greater(t, n, len(sys))
			return
		}
		require.ErrorIs(t, err, errFull)
		require.LessOrEqual(t, ledgers.height(systemChannel), boot.Header.Number, "the system channel is complete only at the end")
		require.NoError(t, r.Replicate(context.Background(), boot))
		for _, channel := range []string{systemChannel, appChannel} {
			require.Equal(t, whole.height(channel), ledgers.height(channel))
		}
	}
}

func TestBlocksThatAreNotWhatTheyClaimAreNotStored(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(sys, app []*cb.Block)
		want   string
	}{
		{"a system channel that does not lead to the boot block", func(sys, _ []*cb.Block) {
			sys[len(sys)-1].Header.PreviousHash = []byte("other")
		}, "does not follow"},
		{"a system channel with another transaction", func(sys, _ []*cb.Block) {
			sys[1].Data.Data[0] = append(sys[1].Data.Data[0], 0)
		}, "does not have the data that its header claims"},
		{"a block without a signature", func(_, app []*cb.Block) {
			protoutil.SetMetadata(app[2], cb.BlockMetadataIndex_SIGNATURES, nil)
		}, "signatures of block [2]"},
		{"a block with a signature over something else", func(_, app []*cb.Block) {
			app[3].Metadata.Metadata[0] = app[2].Metadata.Metadata[0]
		}, "signatures of block [3]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "2.5.16")
			sys, app := w.channels[systemChannel], w.channels[appChannel]
			boot := proto.Clone(sys[len(sys)-1]).(*cb.Block)
			ledgers := newMemoryLedgers()
			cert := serverCert(t, app, 0)
			tc.change(sys, app)
			err := NewReplicator(newConfig(w, ledgers, cert)).Replicate(context.Background(), boot)
			require.ErrorContains(t, err, tc.want)
			require.Zero(t, ledgers.height(systemChannel))
		})
	}
}

func TestAnotherBootBlockOfTheSameNumberIsRefused(t *testing.T) {
	w := newWorld(t, "2.5.16")
	sys := w.channels[systemChannel]
	boot := proto.Clone(sys[len(sys)-1]).(*cb.Block)
	boot.Header.DataHash = []byte("other")
	err := NewReplicator(newConfig(w, newMemoryLedgers(), nil)).Replicate(context.Background(), boot)
	require.ErrorContains(t, err, "Block header mismatch on last system channel block, expected ")
}
