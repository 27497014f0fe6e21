package server

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// raftGenesis makes a network whose system channel begins on Raft.
func (n *network) raftGenesis(metadata []byte) {
	genesis := n.Genesis(func(c *cb.Config) {
		fixture.SetBrokers(c, n.broker)
		fixture.SetAddresses(c, n.addresses()...)
		fixture.OrdererValues(c)[channelconfig.ConsensusTypeKey].Value =
			protoutil.MustMarshal(&ab.ConsensusType{Type: "etcdraft", Metadata: metadata})
	})
	require.NoError(n.t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(genesis), 0o600))
}

// Conditions that end Fabric's process with a panic: the text is logged at
// level PANIC and returned, and nothing panics (spec 8.3, 8.5).
func TestWhatEndsTheStart(t *testing.T) {
	n := newNetwork(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	appBlock := protoutil.MustMarshal(n.Genesis(func(c *cb.Config) { delete(c.ChannelGroup.Groups, channelconfig.ConsortiumsGroup) }))
	require.NoError(t, os.WriteFile(n.Path("app.block"), appBlock, 0o600))
	require.NoError(t, os.WriteFile(n.Path("junk.block"), []byte{1, 2, 3}, 0o600))
	require.NoError(t, os.CopyFS(n.Path("keyless"), os.DirFS(n.Path(fixture.OrdererDir(0), "msp"))))
	require.NoError(t, os.Rename(n.Path("keyless", "keystore"), n.Path("keys")))
	for _, test := range []struct {
		name, want string
		change     func(*localconfig.TopLevel)
		raft       bool
	}{
		{"no MSP folder", "Failed to get local msp config: ", func(c *localconfig.TopLevel) { c.General.LocalMSPDir = n.Path("nothing") }, false},
		{"no key", "could not load a private key from directory ", func(c *localconfig.TopLevel) {
			c.General.LocalMSPDir = n.Path("keyless")
			c.General.BCCSP.SW.FileKeystore.KeyStorePath = n.Path("nothing")
		}, false},
		{"no bootstrap file", "unable to bootstrap orderer. Error reading genesis block file: ", func(c *localconfig.TopLevel) { c.General.BootstrapFile = n.Path("nothing") }, false},
		{"a bootstrap file that is none", "unable to bootstrap orderer. Error unmarshalling genesis block: ", func(c *localconfig.TopLevel) { c.General.BootstrapFile = n.Path("junk.block") }, false},
		{"an application channel's block", "Failed validating bootstrap block: the block isn't a system channel block because it lacks ConsortiumsConfig", func(c *localconfig.TopLevel) { c.General.BootstrapFile = n.Path("app.block") }, false},
		{"address in use", "address already in use", func(c *localconfig.TopLevel) { c.General.ListenPort = uint16(busy.Addr().(*net.TCPAddr).Port) }, false},
		{"no TLS key", "Failed to load TLS PrivateKey file", func(c *localconfig.TopLevel) { c.General.TLS.PrivateKey = n.Path("nothing") }, false},
		{"operations address in use", "failed to start operations subsystem: ", func(c *localconfig.TopLevel) { c.Operations.ListenAddress = busy.Addr().String() }, false},
		{"Raft without TLS", "TLS is required for running ordering nodes of cluster type.", func(c *localconfig.TopLevel) { c.General.TLS.Enabled = false }, true},
		{"half a cluster listener", "Options: General.Cluster.ListenPort, General.Cluster.ListenAddress, General.Cluster.ServerCertificate, General.Cluster.ServerPrivateKey, should be defined altogether.",
			func(c *localconfig.TopLevel) { c.General.Cluster.ListenPort = 7 }, true},
		{"no cluster client certificate", "Failed to load client TLS certificate file", func(c *localconfig.TopLevel) { c.General.Cluster.ClientCertificate = n.Path("nothing") }, true},
		{"no folder for the WAL", "Consensus.WALDir and Consensus.SnapDir must be set", func(c *localconfig.TopLevel) { c.Consensus.WALDir = "" }, true},
		{"Raft without options", "Error creating chain support: error creating consenter for channel: syschannel: etcdraft options have not been provided", func(*localconfig.TopLevel) {}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := &network{Network: n.Network, t: t, broker: n.broker, ports: n.ports}
			n.raftGenesis(nil)
			if !test.raft {
				genesis := n.Genesis(func(c *cb.Config) { fixture.SetBrokers(c, n.broker) })
				require.NoError(t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(genesis), 0o600))
			}
			require.NoError(t, os.RemoveAll(n.Path("o0")))
			r := n.launchChanged(0, "", test.change)
			<-r.ended
			require.ErrorContains(t, r.err, test.want)
			require.Regexp(t, `(PANI|FATA) \[orderer\.common\.server\] \w+ -> `, r.log.String())
		})
	}
}

