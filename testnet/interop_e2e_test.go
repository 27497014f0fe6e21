package testnet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/fabricops/observe"
	"raftmig/orderer/fabrictest"
)

// height is that of a channel's ledger on the first orderer.
func height(ctx context.Context, t *testing.T, n *Network, channel string) uint64 {
	t.Helper()
	s, err := n.Status(ctx)
	require.NoError(t, err)
	for _, c := range s.Channels {
		if c.Name == channel {
			return uint64(c.Heights[n.OrdererNames()[0]])
		}
	}
	t.Fatalf("no channel %s", channel)
	return 0
}

// A real peer joins on Kafka, is shut out while the channels are in maintenance
// mode, and goes on after it, on Raft.
func TestInteropAPeerFollowsTheMigration(t *testing.T) {
	fabrictest.Dir(t, "peer", "orderer")
	ctx, n := running(t, Spec{Channels: []string{"ch1", "ch2"}})
	p := startPeer(t, n)
	for _, c := range []string{"ch1", "ch2"} {
		p.join(c)
	}
	send(ctx, t, n, 40)
	requireAgreement(ctx, t, n, 40)
	for _, c := range []string{"ch1", "ch2"} {
		p.awaitHeight(c, height(ctx, t, n, c))
	}
	require.False(t, p.logged("FORBIDDEN"))
	migrate(ctx, t, n)
	require.Eventually(t, func() bool { return p.logged("FORBIDDEN") }, 10*time.Second, 50*time.Millisecond, "maintenance mode shuts peers out")
	for _, c := range []string{"ch1", "ch2"} {
		p.awaitHeight(c, height(ctx, t, n, c))
	}
	send(ctx, t, n, 40)
	requireAgreement(ctx, t, n, 80)
	for _, c := range []string{"ch1", "ch2"} {
		p.awaitHeight(c, height(ctx, t, n, c))
	}
}

// leaders follows the nodes' logs.
func leaders(t *testing.T, n *Network) *observe.Observer {
	var sources []observe.Source
	for _, o := range n.Inventory.Orderers {
		sources = append(sources, observe.Source{Node: o.Name, File: o.Log})
	}
	o := observe.New(sources)
	t.Cleanup(o.Close)
	return o
}

// awaitLeaders waits until all nodes but one have the same leader for each
// channel, and it is one of them. down may be "".
func awaitLeaders(t *testing.T, n *Network, o *observe.Observer, down string) (byChannel map[string]string) {
	t.Helper()
	names := n.OrdererNames()
	require.Eventually(t, func() bool {
		byChannel = map[string]string{}
		for _, channel := range n.channelNames() {
			for _, node := range names {
				if node == down {
					continue
				}
				id, known := o.Leader(node, channel)
				if !known || id == 0 || names[id-1] == down {
					return false
				}
				if other := byChannel[channel]; other != "" && other != names[id-1] {
					return false
				}
				byChannel[channel] = names[id-1]
			}
		}
		return true
	}, 30*time.Second, 50*time.Millisecond, "no leader that all agree on")
	return byChannel
}

// sendOnRaft sends count transactions to each channel. A follower of 1.4 says
// SUCCESS before it knows whether the leader gets them (spec, Appendix B), and a
// stream to a leader that died breaks only then: there the leaders are asked.
func sendOnRaft(ctx context.Context, t *testing.T, n *Network, leaders map[string]string, count int) {
	t.Helper()
	for _, c := range n.Manifest.Channels {
		traffic := Traffic{Channels: []string{c.Name}, Transactions: count}
		if fabrictest.Version(t).Before(2, 0) {
			traffic.Nodes = []string{leaders[c.Name]}
		}
		r, err := n.Load(ctx, traffic)
		require.NoError(t, err)
		require.Equal(t, count, r.Acknowledged)
	}
}

// Real orderers and ours are in the same Kafka topics, are migrated together,
// and lead the same Raft cluster in turn.
func TestInteropAMixedNetworkOrdersMigratesAndFailsOver(t *testing.T) {
	bin := fabrictest.Dir(t, "orderer")
	for _, fabric := range [][]string{{"orderer2"}, {"orderer0", "orderer1"}} {
		t.Run(fmt.Sprint(fabric), func(t *testing.T) {
			ctx, n := running(t, Spec{OrdererBin: filepath.Join(bin, "orderer"), OrdererBinNodes: fabric, Channels: []string{"ch1", "ch2"}})
			send(ctx, t, n, 60)
			requireAgreement(ctx, t, n, 60)
			migrate(ctx, t, n, "--ignore-check", "versions.equal")
			observer := leaders(t, n)
			sendOnRaft(ctx, t, n, awaitLeaders(t, n, observer, ""), 30)
			requireAgreement(ctx, t, n, 120)
			committed := 120
			led := map[bool]bool{} // by an engine: that of Fabric or ours
			for i := 0; i < 12 && len(led) < 2; i++ {
				// Killed: one of ours that stops hands over to another of ours.
				down := awaitLeaders(t, n, observer, "")["ch1"]
				require.NoError(t, n.Inject(ctx, FaultKill, down))
				leaders := awaitLeaders(t, n, observer, down)
				led[slices.Contains(fabric, leaders["ch1"])] = true
				t.Logf("%s is down, %s leads ch1", down, leaders["ch1"])
				sendOnRaft(ctx, t, n, leaders, 15)
				committed += 30
				require.NoError(t, n.Inject(ctx, FaultStart, down))
				requireAgreement(ctx, t, n, committed)
			}
			require.Len(t, led, 2, "both engines led")
		})
	}
}

// A node that was away for longer than the others keep their logs gets a
// snapshot and then the blocks before it, from the other engine.
func TestInteropANodeCatchesUpBySnapshotOfTheOtherEngine(t *testing.T) {
	bin := fabrictest.Dir(t, "orderer")
	for name, fabric := range map[string][]string{"Fabric's node": {"orderer2"}, "our node": {"orderer0", "orderer1"}} {
		t.Run(name, func(t *testing.T) {
			const away = "orderer2"
			ctx, n := running(t, Spec{
				OrdererBin: filepath.Join(bin, "orderer"), OrdererBinNodes: fabric, Channels: []string{"ch1"},
				MaxMessageCount: 2, Raft: inventory.Raft{SnapshotIntervalSize: 1 << 20},
			})
			migrate(ctx, t, n, "--ignore-check", "versions.equal")
			observer := leaders(t, n)
			awaitLeaders(t, n, observer, "")
			require.NoError(t, n.Inject(ctx, FaultKill, away))
			leader := awaitLeaders(t, n, observer, away)["ch1"]
			const count = 120 // in 60 blocks: more than any release keeps behind a snapshot
			r, err := n.Load(ctx, Traffic{Transactions: count, Size: 100 << 10, Nodes: []string{leader}})
			require.NoError(t, err)
			require.Equal(t, count, r.Acknowledged)
			require.NoError(t, n.Inject(ctx, FaultStart, away))
			requireAgreement(ctx, t, n, count)
			for _, o := range n.Inventory.Orderers {
				if o.Name != away {
					continue
				}
				log, err := os.ReadFile(o.Log)
				require.NoError(t, err)
				require.Contains(t, string(log), "Catching up with snapshot taken at block [")
			}
			// It has its log again, too: it takes part without the node that led.
			require.NoError(t, n.Inject(ctx, FaultStop, leader))
			sendOnRaft(ctx, t, n, awaitLeaders(t, n, observer, leader), 10)
			require.NoError(t, n.Inject(ctx, FaultStart, leader))
			requireAgreement(ctx, t, n, count+10)
		})
	}
}
