package testnet

import (
	"context"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/ledgerfiles"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/protoutil"
	"raftmig/testnet/clone"
	"raftmig/testnet/clone/source"
)

// strayed is a real network whose channel has settings and policies of its own,
// inside the Orderer group and at the top.
func strayed(t *testing.T) *source.Reading {
	t.Helper()
	r := realBlocks(t, "2.2.15.kafka")
	group := r.Sources[0].Config.ChannelGroup
	change(t, r.Sources[0], "BatchSize", &ab.BatchSize{MaxMessageCount: 7, AbsoluteMaxBytes: 4 << 20, PreferredMaxBytes: 1 << 20})
	group.Policies["Auditors"] = proto.Clone(group.Policies["Admins"]).(*cb.ConfigPolicy)
	return r
}

// runningClone clones what r read and starts it.
func runningClone(t *testing.T, r *source.Reading, s Spec) (context.Context, *Network) {
	t.Helper()
	return started(t, s, func(dir string, s Spec) (*Network, error) {
		shape, err := clone.Read(r.Sources, r.Known)
		require.NoError(t, err)
		return Clone(dir, s, shape, nil)
	})
}

// newestConfig is that of ch1 in the ledger of an orderer.
func newestConfig(t *testing.T, n *Network) *cb.ConfigGroup {
	t.Helper()
	tail, err := ledgerfiles.ReadTail(n.LedgerNodes()[0].LedgerDir, "ch1")
	require.NoError(t, err)
	env, err := protoutil.EnvelopeAt(tail.Config, 0)
	require.NoError(t, err)
	conf, err := protoutil.ConfigEnvelope(env)
	require.NoError(t, err)
	return conf.Config.ChannelGroup
}

func TestInteropFabricsOrderersRunAClone(t *testing.T) {
	bin := fabrictest.Bin(t, "orderer")
	for _, c := range []struct {
		name string
		read func(*testing.T) *source.Reading
	}{
		{"on Kafka", strayed},
		{"on Raft", func(t *testing.T) *source.Reading { return realBlocks(t, "2.5.16.raft") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.read(t)
			ctx, n := runningClone(t, r, Spec{OrdererBin: bin})
			require.NoError(t, n.CreateChannels(ctx, nil), "once more, nothing is updated again")
			send(ctx, t, n, 20)
			requireAgreement(ctx, t, n, 20)
			want, got := r.Sources[0].Config.ChannelGroup, newestConfig(t, n)
			require.Equal(t, want.Groups["Orderer"].Values["BatchSize"].Value, got.Groups["Orderer"].Values["BatchSize"].Value)
			require.Len(t, got.Policies, len(want.Policies))
		})
	}
}

func TestACloneOnRaftTakesTransactions(t *testing.T) {
	ctx, n := runningClone(t, realBlocks(t, "2.5.16.raft"), Spec{})
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 20)
	s, err := n.Status(ctx)
	require.NoError(t, err)
	for _, c := range s.Channels {
		require.Equal(t, "etcdraft", c.Type, c.Name)
	}
	require.NoError(t, n.Down(ctx, nil))
	require.NoError(t, n.Up(ctx, nil))
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 40)
}
