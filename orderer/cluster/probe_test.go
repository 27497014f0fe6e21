package cluster

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/cluster/clustertest"
)

// silent accepts connections and says nothing, as an orderer does that still
// copies its channels. It counts the connections.
func silent(t *testing.T) (address string, connections *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	connections = new(atomic.Int64)
	ended := make(chan struct{})
	var open []net.Conn
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			open = append(open, conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
		for _, conn := range open {
			_ = conn.Close()
		}
	})
	return listener.Addr().String(), connections
}

// A node that joins many channels asks about each of them. One orderer that does
// not answer, perhaps itself, must not cost a timeout for each.
func TestAnOrdererThatDoesNotAnswerCostsAMomentOnce(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	blocks := chainOf(10, 3)
	fine := newBlockServer(t, ca, blocks...)
	address, connections := silent(t)
	var target PullTarget
	p, _ := newTestPuller(t, ca, func(c *PullerConfig, pt *PullTarget) {
		c.PullTimeout, c.DialTimeout = time.Hour, time.Hour
		pt.Endpoints = append(pt.Endpoints, Endpoint{Address: address, RootCAs: [][]byte{ca.PEM}})
		pt.Hurry = true
		target = *pt
	}, fine)
	factory := NewPullerFactory(p.cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	for range 20 {
		p := factory.New(target)
		block, err := p.LastConfigBlock(ctx)
		require.NoError(t, err)
		require.True(t, proto.Equal(blocks[3], block))
		block, err = p.PullBlock(ctx, 5)
		require.NoError(t, err)
		require.True(t, proto.Equal(blocks[5], block))
		p.Close()
	}
	require.LessOrEqual(t, connections.Load(), int64(1))
}

// Whoever is slow is asked all the same where only it has the block.
func TestASlowOrdererIsAskedForWhatNobodyElseHas(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	blocks := chainOf(10)
	behind, ahead := newBlockServer(t, ca, blocks[:4]...), newBlockServer(t, ca, blocks...)
	p, _ := newTestPuller(t, ca, nil, behind, ahead)
	p.slow.add(ahead.address, time.Now())
	block, err := p.PullBlock(t.Context(), 7)
	require.NoError(t, err)
	require.True(t, proto.Equal(blocks[7], block))
}

func TestSlowEndpointsAreForgiven(t *testing.T) {
	var s slowEndpoints
	now := time.Now()
	s.add("a:1", now)
	require.True(t, s.has("a:1", now.Add(slowFor-1)))
	require.False(t, s.has("b:1", now))
	require.False(t, s.has("a:1", now.Add(slowFor)))
	require.Empty(t, s.until)
}
