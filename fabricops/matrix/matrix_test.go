package matrix_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/matrix"
	"raftmig/runbook"
)

func reader(t testing.TB, net *fakenet.Network) *matrix.Reader {
	t.Helper()
	admin, err := identity.Load(net.Crypto.Admin())
	require.NoError(t, err)
	pool := dial.New(net.Inventory().Orderers, nil)
	t.Cleanup(func() { _ = pool.Close() })
	return matrix.New(deliver.New(pool, admin), pool.Nodes(), fakenet.SystemChannel, nil)
}

func TestStatesOfRealLedgers(t *testing.T) {
	for _, version := range []string{"2.2.15", "2.5.16"} {
		for _, tc := range []struct {
			stage  string
			typ    string
			state  string
			change runbook.Expectation
			holds  bool
		}{
			{fakenet.KafkaNormal, "kafka", "STATE_NORMAL", runbook.Expectation{TypeChangeLast: true}, false},
			{fakenet.TypeSwitched, "etcdraft", "STATE_MAINTENANCE", runbook.Expectation{TypeChangeLast: true}, true},
			{fakenet.RaftNormal, "etcdraft", "STATE_NORMAL", runbook.Expectation{TypeChangeLast: true}, false},
		} {
			t.Run(version+" "+tc.stage, func(t *testing.T) {
				net := fakenet.New(t, 2)
				for _, c := range []string{fakenet.SystemChannel, fakenet.Channel} {
					net.Add(t, c, fakenet.Ledger(t, version, tc.stage, c))
				}
				states := reader(t, net).Read(t.Context(), []string{fakenet.SystemChannel, fakenet.Channel}, nil)
				require.True(t, states[0].System)
				require.False(t, states[1].System)
				for _, c := range states {
					for _, n := range c.Nodes {
						require.Empty(t, n.Error)
						require.Equal(t, tc.typ, n.Type)
						require.Equal(t, tc.state, n.State)
						require.EqualValues(t, len(net.Blocks(c.Name)), n.Height)
						require.Equal(t, tc.typ == "etcdraft", n.MetadataHash != "")
					}
				}
				tc.change.Agreement = true
				require.Equal(t, tc.holds, len(tc.change.Judge(states)) == 0)
			})
		}
	}
}

func TestEveryCellHasItsOwnError(t *testing.T) {
	net := fakenet.New(t, 2)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel))
	r := reader(t, net)
	states := r.Read(t.Context(), []string{fakenet.Channel, "nowhere"}, nil)
	require.Empty(t, states[0].Nodes[0].Error)
	require.Contains(t, states[1].Nodes[0].Error, "NOT_FOUND")
	require.NoError(t, net.Nodes[1].Stop(t.Context()))
	states = r.Read(t.Context(), []string{fakenet.Channel}, nil)
	require.Empty(t, states[0].Nodes[0].Error)
	require.NotEmpty(t, states[0].Nodes[1].Error)
	require.Equal(t, "orderer1", states[0].Nodes[1].Node)
}

func TestConfigBlocksAreReadOnce(t *testing.T) {
	net := fakenet.New(t, 1)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel))
	r := reader(t, net)
	read := func() int {
		before := net.Deliveries(fakenet.Channel)
		r.Read(t.Context(), []string{fakenet.Channel}, nil)
		return net.Deliveries(fakenet.Channel) - before
	}
	require.Equal(t, 2, read())
	require.Equal(t, 1, read())
	r.Forget()
	require.Equal(t, 2, read())
}

func TestAwaitReturnsAsSoonAsItHolds(t *testing.T) {
	net := fakenet.New(t, 3)
	for _, c := range []string{fakenet.SystemChannel, fakenet.Channel} {
		net.Add(t, c, fakenet.Ledger(t, "2.5.16", fakenet.TypeSwitched, c))
	}
	net.Lag(2, fakenet.Channel, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var texts []string
	states, open := reader(t, net).Await(ctx, []string{fakenet.SystemChannel, fakenet.Channel}, runbook.Expectation{Type: "etcdraft", Agreement: true},
		func(text string, done, total int) {
			texts = append(texts, fmt.Sprintf("%s (%d/%d)", text, done, total))
			net.Lag(2, fakenet.Channel, 0) // the node catches up
		})
	require.Empty(t, open)
	require.Len(t, states, 2)
	require.Equal(t, []string{"ch1: 2 of 3 nodes (1/2)"}, texts)
}

// A large network: 100 channels on 9 nodes, in one process with its clients.
func BenchmarkRead100x9(b *testing.B) {
	net := fakenet.New(b, 3)
	blocks := fakenet.Ledger(b, "2.5.16", fakenet.TypeSwitched, fakenet.Channel)
	net.Add(b, fakenet.Channel, blocks)
	r := reader(b, net)
	var names []string
	for range 300 {
		names = append(names, fakenet.Channel)
	}
	for b.Loop() {
		r.Read(b.Context(), names, nil)
	}
}
