package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/comm"
	"raftmig/orderer/protoutil"
)

const patience = 20 * time.Second

// received is a message that a peer's handler got.
type received struct {
	channel   string
	sender    uint64
	consensus *ab.ConsensusRequest
	submit    *protoutil.Message
	configSeq uint64
}

// testPeer is one end of the cluster's communication.
type testPeer struct {
	id       uint64
	pair     clustertest.Pair
	address  string
	comm     *Comm
	server   *grpc.Server
	listener net.Listener
	messages chan received
	logs     *observer.ObservedLogs
	more     func(*grpc.Server)
	asFabric bool          // knows orderer.Cluster only; set before serve
	ending   chan struct{} // closed to end the streams with answers
	atEnd    func()        // called when a stream is ended in order; set before that

	submitting atomic.Int32 // transactions that handlers have

	mu     sync.Mutex
	refuse error
	block  chan struct{} // if not nil, handlers wait for it
}

func (p *testPeer) handle(r received) error {
	p.mu.Lock()
	refuse, block := p.refuse, p.block
	p.mu.Unlock()
	if block != nil {
		<-block
	}
	if refuse != nil {
		return refuse
	}
	p.messages <- r
	return nil
}

func (p *testPeer) OnConsensus(channel string, sender uint64, req *ab.ConsensusRequest) error {
	return p.handle(received{channel: channel, sender: sender, consensus: req})
}

func (p *testPeer) OnSubmitEnd(context.Context, string) {
	if p.atEnd != nil {
		p.atEnd()
	}
}

func (p *testPeer) OnSubmitBegin(string) (<-chan struct{}, error) { return p.ending, nil }

func (p *testPeer) OnSubmit(channel string, sender uint64, msg *protoutil.Message, configSeq uint64, _ bool) error {
	p.submitting.Add(1)
	defer p.submitting.Add(-1)
	return p.handle(received{channel: channel, sender: sender, submit: msg, configSeq: configSeq})
}

func newPeer(t testing.TB, ca *clustertest.CA, id uint64, change func(*Config)) *testPeer {
	t.Helper()
	return startPeer(t, ca, &testPeer{id: id}, change)
}

// newFabricPeer is one that answers no transactions.
func newFabricPeer(t testing.TB, ca *clustertest.CA, id uint64) *testPeer {
	t.Helper()
	return startPeer(t, ca, &testPeer{id: id, asFabric: true}, nil)
}

func startPeer(t testing.TB, ca *clustertest.CA, p *testPeer, change func(*Config)) *testPeer {
	t.Helper()
	id := p.id
	p.pair, p.messages = ca.Issue(t, fmt.Sprintf("node%d", id)), make(chan received, 1000)
	core, logs := observer.New(zapcore.DebugLevel)
	p.logs = logs
	cfg := Config{
		TLS:    ClientTLS{Certificate: &p.pair.TLS, RootCAs: ca.Pool},
		Logger: zap.New(core).Sugar(),
	}
	if change != nil {
		change(&cfg)
	}
	p.comm = NewComm(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.address = l.Addr().String()
	p.serve(t, l)
	t.Cleanup(func() {
		p.stopServer()
		p.comm.Shutdown()
	})
	return p
}

func (p *testPeer) serve(t testing.TB, l net.Listener) {
	t.Helper()
	p.server = grpc.NewServer(grpc.ForceServerCodecV2(comm.Codec()), grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{p.pair.TLS}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12,
	})))
	service := NewService(ServiceConfig{Comm: p.comm, Handler: p})
	if p.asFabric {
		ab.RegisterClusterServer(p.server, service)
	} else {
		Register(p.server, service)
	}
	if p.more != nil {
		p.more(p.server)
	}
	server := p.server
	p.listener = l
	go func() { _ = server.Serve(l) }() // ends when stopped
}

// restart serves orderer.Cluster and what is added.
func (p *testPeer) restart(t testing.TB, add func(*grpc.Server)) {
	t.Helper()
	l, err := net.Listen("tcp", p.address)
	require.NoError(t, err)
	p.more = add
	p.serve(t, l)
}

func (p *testPeer) stopServer() {
	p.server.Stop()
	_ = p.listener.Close() // the server may not have taken it yet
}

