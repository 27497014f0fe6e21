package etcdraft

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThreeNodesElectOrderAndForward(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	leader := net.waitLeader("ch1")

	const perNode = 10
	for i := 0; i < perNode; i++ {
		for _, node := range net.nodes {
			node.order("ch1", fmt.Sprintf("%s-%d", node.name, i))
		}
	}
	net.waitHeight("ch1", 1+3*perNode, net.nodes...)
	net.requireSameLedgers("ch1", net.nodes...)
	follower := net.others(leader)[0]
	require.Positive(t, follower.logs.FilterMessageSnippet("Forwarding transaction to the leader").Len())

	change := leader.logs.FilterMessage(fmt.Sprintf("Raft leader changed: 0 -> %d", leader.chain("ch1").id)).All()
	require.Len(t, change, 1)
	require.Equal(t, map[string]interface{}{"channel": "ch1", "node": leader.chain("ch1").id}, change[0].ContextMap())
}

func TestFollowersGoOnAfterTheLeaderIsLostAndItComesBack(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	old := net.waitLeader("ch1")
	old.order("ch1", "before")
	net.waitHeight("ch1", 2, net.nodes...)

	old.stop()
	rest := net.others(old)
	net.waitLeader("ch1")
	rest[0].order("ch1", "during")
	rest[1].order("ch1", "during")
	net.waitHeight("ch1", 4, rest...)

	old.start()
	net.waitHeight("ch1", 4, old)
	old.order("ch1", "after")
	net.waitHeight("ch1", 5, net.nodes...)
	net.requireSameLedgers("ch1", net.nodes...)
}