// unlistable are ledgers whose folder cannot be read.
type unlistable struct{ blockledger.Factory }

func (unlistable) ChannelIDs() ([]string, error) {
	return nil, errors.New("listing ledgers: input/output error")
}

// Such a node is not to begin anew.
func TestLedgersThatCannotBeListedEndTheStart(t *testing.T) {
	n := newNetwork(t)
	for _, method := range []string{"file", "none"} {
		t.Run(method, func(t *testing.T) {
			n := &network{Network: n.Network, t: t, broker: n.broker, ports: n.ports}
			require.NoError(t, os.RemoveAll(n.Path("o0")))
			r := n.launchWith(0, "", func(c *localconfig.TopLevel) { c.General.BootstrapMethod = method }, func(o *Options) {
				o.wrapLedgers = func(f blockledger.Factory) blockledger.Factory { return unlistable{f} }
			})
			<-r.ended
			require.ErrorContains(t, r.err, "listing ledgers: input/output error")
			require.NotContains(t, r.log.String(), "Bootstrapping the system channel")
		})
	}
}

// General.BCCSP.SW.FileKeyStore.KeyStore (spec 8.2): the key is not in the MSP.
func TestTheKeyMayBeOutsideOfTheMSP(t *testing.T) {
	n := newNetwork(t)
	n.raftGenesis(n.RaftMetadata(n.ports[0]))
	require.NoError(t, os.Rename(n.Path(fixture.OrdererDir(0), "msp/keystore"), n.Path("keys")))
	n.launchChanged(0, "", func(c *localconfig.TopLevel) { c.General.BCCSP.SW.FileKeystore.KeyStorePath = n.Path("keys") }).awaitLog("Beginning to serve requests")
}

// A Raft network with a cluster listener of its own, from its first start.
func TestASeparateClusterListener(t *testing.T) {
	n := newNetwork(t)
	ports := []int{freePort(t), freePort(t)}
	n.raftGenesis(n.RaftMetadata(ports...))
	var nodes []*running
	for i := range 2 {
		nodes = append(nodes, n.launchChanged(i, "", func(c *localconfig.TopLevel) {
			k := &c.General.Cluster
			k.ListenAddress, k.ListenPort = "127.0.0.1", uint16(ports[i])
			k.ServerCertificate, k.ServerPrivateKey = c.General.TLS.Certificate, c.General.TLS.PrivateKey
			c.General.TLS.ClientAuthRequired = false
		}))
	}
	for _, r := range nodes {
		<-r.serving
		r.awaitLog("Raft leader changed: 0 -> ")
		require.Contains(t, r.log.String(), "Starting cluster listener on 127.0.0.1:")
	}
	nodes[0].accepted(n.Creation())
	nodes[1].blocks("ch1", n.OrgUser("User1"), 0)
	require.NotEqual(t, nodes[0].addresses.General, nodes[0].addresses.Cluster)
}

