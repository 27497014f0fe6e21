package etcdraft

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"raftmig/orderer/cluster"
	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/comm"
	"raftmig/orderer/consensus"
	"raftmig/orderer/protoutil"
)

const (
	testTick     = 20 * time.Millisecond
	testPatience = 30 * time.Second
)

// network is a set of nodes that talk over gRPC with TLS on loopback.
type network struct {
	t     testing.TB
	ca    *clustertest.CA
	nodes []*testNode
	loads int // that were begun
}

// testNode is one orderer process; it can be stopped and started again.
type testNode struct {
	net      *network
	name     string
	dir      string
	pair     clustertest.Pair
	address  string
	supports map[string]*fakeSupport

	asFabric bool // answers no transactions
	// rpcTimeout is that of the communication; 0 means two seconds.
	rpcTimeout time.Duration
	logs       *observer.ObservedLogs
	options    func(*Options)
	tracked    *fakeTracker
	consenter  *Consenter
	comm       *cluster.Comm
	server     *grpc.Server
	chains     map[string]consensus.Chain
	fatal      chan error
}

// fakeTracker notes which channels it was asked to watch.
type fakeTracker struct {
	mu       sync.Mutex
	channels []string
}

func (f *fakeTracker) TrackChain(channel string, _ *cb.Block) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.channels = append(f.channels, channel)
}

func (f *fakeTracker) has(channel string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.channels {
		if c == channel {
			return true
		}
	}
	return false
}

// newNetwork makes n nodes with addresses and certificates, none started.
func newNetwork(t testing.TB, n int) *network {
	t.Helper()
	net := &network{t: t, ca: clustertest.NewCA(t, "tlsca")}
	for i := 1; i <= n; i++ {
		net.addNode()
	}
	t.Cleanup(func() {
		for _, node := range net.nodes {
			node.stop()
		}
	})
	return net
}

func (n *network) addNode() *testNode {
	n.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(n.t, err)
	address := l.Addr().String()
	require.NoError(n.t, l.Close())
	name := fmt.Sprintf("orderer%d", len(n.nodes)+1)
	node := &testNode{
		net: n, name: name, dir: n.t.TempDir(), pair: n.ca.Issue(n.t, name), address: address,
		supports: map[string]*fakeSupport{}, tracked: &fakeTracker{},
	}
	n.nodes = append(n.nodes, node)
	return node
}

// config is the Raft metadata with the nodes given as consenters.
func (n *network) config(nodes ...*testNode) *etcdraft.ConfigMetadata {
	md := &etcdraft.ConfigMetadata{Options: &etcdraft.Options{
		TickInterval: testTick.String(), ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5,
	}}
	for _, node := range nodes {
		md.Consenters = append(md.Consenters, node.consenterEntry())
	}
	return md
}

func (tn *testNode) consenterEntry() *etcdraft.Consenter {
	host, port, err := net.SplitHostPort(tn.address)
	require.NoError(tn.net.t, err)
	var p uint32
	_, err = fmt.Sscanf(port, "%d", &p)
	require.NoError(tn.net.t, err)
	return &etcdraft.Consenter{Host: host, Port: p, ClientTlsCert: tn.pair.PEM, ServerTlsCert: tn.pair.PEM}
}

// addChannel gives each of the nodes a ledger of the channel with the blocks
// given, or a genesis block.
func (n *network) addChannel(channel string, config *etcdraft.ConfigMetadata, nodes []*testNode, blocks ...*cb.Block) {
	for _, node := range nodes {
		node.supports[channel] = newFakeSupport(channel, config, blocks...)
	}
}

// start starts the process and the chains of all its channels.
func (tn *testNode) start() {
	t := tn.net.t
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	tn.logs = logs
	logger := zap.New(core).Sugar()
	tn.comm = cluster.NewComm(cluster.Config{
		TLS:         cluster.ClientTLS{Certificate: &tn.pair.TLS, RootCAs: tn.net.ca.Pool},
		DialTimeout: time.Second, RPCTimeout: cmp.Or(tn.rpcTimeout, 2*time.Second), Logger: logger,
	})
	tn.fatal = make(chan error, 10)
	fatal := tn.fatal
	options := Options{
		WALDir: filepath.Join(tn.dir, "wal"), SnapDir: filepath.Join(tn.dir, "snapshot"),
		RPCTimeout: 2 * time.Second, ServerCert: tn.pair.PEM, Comm: tn.comm, NewPuller: tn.net.newPuller(tn),
		Inactive: tn.tracked, Logger: logger, Fatal: func(err error) { fatal <- err },
	}
	if tn.options != nil {
		tn.options(&options)
	}
	var err error
	tn.consenter, err = New(options)
	require.NoError(t, err)
	tn.server = grpc.NewServer(grpc.ForceServerCodecV2(comm.Codec()), grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{tn.pair.TLS}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12,
	})))
	service := cluster.NewService(cluster.ServiceConfig{Comm: tn.comm, Handler: tn.consenter})
	if tn.asFabric {
		ab.RegisterClusterServer(tn.server, service)
	} else {
		cluster.Register(tn.server, service)
	}
	l, err := net.Listen("tcp", tn.address)
	require.NoError(t, err)
	server := tn.server
	go func() { _ = server.Serve(l) }() // ends when stopped
	tn.chains = map[string]consensus.Chain{}
	for channel := range tn.supports {
		tn.startChain(channel)
	}
}

