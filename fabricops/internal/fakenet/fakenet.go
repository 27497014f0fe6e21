package fakenet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"raftmig/fabricops/inventory"
	"raftmig/fabricops/node"
	"raftmig/orderer/channelconfig"
	"raftmig/runbook"
)

// Network is a set of nodes that show the same channels.
type Network struct {
	Crypto Crypto
	Nodes  []*Node
	// Check judges a CONFIG_UPDATE beyond the channel's own rules; may be nil.
	Check func(channel string, config *cb.Envelope) error
	// Tamper changes blocks on their way out; may be nil. It must not change
	// the block that it is given.
	Tamper func(*cb.Block) *cb.Block

	mu       sync.Mutex
	changed  chan struct{} // closed at every change
	channels map[string]*channel
	faults   []Fault
	mutual   bool
	asked    map[string]int
}

// Fault is something that goes wrong once.
type Fault string

// The faults of a Broadcast.
const (
	LoseAnswer  Fault = "the message is ordered, the answer is lost"
	LoseMessage Fault = "the message is lost, and so is the answer"
	Unavailable Fault = "SERVICE_UNAVAILABLE"
	Forget      Fault = "SUCCESS, but the message is never ordered"
	NoQuorum    Fault = "BAD_REQUEST for the sake of the quorum"
)

type channel struct {
	blocks []*cb.Block
	bundle *channelconfig.Bundle
}

// Node is one ordering node. It implements node.Controller.
type Node struct {
	Name    string
	Address string
	// Lag hides so many of the last blocks of a channel.
	lag map[string]int

	net    *Network
	creds  credentials.TransportCredentials
	server *grpc.Server
	since  time.Time
}

var _ node.Controller = (*Node)(nil)

// New starts n nodes with the fixture network's identities and no channels.
func New(t testing.TB, n int) *Network {
	t.Helper()
	return start(t, n, false)
}

// NewMutual is New with nodes that demand client certificates of the
// application organization, and Deliver requests bound to them.
func NewMutual(t testing.TB, n int) *Network {
	t.Helper()
	return start(t, n, true)
}

func start(t testing.TB, n int, mutual bool) *Network {
	t.Helper()
	net := &Network{Crypto: NewCrypto(t), channels: map[string]*channel{}, changed: make(chan struct{}), asked: map[string]int{}}
	for i := range n {
		pair, err := tls.LoadX509KeyPair(filepath.Join(net.Crypto.OrdererTLS(i), "server.crt"), filepath.Join(net.Crypto.OrdererTLS(i), "server.key"))
		require.NoError(t, err)
		cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		if mutual {
			net.mutual = true
			cfg.ClientAuth = tls.RequireAndVerifyClientCert
			cfg.ClientCAs = x509.NewCertPool()
			ca, err := os.ReadFile(filepath.Join(filepath.Dir(net.Crypto.User().TLSCert), "ca.crt"))
			require.NoError(t, err)
			require.True(t, cfg.ClientCAs.AppendCertsFromPEM(ca))
		}
		node := &Node{Name: fmt.Sprintf("orderer%d", i), net: net, lag: map[string]int{}, creds: credentials.NewTLS(cfg)}
		net.Nodes = append(net.Nodes, node)
		require.NoError(t, node.Start(context.Background()))
		t.Cleanup(func() { _ = node.Stop(context.Background()) })
	}
	return net
}

// Add gives all nodes a channel.
func (n *Network) Add(t testing.TB, name string, blocks []*cb.Block) {
	t.Helper()
	c := &channel{blocks: append([]*cb.Block(nil), blocks...)}
	require.NoError(t, c.reload(name))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.channels[name] = c
}

// Inventory describes the network.
func (n *Network) Inventory() *inventory.Network {
	inv := &inventory.Network{Name: "fixture", SystemChannel: SystemChannel, Admin: n.Crypto.Admin(), Clients: map[string]inventory.Identity{"*": n.Crypto.User()}}
	for i, node := range n.Nodes {
		tlsDir := n.Crypto.OrdererTLS(i)
		inv.Orderers = append(inv.Orderers, inventory.Orderer{
			Process:    inventory.Process{Name: node.Name, Address: node.Address, Control: inventory.Control{Kind: inventory.ControlManual}},
			TLSRootCAs: []string{filepath.Join(tlsDir, "ca.crt")},
			ServerCert: filepath.Join(tlsDir, "server.crt"),
			ClientCert: filepath.Join(tlsDir, "server.crt"),
		})
	}
	return inv
}

// Controller is the node of that name.
func (n *Network) Controller(_ runbook.Tier, p inventory.Process) (node.Controller, error) {
	for _, node := range n.Nodes {
		if node.Name == p.Name {
			return node, nil
		}
	}
	return nil, fmt.Errorf("no node %s", p.Name)
}

// Break makes the next Broadcasts fail, in this order.
func (n *Network) Break(faults ...Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, faults...)
}

// Lag hides the last blocks of a channel on a node.
func (n *Network) Lag(node int, channel string, blocks int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Nodes[node].lag[channel] = blocks
	n.bump()
}

// Truncate sets a channel back to a height, as a restored backup would.
func (n *Network) Truncate(t testing.TB, name string, height int) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.channels[name].blocks = n.channels[name].blocks[:height]
	require.NoError(t, n.channels[name].reload(name))
	n.bump()
}

// Blocks returns a channel's blocks.
func (n *Network) Blocks(name string) []*cb.Block {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*cb.Block(nil), n.channels[name].blocks...)
}

// Deliveries is how many blocks were delivered of a channel since the start.
func (n *Network) Deliveries(channel string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[channel]
}

func (n *Network) bump() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// Start implements node.Controller.
func (d *Node) Start(context.Context) error {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	if d.server != nil {
		return nil
	}
	at := d.Address
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	d.Address = l.Addr().String()
	d.server = grpc.NewServer(grpc.Creds(d.creds))
	d.since = time.Now()
	ab.RegisterAtomicBroadcastServer(d.server, d)
	go func(s *grpc.Server) { _ = s.Serve(l) }(d.server) // ends with Stop
	return nil
}

// Stop implements node.Controller.
func (d *Node) Stop(context.Context) error {
	d.net.mu.Lock()
	s := d.server
	d.server = nil
	d.net.mu.Unlock()
	if s != nil {
		s.Stop()
	}
	return nil
}

// Status implements node.Controller.
func (d *Node) Status(context.Context) (runbook.ProcessState, error) {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	return runbook.ProcessState{Node: d.Name, Running: d.server != nil, StartedAt: d.since}, nil
}
