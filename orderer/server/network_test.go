package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"raftmig/orderer/flogging"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
	"raftmig/testnet/portrange"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// tick is how often a test looks.
const tick = 20 * time.Millisecond

var newestOnly = func() *ab.SeekInfo {
	p := &ab.SeekPosition{Type: &ab.SeekPosition_Newest{Newest: &ab.SeekNewest{}}}
	return &ab.SeekInfo{Start: p, Stop: p}
}()

// network is the fixture network with its Kafka.
type network struct {
	*fixture.Network
	t      testing.TB
	broker string
	ports  []int // of orderers 0 to 2

	leaderCheckInterval time.Duration // 0 means the default
	kafkaPollInterval   time.Duration // likewise
	// acknowledgeAt is Consensus.AcknowledgeAt of all orderers.
	acknowledgeAt string
}

func newNetwork(t testing.TB) *network {
	n := &network{Network: fixture.New(t), t: t}
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(1))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	n.broker = kafka.ListenAddrs()[0]
	n.ports = freePorts(t, 3)
	n.writeGenesis(func(*cb.Config) {})
	return n
}

// writeGenesis writes the genesis block that the orderers start from.
func (n *network) writeGenesis(change func(*cb.Config)) {
	genesis := n.Genesis(func(c *cb.Config) {
		fixture.SetBrokers(c, n.broker)
		fixture.SetAddresses(c, n.addresses()...)
		change(c)
	})
	require.NoError(n.t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(genesis), 0o600))
}

// addresses are where the orderers listen.
func (n *network) addresses() []string {
	var addresses []string
	for _, port := range n.ports {
		addresses = append(addresses, fmt.Sprintf("localhost:%d", port))
	}
	return addresses
}

// handedOut are the first ports of the rows that tests which run have.
var handedOut sync.Map

// freePorts are up to ten ports that the system does not give to connections or to
// listeners that want any port, so that they are still free when an orderer starts again.
func freePorts(t testing.TB, count int) []int {
	for {
		ports, err := portrange.Find("127.0.0.1", count)
		require.NoError(t, err)
		if _, taken := handedOut.LoadOrStore(ports[0], true); !taken {
			t.Cleanup(func() { handedOut.Delete(ports[0]) })
			return ports
		}
	}
}

func freePort(t testing.TB) int { return freePorts(t, 1)[0] }

// config is the text of orderer.yaml of orderer i.
func (n *network) config(i int, more string) string {
	own := n.Path(fixture.OrdererDir(i))
	return fmt.Sprintf(`
General:
  ListenPort: %[1]d
  LocalMSPDir: %[2]s/msp
  LocalMSPID: OrdererMSP
  BootstrapFile: %[3]s
  TLS: {Enabled: true, PrivateKey: %[2]s/tls/server.key, Certificate: %[2]s/tls/server.crt, RootCAs: [%[2]s/tls/ca.crt]}
  Cluster: {RootCAs: [%[2]s/tls/ca.crt], ClientCertificate: %[2]s/tls/server.crt, ClientPrivateKey: %[2]s/tls/server.key, DialTimeout: 500ms, ReplicationPullTimeout: 1s, ReplicationRetryTimeout: 100ms}
FileLedger: {Location: %[4]s}
Operations: {ListenAddress: 127.0.0.1:0}
Metrics: {Provider: prometheus}
Consensus: {WALDir: %[4]s/etcdraft/wal, SnapDir: %[4]s/etcdraft/snapshot, AcknowledgeAt: %[6]s}
Kafka:
  Version: 1.0.0
  Retry: {ShortInterval: 200ms, ShortTotal: 30s, NetworkTimeouts: {DialTimeout: 2s, ReadTimeout: 2s, WriteTimeout: 2s}}
%[5]s`, n.ports[i], own, n.Path("genesis.block"), n.Path(fmt.Sprintf("o%d", i)), more, cmp.Or(n.acknowledgeAt, localconfig.AcknowledgeAtSubmission))
}

// running is an orderer under test.
type running struct {
	*network
	i         int
	port      int
	addresses Addresses
	log       *logBuffer
	stop      context.CancelFunc
	serving   chan struct{} // closed when addresses are set; nil for a real orderer
	ended     chan struct{}
	err       error
}

// logBuffer keeps the log, without colours.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// tail is the end of the log without the lines about calls.
func (b *logBuffer) tail(lines int) string {
	var kept []string
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, " UTC ") && !strings.Contains(line, "[comm.grpc.server]") && !strings.Contains(line, "Error reading from") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-lines):], "")
}

const plainFormat = "%{time:2006-01-02 15:04:05.000 MST} %{id:04x} %{level:.4s} [%{module}] %{shortfunc} -> %{message}"

// start runs orderer i and waits until it serves.
func (n *network) start(i int, more string) *running {
	return n.await(n.launch(i, more))
}

// await waits until an orderer that was launched serves.
func (n *network) await(r *running) *running {
	select {
	case <-r.serving:
	case <-r.ended:
		require.NoError(n.t, r.err)
	case <-time.After(patience):
		require.Fail(n.t, "the orderer does not serve")
	}
	return r
}