func (tn *testNode) startChain(channel string) {
	t := tn.net.t
	t.Helper()
	s := tn.supports[channel]
	s.cutter.Cut()
	chain, err := tn.consenter.HandleChain(s, s.lastMetadata(t))
	require.NoError(t, err)
	tn.chains[channel] = chain
	chain.Start()
}

func (tn *testNode) running() bool { return tn.server != nil }

func (tn *testNode) stop() {
	if !tn.running() {
		return
	}
	tn.server.Stop()
	for _, chain := range tn.chains {
		chain.Halt()
	}
	tn.comm.Shutdown()
	tn.server = nil
}

func (tn *testNode) chain(channel string) *Chain {
	c, ok := tn.chains[channel].(*Chain)
	require.True(tn.net.t, ok, "%s has no Raft chain for %s", tn.name, channel)
	return c
}

func (n *network) startAll() {
	for _, node := range n.nodes {
		node.start()
	}
}

// waitLeader waits until the running nodes of the channel agree on a leader,
// that it serves, and returns it.
func (n *network) waitLeader(channel string) *testNode {
	n.t.Helper()
	var leader *testNode
	n.eventually(func() bool {
		leader = nil
		var agreed uint64
		for _, node := range n.nodes {
			c, ok := node.chains[channel].(*Chain)
			if !node.running() || !ok || c.running() != nil {
				continue
			}
			lead := c.lead.Load()
			if lead == 0 || agreed != 0 && agreed != lead {
				return false
			}
			agreed = lead
			if c.id == lead {
				leader = node
			}
		}
		return leader != nil && isOpen(&leader.chain(channel).ready)
	}, "no leader of %s", channel)
	return leader
}

func isOpen(g *gate) bool {
	select {
	case <-g.opened():
		return true
	default:
		return false
	}
}

func (n *network) eventually(condition func() bool, format string, args ...interface{}) {
	n.t.Helper()
	require.Eventually(n.t, condition, testPatience, 5*time.Millisecond, append([]interface{}{format}, args...)...)
}

// waitHeight waits until the ledgers of the nodes have that height.
func (n *network) waitHeight(channel string, height uint64, nodes ...*testNode) {
	n.t.Helper()
	for _, node := range nodes {
		n.eventually(func() bool { return node.supports[channel].Height() >= height },
			"%s does not reach height %d of %s", node.name, height, channel)
	}
}

// order submits a message, trying again while there is no leader.
func (tn *testNode) order(channel, text string) {
	tn.net.t.Helper()
	tn.net.eventually(func() bool {
		chain := tn.chains[channel]
		return chain.WaitReady() == nil && chain.Order(normalMessage(channel, text), tn.supports[channel].Sequence()) == nil
	}, "%s does not order on %s", tn.name, channel)
}

// requireSameLedgers checks that all nodes hold the same chain of headers.
func (n *network) requireSameLedgers(channel string, nodes ...*testNode) {
	n.t.Helper()
	for _, node := range nodes[1:] {
		require.Equal(n.t, nodes[0].supports[channel].headers(), node.supports[channel].headers())
	}
}

// others returns the nodes other than those given.
func (n *network) others(not ...*testNode) []*testNode {
	var rest []*testNode
next:
	for _, node := range n.nodes {
		for _, x := range not {
			if x == node {
				continue next
			}
		}
		rest = append(rest, node)
	}
	return rest
}

// ledgerPuller reads blocks from the ledgers of the other running nodes.
type ledgerPuller struct {
	self    *testNode
	channel string
}

func (n *network) newPuller(self *testNode) func(consensus.ConsenterSupport) (BlockPuller, error) {
	return func(s consensus.ConsenterSupport) (BlockPuller, error) {
		return &ledgerPuller{self: self, channel: s.ChannelID()}, nil
	}
}

func (p *ledgerPuller) highest() *fakeSupport {
	var best *fakeSupport
	for _, node := range p.self.net.others(p.self) {
		if s := node.supports[p.channel]; s != nil && (best == nil || s.Height() > best.Height()) {
			best = s
		}
	}
	return best
}

func (p *ledgerPuller) PullBlock(ctx context.Context, number uint64) (*cb.Block, error) {
	for ctx.Err() == nil {
		if s := p.highest(); s != nil && s.Height() > number {
			return s.Block(number), nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
	return nil, ctx.Err()
}

func (p *ledgerPuller) LastConfigBlock(context.Context) (*cb.Block, error) {
	s := p.highest()
	if s == nil {
		return nil, errors.New("nobody is there")
	}
	for number := s.Height() - 1; ; number-- {
		if block := s.Block(number); number == 0 || protoutil.IsConfigBlock(block) {
			return block, nil
		}
	}
}

func (p *ledgerPuller) Close() {}
