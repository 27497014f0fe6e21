package channelcfg_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

func submitter(t *testing.T, net *fakenet.Network) *channelcfg.Submitter {
	t.Helper()
	admin, err := identity.Load(net.Crypto.Admin())
	require.NoError(t, err)
	pool := dial.New(net.Inventory().Orderers, nil)
	t.Cleanup(func() { _ = pool.Close() })
	return &channelcfg.Submitter{
		Deliver: deliver.New(pool, admin), Broadcast: broadcast.New(pool), Admins: []protoutil.Signer{admin}, Nodes: pool.Nodes(), Now: time.Now,
	}
}

func kafkaNetwork(t *testing.T) *fakenet.Network {
	net := fakenet.New(t, 3)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel))
	return net
}

func ignore(string) {}

func TestSubmit(t *testing.T) {
	for _, tc := range []struct {
		name    string
		arrange func(*fakenet.Network)
		status  string
		already bool
		blocks  int
	}{
		{name: "an update is sent once and its block is awaited", arrange: func(*fakenet.Network) {}, status: "SUCCESS", blocks: 1},
		{name: "a lost answer is followed by a look, not by another update", arrange: func(n *fakenet.Network) { n.Break(fakenet.LoseAnswer) }, status: "UNKNOWN", blocks: 1},
		{name: "a lost message is sent again after a look", arrange: func(n *fakenet.Network) { n.Break(fakenet.LoseMessage) }, status: "SUCCESS", blocks: 1},
		{name: "a node without leader is tried again", arrange: func(n *fakenet.Network) { n.Break(fakenet.Unavailable, fakenet.Unavailable) }, status: "SUCCESS", blocks: 1},
		{name: "a node that is down is passed over", arrange: func(n *fakenet.Network) { _ = n.Nodes[0].Stop(context.Background()) }, status: "SUCCESS", blocks: 1},
		{name: "a node that lags behind the configuration still takes the update", arrange: func(n *fakenet.Network) {
			s := submitter(t, n)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for _, change := range []runbook.Change{runbook.ChangeEnterMaintenance, runbook.ChangeExitMaintenance} {
				_, err := s.Submit(ctx, fakenet.Channel, change, nil, ignore)
				require.NoError(t, err)
			}
			for i := range n.Nodes {
				n.Lag(i, fakenet.Channel, 2)
			}
			n.Lag(1, fakenet.Channel, 0)
			n.Break(fakenet.Unavailable) // at node 1, which shows the newest; the next attempt goes to node 2
		}, status: "SUCCESS", blocks: 3},
		{name: "a node that lags is not believed", arrange: func(n *fakenet.Network) { n.Lag(0, fakenet.Channel, 1) }, status: "SUCCESS", blocks: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			net := kafkaNetwork(t)
			before := len(net.Blocks(fakenet.Channel))
			tc.arrange(net)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			s := submitter(t, net)
			r, err := s.Submit(ctx, fakenet.Channel, runbook.ChangeEnterMaintenance, nil, ignore)
			require.NoError(t, err)
			require.Equal(t, tc.already, r.AlreadyDone)
			require.Equal(t, tc.status, r.Receipt.Status)
			blocks := net.Blocks(fakenet.Channel)
			require.Len(t, blocks, before+tc.blocks, "exactly one block carries the update")
			last := blocks[len(blocks)-1]
			require.Equal(t, last.Header.Number, r.Receipt.Block)
			require.Equal(t, channelcfg.BlockHash(last), r.Receipt.Hash)

			again, err := s.Submit(ctx, fakenet.Channel, runbook.ChangeEnterMaintenance, nil, ignore)
			require.NoError(t, err)
			require.True(t, again.AlreadyDone)
			require.Empty(t, again.Receipt.Status, "nothing was sent")
			require.Equal(t, r.Receipt.Block, again.Receipt.Block)
			require.Len(t, net.Blocks(fakenet.Channel), before+tc.blocks)
		})
	}
}

func TestTwoSubmittersMakeOneUpdate(t *testing.T) {
	net := kafkaNetwork(t)
	before := len(net.Blocks(fakenet.Channel))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		s := submitter(t, net)
		wg.Go(func() { _, errs[i] = s.Submit(ctx, fakenet.Channel, runbook.ChangeEnterMaintenance, nil, ignore) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Len(t, net.Blocks(fakenet.Channel), before+1)
}

func TestSubmitGivesUpWhereTryingIsOfNoUse(t *testing.T) {
	net := kafkaNetwork(t)
	s := submitter(t, net)
	user, err := identity.Load(net.Crypto.User())
	require.NoError(t, err)
	s.Admins = []protoutil.Signer{user} // may write, may not change the configuration
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = s.Submit(ctx, fakenet.Channel, runbook.ChangeEnterMaintenance, nil, ignore)
	var refused *broadcast.StatusError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Info, "'Admins' sub-policies", "Fabric's own text comes through")
	require.NoError(t, ctx.Err(), "it did not wait for the time to be over")
}

func TestSubmitEndsWithTheContext(t *testing.T) {
	net := kafkaNetwork(t)
	for _, n := range net.Nodes {
		_ = n.Stop(t.Context())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := submitter(t, net).Submit(ctx, fakenet.Channel, runbook.ChangeEnterMaintenance, nil, ignore)
	require.ErrorContains(t, err, "connection refused")
}
