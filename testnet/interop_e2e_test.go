package testnet

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
			awaitLeaders(t, n, observer, "")
			send(ctx, t, n, 60)
			requireAgreement(ctx, t, n, 120)
			committed := 120
			led := map[bool]bool{} // by an engine: that of Fabric or ours
			for i := 0; i < 6 && len(led) < 2 || i < 3; i++ {
				// A real orderer that stops does not hand over, and one of 1.4 says
				// SUCCESS before it knows a leader: so nothing is sent meanwhile.
				down := awaitLeaders(t, n, observer, "")["ch1"]
				require.NoError(t, n.Inject(ctx, FaultStop, down))
				leader := awaitLeaders(t, n, observer, down)["ch1"]
				led[slices.Contains(fabric, leader)] = true
				t.Logf("%s is down, %s leads ch1", down, leader)
				send(ctx, t, n, 30)
				committed += 30
				require.NoError(t, n.Inject(ctx, FaultStart, down))
				requireAgreement(ctx, t, n, committed)
			}
			require.Len(t, led, 2, "both engines led")
		})
	}
}