// launch runs orderer i.
func (n *network) launch(i int, more string) *running {
	return n.launchChanged(i, more, func(*localconfig.TopLevel) {})
}

// launchChanged runs orderer i with a changed configuration.
func (n *network) launchChanged(i int, more string, change func(*localconfig.TopLevel)) *running {
	return n.launchWith(i, more, change, func(*Options) {})
}

// launchWith runs orderer i with changed configuration and options.
func (n *network) launchWith(i int, more string, change func(*localconfig.TopLevel), option func(*Options)) *running {
	conf, err := localconfig.Parse(n.Path("orderer.yaml"), []byte(n.config(i, more)), nil)
	require.NoError(n.t, err)
	change(conf)
	r := &running{network: n, i: i, port: n.ports[i], log: &logBuffer{}, serving: make(chan struct{}), ended: make(chan struct{})}
	logging, err := flogging.New(flogging.Config{Format: plainFormat, LogSpec: os.Getenv("FABRIC_LOGGING_SPEC"), Writer: r.log})
	require.NoError(n.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() {
		defer close(r.ended)
		options := Options{Logging: logging, Serving: func(a Addresses) { r.addresses = a; close(r.serving) }}
		options.leaderCheckInterval, options.kafkaPollInterval = n.leaderCheckInterval, n.kafkaPollInterval
		option(&options)
		r.err = Run(ctx, conf, options)
	}()
	n.t.Cleanup(func() {
		cancel()
		<-r.ended
		if n.t.Failed() {
			n.t.Logf("end of the log of orderer %d:\n%s", i, r.log.tail(25))
		}
	})
	return r
}

// shutdown stops the orderer in an orderly way.
func (r *running) shutdown() {
	r.stop()
	<-r.ended
	require.NoError(r.t, r.err)
}

// awaitLog waits for a line.
func (r *running) awaitLog(text string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return strings.Contains(r.log.String(), text) }, patience, 5*time.Millisecond, "no line with %q", text)
}

func (r *running) dial() *grpc.ClientConn {
	ca, err := os.ReadFile(r.Path(fixture.OrdererOrg, "tlsca/tlsca.example.com-cert.pem"))
	require.NoError(r.t, err)
	pool := x509.NewCertPool()
	require.True(r.t, pool.AppendCertsFromPEM(ca))
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", r.port), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})))
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// broadcast sends one envelope and returns the answer.
func (r *running) broadcast(env *cb.Envelope) *ab.BroadcastResponse {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := ab.NewAtomicBroadcastClient(r.dial()).Broadcast(ctx)
	require.NoError(r.t, err)
	require.NoError(r.t, stream.Send(env))
	resp, err := stream.Recv()
	require.NoError(r.t, err)
	return resp
}

// accepted broadcasts until the answer is SUCCESS; only unavailability is waited out.
func (r *running) accepted(env *cb.Envelope) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		resp := r.broadcast(env)
		// a fresh Raft node does not know yet who is alive (spec 4.4)
		learning := strings.HasSuffix(resp.Info, "configuration will result in quorum loss")
		if resp.Status != cb.Status_SERVICE_UNAVAILABLE && !learning {
			require.Equal(r.t, cb.Status_SUCCESS, resp.Status, resp.Info)
			return true
		}
		return false
	}, patience, 50*time.Millisecond)
}

func specified(n uint64) *ab.SeekPosition {
	return &ab.SeekPosition{Type: &ab.SeekPosition_Specified{Specified: &ab.SeekSpecified{Number: n}}}
}

// deliver asks for blocks and returns them with the final status.
func (r *running) deliver(channel string, signer protoutil.Signer, seek *ab.SeekInfo) ([]*cb.Block, cb.Status) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := ab.NewAtomicBroadcastClient(r.dial()).Deliver(ctx)
	require.NoError(r.t, err)
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_DELIVER_SEEK_INFO, ChannelID: channel, Time: time.Now(), Data: seek,
	}, signer)
	require.NoError(r.t, err)
	require.NoError(r.t, stream.Send(env))
	var blocks []*cb.Block
	for {
		resp, err := stream.Recv()
		require.NoError(r.t, err)
		if b := resp.GetBlock(); b != nil {
			blocks = append(blocks, b)
			continue
		}
		return blocks, resp.GetStatus()
	}
}

// blocks waits for blocks 0 to last of a channel.
func (r *running) blocks(channel string, signer protoutil.Signer, last uint64) []*cb.Block {
	r.t.Helper()
	var blocks []*cb.Block
	require.Eventually(r.t, func() bool {
		var status cb.Status
		blocks, status = r.deliver(channel, signer, &ab.SeekInfo{Start: specified(0), Stop: specified(last), ErrorResponse: ab.SeekInfo_BEST_EFFORT})
		return status == cb.Status_SUCCESS
	}, patience, 50*time.Millisecond)
	require.Len(r.t, blocks, int(last)+1)
	return blocks
}