func (p *testPeer) node() RemoteNode {
	return RemoteNode{ID: p.id, Endpoint: p.address, ServerTLSCert: p.pair.DER, ClientTLSCert: p.pair.DER}
}

// join configures all peers for a channel.
func join(channel string, peers ...*testPeer) {
	for _, p := range peers {
		var others []RemoteNode
		for _, o := range peers {
			if o != p {
				others = append(others, o.node())
			}
		}
		p.comm.Configure(channel, others)
	}
}

func eventually(t testing.TB, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, patience, 2*time.Millisecond, what)
}

// sendConsensus sends until it is taken: the connection is made in the background.
func (p *testPeer) sendConsensus(t testing.TB, channel string, to uint64, payload string) {
	t.Helper()
	eventually(t, func() bool {
		return p.comm.RPC(channel).SendConsensus(to, [][]byte{[]byte(payload)}, nil) == nil
	}, "consensus message is not taken")
}

func (p *testPeer) sendSubmit(channel string, to uint64, seq uint64) error {
	done := make(chan error, 1)
	p.comm.RPC(channel).SendSubmit(to, protoutil.NewMessage(&cb.Envelope{Payload: []byte("tx")}), seq, func(err error) { done <- err })
	return <-done
}

func (p *testPeer) receive(t testing.TB) received {
	t.Helper()
	select {
	case m := <-p.messages:
		return m
	case <-time.After(patience):
		t.Fatal("no message")
		return received{}
	}
}

func TestMessagesArriveInOrderFromTheSenderTheyClaim(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 7, nil)
	join("ch1", a, b)
	a.sendConsensus(t, "ch1", 7, "0")
	for i := 1; i < 50; i++ {
		require.NoError(t, a.comm.RPC("ch1").SendConsensus(7, [][]byte{[]byte(fmt.Sprint(i))}, nil))
	}
	for i := 0; i < 50; i++ {
		m := b.receive(t)
		require.Equal(t, fmt.Sprint(i), string(m.consensus.Payload))
		require.EqualValues(t, 1, m.sender)
	}
	for i := uint64(0); i < 10; i++ {
		require.NoError(t, a.sendSubmit("ch1", 7, i))
		require.Equal(t, i, b.receive(t).configSeq)
	}
}

func TestChannelsShareOneConnection(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	join("ch1", a, b)
	join("ch2", a, b)
	a.sendConsensus(t, "ch1", 2, "one")
	a.sendConsensus(t, "ch2", 2, "two")
	require.ElementsMatch(t, []string{"ch1", "ch2"}, []string{b.receive(t).channel, b.receive(t).channel})
	connections := func() int {
		a.comm.conns.mu.Lock()
		defer a.comm.conns.mu.Unlock()
		return len(a.comm.conns.conns)
	}
	require.Equal(t, 1, connections())
	a.comm.Configure("ch1", nil)
	require.Equal(t, 1, connections(), "the other channel still uses it")
	a.sendConsensus(t, "ch2", 2, "still")
	require.Equal(t, "still", string(b.receive(t).consensus.Payload))
	a.comm.Remove("ch2")
	eventually(t, func() bool { return connections() == 0 }, "the connection is not closed") // what was sent is read before
	require.EqualError(t, a.sendSubmit("ch2", 2, 0), "channel ch2 doesn't exist")
}

func TestWhoMayNotSendIsRefused(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	for _, tc := range []struct {
		name  string
		setUp func(a, b *testPeer)
		on    string // the channel that the message names
		want  string
	}{
		{"a node that the channel does not know", func(a, b *testPeer) {
			a.comm.Configure("ch1", []RemoteNode{b.node()})
			b.comm.Configure("ch1", nil)
		}, "ch1", "certificate extracted from TLS connection isn't authorized"},
		{"a consenter of one channel on another", func(a, b *testPeer) {
			join("ch1", a, b)
			b.comm.Configure("ch2", nil)
		}, "ch2", "certificate extracted from TLS connection isn't authorized"},
		{"a channel that does not exist", func(a, b *testPeer) { join("ch1", a, b) },
			"ch2", "channel ch2 doesn't exist"},
		{"a message without a channel", func(a, b *testPeer) { join("ch1", a, b) },
			"", "badly formatted message, cannot extract channel"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
			tc.setUp(a, b)
			eventually(t, func() bool {
				s, err := a.comm.RPC("ch1").stream(2, consensusMessages)
				return err == nil && s.send(outgoing{parts: consensusParts(tc.on, nil, nil)}) == nil
			}, "not taken")
			eventually(t, func() bool {
				return b.logs.FilterMessageSnippet("Closing stream from").FilterMessageSnippet(tc.want).Len() > 0
			}, "not refused")
			require.Empty(t, b.messages)
		})
	}
}

