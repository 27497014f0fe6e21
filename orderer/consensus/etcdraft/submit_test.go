package etcdraft

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/cluster"
)

// Appendix E, "Raft forward not sent in time": the leader is there and takes
// nothing. It may take the message yet, so it is not offered again.
func TestAForwardThatTakesTooLongIsAnsweredWithFabricsText(t *testing.T) {
	const channel = "ch1"
	net := newNetwork(t, 3)
	net.addChannel(channel, net.config(net.nodes...), net.nodes)
	for _, node := range net.nodes {
		node.options = func(o *Options) { o.RPCTimeout = 300 * time.Millisecond }
		node.rpcTimeout = 300 * time.Millisecond
	}
	net.startAll()
	leader := net.waitLeader(channel)
	follower := net.others(leader)[0]
	c := follower.chain(channel)
	follower.order(channel, "before")
	net.waitHeight(channel, 2, net.nodes...)
	busy, free := make(chan struct{}), make(chan struct{})
	go func() { leader.chain(channel).drained.steps <- func() { close(busy); <-free } }()
	<-busy
	var a answers
	for i := range submissionQueue { // the leader has them
		a.order(c, fmt.Sprint(i), nil)
	}
	net.eventually(func() bool { return a.count() == submissionQueue }, "not taken")
	for text, errs := range a.got {
		require.Equal(t, []error{nil}, errs, text)
	}
	want := fmt.Sprintf("timed out (300ms) waiting on forwarding to %d", leader.chain(channel).id)
	began := time.Now()
	err := c.Order(normalMessage(channel, "waiting"), 0)
	require.EqualError(t, err, want)
	require.ErrorIs(t, err, cluster.ErrUncertain)
	require.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
	a.order(c, "async", nil)
	net.eventually(func() bool { return a.count() == submissionQueue+1 }, "not answered")
	require.EqualError(t, a.got["async"][0], want)
	close(free)
	net.eventually(func() bool {
		return contains(follower.supports[channel], normalMessage(channel, "waiting").Bytes())
	}, "what was written before is ordered, once there is room")
	missing, twice := (&load{}).missing(follower.supports[channel])
	require.Zero(t, missing+twice)
}
