package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
	"raftmig/orderer/types"
	"raftmig/testnet/cryptogen"
	"raftmig/testnet/validate"
)

// crowd is a network without a system channel in which some orderers have channel
// ch1, acknowledge at commit, and are each sent messages all the time.
type crowd struct {
	*network
	nodes   []*running // by number; those that were started
	clients []*client
	start   func(i int) *running
}

// newCrowd starts the first count of size orderers as consenters of ch1.
func newCrowd(t *testing.T, size, count int, start func(n *network, i int) *running) *crowd {
	n := newNetworkWithout(t)
	n.acknowledgeAt = localconfig.AcknowledgeAtCommit
	n.ports = freePorts(t, size)
	for i := range size { // there are three already
		n.makeOrderer(fmt.Sprintf("orderer%d", i))
	}
	c := &crowd{network: n, start: func(i int) *running { return start(n, i) }}
	genesis := n.crowdGenesis(count)
	for i := range count {
		r := c.start(i)
		r.joins(genesis, types.ConsensusRelationConsenter, types.StatusActive, 1)
		c.add(r)
	}
	return c
}

// makeOrderer makes keys and certificates of an orderer that has none.
func (n *network) makeOrderer(hostname string) {
	require.NoError(n.t, cryptogen.Extend(&cryptogen.Config{OrdererOrgs: []cryptogen.OrgSpec{{
		Name: "Orderer", Domain: "example.com", EnableNodeOUs: true,
		Specs: []cryptogen.NodeSpec{{Hostname: hostname, SANS: []string{"localhost", "127.0.0.1"}}},
	}}}, n.Path("crypto-config"), cryptogen.Options{}))
}

// crowdGenesis is a genesis block of ch1 with short batches and many snapshots.
func (n *network) crowdGenesis(consenters int) *cb.Block {
	env, err := protoutil.EnvelopeAt(n.AppGenesis("ch1", consenters, n.ports...), 0)
	require.NoError(n.t, err)
	e, err := protoutil.ConfigEnvelope(env)
	require.NoError(n.t, err)
	fixture.OrdererValues(e.Config)[channelconfig.BatchTimeoutKey].Value = protoutil.MustMarshal(&ab.BatchTimeout{Timeout: "50ms"})
	md := unmarshalMetadata(n.t, fixture.ConsensusType(n.t, e.Config).Metadata)
	md.Options.SnapshotIntervalSize = 64 << 10
	n.SetRaft(e.Config, protoutil.MustMarshal(md))
	return n.ConfigBlock("ch1", e.Config)
}

// add is told of the next orderer, which services ch1, and sends to it from now on.
func (c *crowd) add(r *running) {
	c.nodes = append(c.nodes, r)
	ctx, cancel := context.WithCancel(context.Background())
	l := &client{stop: cancel, ended: make(chan struct{})}
	c.clients = append(c.clients, l)
	conn, name := r.dial(), fmt.Sprint("through ", r.i)
	c.t.Cleanup(cancel)
	go func() {
		defer close(l.ended)
		l.send(ctx, c.network, conn, name)
	}()
}

// client sends one message after the other, each once.
type client struct {
	stop  context.CancelFunc
	ended chan struct{}
	mu    sync.Mutex
	sent  []attempt
}

type attempt struct {
	validate.Sent
	began time.Time
}

func (l *client) send(ctx context.Context, n *network, conn *grpc.ClientConn, name string) {
	user := n.OrgUser("User1")
	for i := 0; ctx.Err() == nil; i++ {
		env, began := n.Message("ch1", user, fmt.Sprintf("%s, message %d", name, i)), time.Now()
		header, err := protoutil.ChannelHeader(env)
		require.NoError(n.t, err)
		acknowledged := succeeds(ctx, conn, env)
		l.mu.Lock()
		l.sent = append(l.sent, attempt{validate.Sent{TxID: header.TxId, Channel: "ch1", Acknowledged: acknowledged}, began})
		l.mu.Unlock()
		if !acknowledged {
			conn.ResetConnectBackoff()
			time.Sleep(tick)
		}
	}
}