// With ClientAuthRequired only clients whose TLS certificate is of an
// organization of some channel get in, and Deliver requests are bound to it.
func TestMutualTLS(t *testing.T) {
	n := newNetwork(t)
	r := n.launchChanged(0, "", func(c *localconfig.TopLevel) { c.General.TLS.ClientAuthRequired = true })
	<-r.serving
	require.Contains(t, r.log.String(), "Starting orderer with mutual TLS enabled")
	ca, err := os.ReadFile(n.Path(fixture.OrdererOrg, "tlsca/tlsca.example.com-cert.pem"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	user := n.Path("crypto-config/peerOrganizations/org1.example.com/users/User1@org1.example.com/tls")
	pair, err := tls.LoadX509KeyPair(filepath.Join(user, "client.crt"), filepath.Join(user, "client.key"))
	require.NoError(t, err)
	hash := sha256.Sum256(pair.Certificate[0])
	ask := func(certs []tls.Certificate, claim []byte) (*ab.DeliverResponse, error) {
		conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", r.port), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, Certificates: certs})))
		require.NoError(t, err)
		defer conn.Close()
		stream, err := ab.NewAtomicBroadcastClient(conn).Deliver(t.Context())
		if err != nil {
			return nil, err
		}
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
			Type: cb.HeaderType_DELIVER_SEEK_INFO, ChannelID: "syschannel", Time: time.Now(), TLSCertHash: claim,
			Data: &ab.SeekInfo{Start: newestOnly.Start, Stop: newestOnly.Stop, ErrorResponse: ab.SeekInfo_BEST_EFFORT},
		}, n.OrdererAdmin())
		require.NoError(t, err)
		_ = stream.Send(env) // the answer tells
		return stream.Recv()
	}
	resp, err := ask([]tls.Certificate{pair}, hash[:])
	require.NoError(t, err)
	require.NotNil(t, resp.GetBlock(), "Org1's TLS CA is known from the channel's configuration")
	resp, err = ask([]tls.Certificate{pair}, nil)
	require.NoError(t, err)
	require.Equal(t, cb.Status_BAD_REQUEST, resp.GetStatus())
	_, err = ask(nil, hash[:])
	require.Error(t, err)
}

func TestTheOperationsEndpointOfARunningOrderer(t *testing.T) {
	n := newNetwork(t)
	o := n.start(0, "")
	o.createCh1()
	get := func(path string) string {
		resp, err := http.Get("http://" + o.addresses.Operations + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(b)
	}
	require.Contains(t, get("/version"), `"Version":"2.5.16"`)
	require.Contains(t, get("/healthz"), `"status":"OK"`)
	require.Contains(t, get("/logspec"), `"spec":"info"`)
	metrics := get("/metrics")
	for _, name := range []string{
		`fabric_version{version="2.5.16"} 1`, `ledger_blockchain_height{channel="ch1"} 1`, `logging_entries_written{level="info"}`,
		`deliver_streams_opened`, `grpc_comm_conn_opened`, `broadcast_processed_count{channel="unknown",status="SUCCESS",type="CONFIG_UPDATE"} 1`,
		`consensus_kafka_last_offset_persisted{channel="syschannel"}`, `grpc_server_stream_requests_completed{code="OK",method="Deliver",service="orderer.AtomicBroadcast"}`,
	} {
		require.Contains(t, metrics, name)
	}
}

func TestTraceFoldersGetEveryRequest(t *testing.T) {
	n := newNetwork(t)
	dir := t.TempDir()
	r := n.launchChanged(0, "", func(c *localconfig.TopLevel) { c.Debug.BroadcastTraceDir, c.Debug.DeliverTraceDir = dir, dir })
	<-r.serving
	env := n.Message("nowhere", n.OrgUser("User1"), "x")
	r.broadcast(env)
	r.deliver("syschannel", n.OrdererAdmin(), newestOnly)
	files, err := filepath.Glob(filepath.Join(dir, "*_0x*.Broadcast"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Equal(t, protoutil.MustMarshal(env), b)
	files, err = filepath.Glob(filepath.Join(dir, "*_0x*.Deliver"))
	require.NoError(t, err)
	require.Len(t, files, 1)
}

func TestCertificateExpiryIsLogged(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		end  time.Time
		want []string
	}{
		{now.AddDate(1, 0, 0), []string{"The server TLS certificate will expire on 2027-11-22 12:00:00 +0000 UTC"}},
		{now.Add(50 * time.Hour), []string{"The server TLS certificate will expire on 2026-11-24 14:00:00 +0000 UTC", "The server TLS certificate expires within 2 days and 2 hours"}},
		{now.Add(-time.Hour), []string{"The server TLS certificate has expired"}},
		{time.Time{}, nil},
	} {
		core, log := observer.New(zap.InfoLevel)
		trackExpiration("server TLS", test.end, now, zap.New(core).Sugar())()
		var got []string
		for _, e := range log.All() {
			got = append(got, e.Message)
		}
		require.Equal(t, test.want, got)
	}
	require.Zero(t, notAfter([]byte("x")))
	require.True(t, strings.HasPrefix(VersionInfo(Build{Version: "1"}), "orderer:\n Version: 2.5.16 (raftmig 1)\n Commit SHA: development build\n Go version: go"))
}
