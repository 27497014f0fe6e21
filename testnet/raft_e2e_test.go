package testnet

import (
	"context"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/localconfig"
	"raftmig/testnet/load"
	"raftmig/testnet/validate"
)

// migrate runs the runbook on a network, unattended.
func migrate(ctx context.Context, t *testing.T, n *Network, flags ...string) {
	t.Helper()
	flags = append([]string{"run", "--network", n.InventoryFile(), "--headless", "--confirm", n.Manifest.Name}, flags...)
	out, err := exec.CommandContext(ctx, n.Manifest.Program, flags...).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestAMigratedNetworkNeedsNoBrokersAndItsNodesAgreeAfterTheyDied(t *testing.T) {
	// Each stream waits for its block before it sends the next transaction.
	ctx, n := running(t, Spec{Channels: []string{"ch1", "ch2"}, Acknowledge: localconfig.AcknowledgeAtCommit, BatchTimeout: 30 * time.Millisecond})
	send(ctx, t, n, 40)
	migrate(ctx, t, n)
	s, err := n.Status(ctx)
	require.NoError(t, err)
	for _, c := range s.Channels {
		require.Equal(t, "etcdraft", c.Type, c.Name)
		require.False(t, c.Maintenance, c.Name)
	}
	require.NoError(t, n.Down(ctx, nil))
	require.NoError(t, n.Up(ctx, nil))
	require.NoError(t, n.CreateChannels(ctx, nil))
	s, err = n.Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Up("orderers"))
	require.False(t, s.Up("brokers"), "nothing orders through Kafka any more")
	send(ctx, t, n, 40)
	requireAgreement(ctx, t, n, 80)

	// One node after the other dies under load and comes back.
	type outcome struct {
		result *load.Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := n.Load(ctx, Traffic{Transactions: 600, Streams: 4})
		done <- outcome{r, err}
	}()
	for _, node := range n.OrdererNames() {
		require.NoError(t, n.Inject(ctx, FaultKill, node))
		require.NoError(t, n.Inject(ctx, FaultStart, node))
	}
	o := <-done
	require.NoError(t, o.err)
	require.Positive(t, o.result.Acknowledged)

	// What was acknowledged was in a block by then. Nothing may be there twice,
	// and no node may differ.
	agree, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var r *validate.Report
	require.NoError(t, every(agree, 4*createPause, func() bool {
		var err error
		r, err = n.Validate()
		return err == nil && !slices.ContainsFunc(r.Channels, func(c validate.ChannelReport) bool { return len(c.Problems) > 0 })
	}), "%+v", r)
	require.Zero(t, r.Duplicated)
	require.Zero(t, r.Missing)
	require.GreaterOrEqual(t, r.Committed, 80+o.result.Acknowledged)
	t.Logf("%+v", r.Counts)
}