// succeeds sends a message and reports whether the answer is SUCCESS. It does not
// wait for the answer as long as an orderer might that lost its leader.
func succeeds(ctx context.Context, conn *grpc.ClientConn, env *cb.Envelope) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := ab.NewAtomicBroadcastClient(conn).Broadcast(ctx)
	if err != nil || stream.Send(env) != nil {
		return false
	}
	resp, err := stream.Recv()
	return err == nil && resp.Status == cb.Status_SUCCESS
}

// since counts the messages sent since then by their outcome.
func (l *client) since(then time.Time) (acknowledged, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range slices.Backward(l.sent) {
		switch {
		case s.began.Before(then):
			return acknowledged, failed
		case s.Acknowledged:
			acknowledged++
		default:
			failed++
		}
	}
	return acknowledged, failed
}

// goesOn waits until messages sent from now on are acknowledged by each of those orderers.
func (c *crowd) goesOn(members ...int) {
	c.t.Helper()
	now := time.Now()
	for _, i := range members {
		require.Eventually(c.t, func() bool {
			acknowledged, _ := c.clients[i].since(now)
			return acknowledged > 5
		}, 2*patience, tick, "orderer %d acknowledges nothing", i)
	}
}

// stalls waits until messages sent since then have failed at each of those
// orderers, and requires that none was acknowledged anywhere.
func (c *crowd) stalls(then time.Time, left ...int) {
	c.t.Helper()
	for _, i := range left {
		require.Eventually(c.t, func() bool {
			_, failed := c.clients[i].since(then)
			return failed > 1
		}, patience, tick, "no message through orderer %d fails", i)
	}
	for i, l := range c.clients {
		acknowledged, _ := l.since(then)
		require.Zero(c.t, acknowledged, "orderer %d acknowledges without a majority", i)
	}
}

// change has the consenters changed through an orderer until done, which looks
// at the metadata in force and else changes them, and returns the config block.
func (r *running) change(done func(*etcdraft.ConfigMetadata) bool) *cb.Block {
	r.t.Helper()
	var block *cb.Block
	last := &ab.BroadcastResponse{}
	require.Eventually(r.t, func() bool {
		var config *cb.Config
		config, block = r.lastConfig("ch1", r.OrdererAdmin())
		kind := fixture.ConsensusType(r.t, config)
		md := unmarshalMetadata(r.t, kind.Metadata)
		if done(md) {
			return true
		}
		kind.Metadata = protoutil.MustMarshal(md)
		update := fixture.OrdererUpdate("ch1", config, map[string]proto.Message{channelconfig.ConsensusTypeKey: kind})
		proto.Merge(last, r.broadcast(r.SignedUpdate(update, r.OrdererAdmin(), r.OrdererAdmin()))) // the next look tells
		return false
	}, 2*patience, tick, "the consenters are not changed; the last answer is %v", last)
	return block
}

// requireNothingLost ends the load; then an independent reader of the orderers'
// files must find what was acknowledged, once, in each, and the same blocks.
func (c *crowd) requireNothingLost() {
	c.t.Helper()
	var sent []validate.Sent
	for i, l := range c.clients {
		l.stop()
		<-l.ended
		for _, s := range l.sent {
			sent = append(sent, s.Sent)
		}
		acknowledged, _ := l.since(time.Time{})
		require.NotZero(c.t, acknowledged, "through orderer %d", i)
	}
	var ledgers []validate.Node
	for _, r := range c.nodes {
		ledgers = append(ledgers, validate.Node{Name: fmt.Sprint("orderer ", r.i), LedgerDir: r.dir()})
	}
	var report *validate.Report
	for deadline := time.Now().Add(patience); ; time.Sleep(tick) { // the last blocks may be on their way
		var err error
		report, err = validate.Check(ledgers, sent)
		require.NoError(c.t, err)
		if report.OK() || time.Now().After(deadline) {
			break
		}
	}
	require.True(c.t, report.OK(), "%+v", report)
	require.Len(c.t, report.Channels, 1)
	require.Len(c.t, report.Channels[0].Heights, len(c.nodes))
	c.t.Logf("%+v, heights %v", report.Counts, report.Channels[0].Heights)
}
