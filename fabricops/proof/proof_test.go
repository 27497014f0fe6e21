package proof_test

import (
	"context"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/proof"
	"raftmig/orderer/protoutil"
)

func prover(t *testing.T, net *fakenet.Network) *proof.Prover {
	t.Helper()
	admin, err := identity.Load(net.Crypto.Admin())
	require.NoError(t, err)
	user, err := identity.Load(net.Crypto.User())
	require.NoError(t, err)
	pool := dial.New(net.Inventory().Orderers, nil)
	t.Cleanup(func() { _ = pool.Close() })
	return &proof.Prover{
		Deliver: deliver.New(pool, admin), Broadcast: broadcast.New(pool), Nodes: pool.Nodes(),
		Signer: func(string) (protoutil.Signer, error) { return user, nil }, Now: time.Now, Text: "test",
	}
}

func network(t *testing.T, stage string) *fakenet.Network {
	net := fakenet.New(t, 3)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", stage, fakenet.Channel))
	return net
}

func TestATransactionIsSeenOnEveryNode(t *testing.T) {
	for name, faults := range map[string][]fakenet.Fault{
		"at once":                        nil,
		"after nodes without a leader":   {fakenet.Unavailable, fakenet.Unavailable},
		"although the answer was lost":   {fakenet.LoseAnswer},
		"before it counts, the last way": {fakenet.Unavailable, fakenet.LoseAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			net := network(t, fakenet.RaftNormal)
			before := len(net.Blocks(fakenet.Channel))
			net.Break(faults...)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var texts []string
			proofs, err := prover(t, net).Prove(ctx, []string{fakenet.Channel}, func(text string, _ int) { texts = append(texts, text) })
			require.NoError(t, err)
			require.Len(t, proofs, 1)
			blocks := net.Blocks(fakenet.Channel)
			require.Len(t, blocks, before+1, "it is ordered once")
			last := blocks[len(blocks)-1]
			require.Equal(t, last.Header.Number, proofs[0].Block)
			require.True(t, proof.Contains(last, proofs[0].TxID))
			require.Contains(t, texts[0], "on every node")
		})
	}
}

func TestOneNodeThatDoesNotCommitIsNoProof(t *testing.T) {
	net := network(t, fakenet.RaftNormal)
	net.Lag(2, fakenet.Channel, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	proofs, err := prover(t, net).Prove(ctx, []string{fakenet.Channel}, func(string, int) {})
	require.Empty(t, proofs)
	require.ErrorContains(t, err, "orderer2: the transaction was not seen in a block")
}

func TestARefusedTransactionIsFinal(t *testing.T) {
	net := network(t, fakenet.RaftNormal)
	p := prover(t, net)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	proofs, err := p.Prove(ctx, []string{"nowhere", fakenet.Channel}, func(string, int) {})
	require.ErrorContains(t, err, "channel nowhere")
	require.Len(t, proofs, 1, "the proofs of the other channels come along")
	require.NoError(t, ctx.Err(), "it did not wait for the time to be over")
}

func TestMaintenanceOrdersNothing(t *testing.T) {
	net := network(t, fakenet.TypeSwitched)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := prover(t, net).Prove(ctx, []string{fakenet.Channel}, func(string, int) {})
	require.ErrorContains(t, err, "maintenance mode")
}

func TestContainsSurvivesAnyBlock(t *testing.T) {
	require.False(t, proof.Contains(nil, "x"))
	require.False(t, proof.Contains(&cb.Block{Data: &cb.BlockData{Data: [][]byte{{0xff}, nil}}}, "x"))
}