func TestAClientWithoutACertificateIsRefused(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	b := newPeer(t, ca, 2, nil)
	b.comm.Configure("ch1", nil)
	conn, err := grpc.NewClient(b.address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: ca.Pool()})))
	require.NoError(t, err)
	defer conn.Close()
	for _, tc := range []struct {
		req  *ab.StepRequest
		want string
	}{
		{&ab.StepRequest{Payload: &ab.StepRequest_ConsensusRequest{ConsensusRequest: &ab.ConsensusRequest{Channel: "ch1"}}}, "no TLS certificate sent"},
		{&ab.StepRequest{}, "message is neither a Submit nor a Consensus request"},
	} {
		stream, err := ab.NewClusterClient(conn).Step(t.Context())
		require.NoError(t, err)
		require.NoError(t, stream.Send(tc.req))
		_, err = stream.Recv()
		require.ErrorContains(t, err, tc.want)
	}
}

func TestARenewedCertificateWithTheSameKeyNeedsNoConfiguration(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a := newPeer(t, ca, 1, nil)
	b := newPeer(t, ca, 2, nil)
	configured := b.node() // with the certificate from before
	b.stopServer()
	b.pair = ca.Renew(t, "renewed", b.pair.Key)
	l, err := net.Listen("tcp", b.address)
	require.NoError(t, err)
	b.serve(t, l)
	a.comm.Configure("ch1", []RemoteNode{configured})
	b.comm.Configure("ch1", []RemoteNode{a.node()})
	a.sendConsensus(t, "ch1", 2, "hello")
	require.Equal(t, "hello", string(b.receive(t).consensus.Payload))
}

func TestRootsThatComeLaterCountForConnectionsThatAreThere(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	var roots atomic.Pointer[x509.CertPool]
	roots.Store(x509.NewCertPool())
	a := newPeer(t, ca, 1, func(c *Config) { c.TLS.RootCAs = roots.Load })
	b := newPeer(t, ca, 2, nil)
	join("ch1", a, b)
	r, err := a.comm.remote("ch1", 2)
	require.NoError(t, err)
	eventually(t, func() bool { return r.conn.GetState().String() == "TRANSIENT_FAILURE" }, "the connection does not fail")
	roots.Store(ca.Pool())
	a.sendConsensus(t, "ch1", 2, "hello")
	require.Equal(t, "hello", string(b.receive(t).consensus.Payload))
}

func TestAServerWithAnotherKeyIsNotTalkedTo(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	impostor := b.node()
	impostor.ServerTLSCert = ca.Issue(t, "who it should be").DER
	a.comm.Configure("ch1", []RemoteNode{impostor})
	r, err := a.comm.remote("ch1", 2)
	require.NoError(t, err)
	eventually(t, func() bool { return r.conn.GetState().String() == "TRANSIENT_FAILURE" }, "the connection does not fail")
	require.ErrorContains(t, a.sendSubmit("ch1", 2, 0), "connection to 2("+b.address+") is in state")
	require.Empty(t, b.messages)
}

func TestPinnedCredentialsNameTheServerThatDoesNotMatch(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	mine, other := ca.Issue(t, "mine"), ca.Issue(t, "other")
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{other.TLS}, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake() // it fails, that is what the client sees
			_ = c.Close()
		}
	}()
	creds, err := ClientTLS{Certificate: &mine.TLS, RootCAs: ca.Pool}.pinned("orderer:7050", mine.DER)
	require.NoError(t, err)
	raw, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	_, _, err = creds.ClientHandshake(t.Context(), "localhost", raw)
	require.ErrorContains(t, err, "public key of server certificate presented by orderer:7050 doesn't match the expected public key")
}

func TestWithoutAClientCertificateNothingIsSent(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a := newPeer(t, ca, 1, func(c *Config) { c.TLS.Certificate = nil })
	b := newPeer(t, ca, 2, nil)
	join("ch1", a, b)
	require.ErrorIs(t, a.sendSubmit("ch1", 2, 0), ErrNoClientTLS)
}

func TestAFullConsensusQueueEndsTheStreamAndATransactionWaits(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, func(c *Config) { c.SendBufferSize = 2 }), newPeer(t, ca, 2, nil)
	join("ch1", a, b)
	a.sendConsensus(t, "ch1", 2, "first")
	b.receive(t)
	b.mu.Lock()
	b.block = make(chan struct{})
	b.mu.Unlock()

	big := make([]byte, 1<<20)
	eventually(t, func() bool {
		err := a.comm.RPC("ch1").SendConsensus(2, [][]byte{big}, nil)
		return errors.Is(err, ErrOverflow)
	}, "the queue never overflows")

	// Transactions wait instead, and go on when there is room.
	const n = 40
	results := make(chan error, n)
	for i := 0; i < n; i++ {
		go a.comm.RPC("ch1").SendSubmit(2, protoutil.NewMessage(&cb.Envelope{Payload: big}), 0,
			func(err error) { results <- err })
	}
	close(b.block)
	b.mu.Lock()
	b.block = nil
	b.mu.Unlock()
	for i := 0; i < n; i++ {
		require.NoError(t, <-results)
	}
}

func TestAWriteThatTakesTooLongEndsTheStream(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, func(c *Config) { c.RPCTimeout = 50 * time.Millisecond }), newPeer(t, ca, 2, nil)
	join("ch1", a, b)
	a.sendConsensus(t, "ch1", 2, "first")
	b.receive(t)
	b.mu.Lock()
	b.block = make(chan struct{})
	block := b.block
	b.mu.Unlock()
	defer close(block)
	failed := make(chan error, 1000)
	big := make([]byte, 1<<20)
	eventually(t, func() bool {
		go a.comm.RPC("ch1").SendSubmit(2, protoutil.NewMessage(&cb.Envelope{Payload: big}), 0, func(err error) {
			if err != nil {
				failed <- err
			}
		})
		return len(failed) > 0
	}, "no write ever fails")
	require.ErrorIs(t, <-failed, ErrRPCTimeout)
}

func TestARefusedMessageEndsItsStreamAndTheNextOneStartsANewOne(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	join("ch1", a, b)
	b.refuse = errors.New("not this one")
	a.sendConsensus(t, "ch1", 2, "refused")
	eventually(t, func() bool { return b.logs.FilterMessageSnippet("not this one").Len() > 0 }, "not refused")
	b.mu.Lock()
	b.refuse = nil
	b.mu.Unlock()
	eventually(t, func() bool {
		_ = a.comm.RPC("ch1").SendConsensus(2, [][]byte{[]byte("again")}, nil) // may meet the old stream
		return len(b.messages) > 0
	}, "the stream is not made anew")
}

func TestNodesThatAreNotThere(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	join("ch1", a, b)
	require.EqualError(t, a.sendSubmit("ch1", 3, 0), "node 3 doesn't exist in channel ch1's membership")
	require.EqualError(t, a.sendSubmit("ch2", 2, 0), "channel ch2 doesn't exist")
	r, err := a.comm.remote("ch1", 2)
	require.NoError(t, err)
	a.sendConsensus(t, "ch1", 2, "hello")
	a.comm.Configure("ch1", nil)
	_, err = r.stream(consensusMessages)
	require.ErrorIs(t, err, ErrAborted)
	a.comm.Shutdown()
	require.ErrorIs(t, a.sendSubmit("ch1", 2, 0), ErrShutdown)
}

func TestANodeThatComesBackIsReachedAgain(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	join("ch1", a, b)
	a.sendConsensus(t, "ch1", 2, "before")
	b.receive(t)
	b.stopServer()
	l, err := net.Listen("tcp", b.address)
	require.NoError(t, err)
	b.serve(t, l)
	eventually(t, func() bool {
		_ = a.comm.RPC("ch1").SendConsensus(2, [][]byte{[]byte("after")}, nil) // fails while not connected
		return len(b.messages) > 0
	}, "not reached again")
}
