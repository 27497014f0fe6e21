package etcdraft

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"

	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// realNode is a real orderer, the third node of the cluster.
type realNode struct {
	t      testing.TB
	bin    string
	dir    string
	config string
	// address is where the cluster expects it.
	address string

	mu  sync.Mutex
	log bytes.Buffer
	cmd *exec.Cmd
}

func (r *realNode) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *realNode) logged(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.log.String(), text)
}

func (r *realNode) start() {
	r.cmd = exec.Command(filepath.Join(r.bin, "orderer"))
	r.cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+r.config, "FABRIC_LOGGING_FORMAT=%{message}")
	r.cmd.Stdout, r.cmd.Stderr = r, r
	require.NoError(r.t, r.cmd.Start())
}

func (r *realNode) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill() // it may have ended
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

func (r *realNode) run(name string, args ...string) {
	cmd := exec.Command(filepath.Join(r.bin, name), args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+r.dir)
	out, err := cmd.CombinedOutput()
	require.NoError(r.t, err, "%s: %s", name, out)
}

// mixedNetwork has two of our nodes and a real one.
func mixedNetwork(t *testing.T) (*network, *realNode) {
	t.Helper()
	bin := fabrictest.Dir(t, "orderer", "cryptogen", "configtxgen")
	ours := newNetwork(t, 3)
	real := &realNode{t: t, bin: bin, dir: t.TempDir()}
	real.config = filepath.Join(real.dir, "node")
	values := struct {
		Ports     []string
		Dir, Node string
	}{Dir: real.dir, Node: real.tlsDir(2)}
	for _, node := range ours.nodes {
		_, port, err := net.SplitHostPort(node.address)
		require.NoError(t, err)
		values.Ports = append(values.Ports, port)
	}
	require.NoError(t, os.Mkdir(real.config, 0o755))
	for source, target := range map[string]string{
		"crypto-config.yaml": "crypto-config.yaml", "configtx.yaml": "configtx.yaml", "orderer.yaml": "node/orderer.yaml",
	} {
		tmpl, err := template.ParseFiles(filepath.Join("testdata/interop", source))
		require.NoError(t, err)
		var text bytes.Buffer
		require.NoError(t, tmpl.Execute(&text, values))
		content := text.Bytes()
		if source == "orderer.yaml" {
			content = fabrictest.OrdererYAML(t, content)
		}
		require.NoError(t, os.WriteFile(filepath.Join(real.dir, target), content, 0o600))
	}
	real.run("cryptogen", "generate", "--config=crypto-config.yaml")
	real.run("configtxgen", "-profile", "Genesis", "-channelID", "syschannel", "-outputBlock", "genesis.block")

	raw, err := os.ReadFile(filepath.Join(real.dir, "genesis.block"))
	require.NoError(t, err)
	genesis, err := protoutil.UnmarshalBlock(raw)
	require.NoError(t, err)
	config, err := raftmetadata.OfConfigBlock(genesis)
	require.NoError(t, err)
	ca, err := os.ReadFile(filepath.Join(real.tlsDir(0), "tls/ca.crt"))
	require.NoError(t, err)
	ours.ca = &clustertest.CA{PEM: ca}
	ours.ca.Cert, err = raftmetadata.ParseCertificate(ca)
	require.NoError(t, err)
	real.address = ours.nodes[2].address
	ours.nodes = ours.nodes[:2]
	for i, node := range ours.nodes {
		cert, err := os.ReadFile(filepath.Join(real.tlsDir(i), "tls/server.crt"))
		require.NoError(t, err)
		node.pair.PEM = cert
		node.pair.TLS, err = tls.LoadX509KeyPair(filepath.Join(real.tlsDir(i), "tls/server.crt"), filepath.Join(real.tlsDir(i), "tls/server.key"))
		require.NoError(t, err)
		node.supports["syschannel"] = newFakeSupport("syschannel", config, genesis)
	}
	t.Cleanup(real.kill)
	return ours, real
}

func (r *realNode) tlsDir(i int) string {
	return filepath.Join(r.dir, "crypto-config/ordererOrganizations/example.com/orderers", fmt.Sprintf("orderer%d.example.com", i))
}

func writing(number uint64) string { return fmt.Sprintf("Writing block [%d] (Raft index: ", number) }

func TestInteropARealOrdererSharesAClusterWithOurs(t *testing.T) {
	ours, real := mixedNetwork(t)
	const channel = "syschannel"
	a, b := ours.nodes[0], ours.nodes[1]
	a.options = func(o *Options) { o.AcknowledgeAtCommit = true } // whatever the leader does
	ours.startAll()
	real.start()
	ours.eventually(func() bool {
		return real.logged("Raft leader changed: 0 -> ") && a.chain(channel).lead.Load() != raft.None
	}, "no leader")

	t.Run("what ours order, it writes", func(t *testing.T) {
		for i := 0; i < 3; i++ {
			a.order(channel, fmt.Sprint("a", i))
			b.order(channel, fmt.Sprint("b", i))
		}
		ours.waitHeight(channel, 7, a, b)
		ours.eventually(func() bool { return real.logged(writing(6)) }, "the real node does not have block 6")
	})
	t.Run("ours follow it, forward to it, and write what it orders", func(t *testing.T) {
		ours.eventually(func() bool {
			for _, node := range ours.nodes {
				c := node.chain(channel)
				if c.lead.Load() == c.id { // hand over until it is the real one's turn
					c.node.request(func(rn *raft.RawNode) { rn.TransferLeader(3) })
				}
			}
			return a.chain(channel).lead.Load() == 3 && b.chain(channel).lead.Load() == 3
		}, "the real node does not become the leader")
		height := a.supports[channel].Height()
		a.order(channel, "forwarded")
		require.True(t, contains(a.supports[channel], normalMessage(channel, "forwarded").Bytes()), "acknowledged at commit")
		ours.waitHeight(channel, height+1, a, b)
		if !fabrictest.Version(t).Before(2, 0) { // a leader of 1.4 does not tell who is alive
			ours.eventually(func() bool { return len(a.chain(channel).activeNodes()) == 3 }, "its gossip is not understood")
		}
	})
	t.Run("it catches up after it was away, and so do ours", func(t *testing.T) {
		real.kill()
		ours.waitLeader(channel)
		height := a.supports[channel].Height()
		a.order(channel, "without the real node")
		ours.waitHeight(channel, height+1, a, b)
		real.start()
		ours.eventually(func() bool { return real.logged(writing(height)) }, "the real node does not catch up")

		b.stop()
		ours.waitLeaderOrReal(channel, a)
		a.order(channel, "without one of ours")
		b.start()
		ours.waitHeight(channel, height+2, a, b)
	})
	ours.requireSameLedgers(channel, a, b)
}

// waitLeaderOrReal waits until a node has a leader, which may be the real one.
func (n *network) waitLeaderOrReal(channel string, node *testNode) {
	n.t.Helper()
	n.eventually(func() bool { return node.chain(channel).lead.Load() != raft.None }, "no leader")
}

// A log that ours wrote is one that a real orderer starts from.
func TestInteropARealOrdererStartsFromOurLog(t *testing.T) {
	ours, real := mixedNetwork(t)
	const channel = "syschannel"
	// The third node is ours at first, then the real one with its files.
	first := ours.nodes[0].supports[channel]
	third := &testNode{
		net: ours, name: "third", dir: real.dir, address: real.address, tracked: &fakeTracker{},
		pair:     clustertest.Pair{PEM: readFile(t, filepath.Join(real.tlsDir(2), "tls/server.crt"))},
		supports: map[string]*fakeSupport{channel: newFakeSupport(channel, first.config, first.Block(0))},
	}
	var err error
	third.pair.TLS, err = tls.LoadX509KeyPair(filepath.Join(real.tlsDir(2), "tls/server.crt"), filepath.Join(real.tlsDir(2), "tls/server.key"))
	require.NoError(t, err)
	ours.nodes = append(ours.nodes, third)
	ours.startAll()
	ours.waitLeader(channel)
	for i := 0; i < 5; i++ {
		third.order(channel, fmt.Sprint(i))
	}
	ours.waitHeight(channel, 6, ours.nodes...)
	third.stop()
	ours.nodes = ours.nodes[:2]

	real.start() // its ledger has only the genesis block: the rest is in our log
	ours.eventually(func() bool { return real.logged("Found WAL data at path") }, "the log is not looked at")
	ours.eventually(func() bool { return real.logged(writing(5)) }, "the blocks in the log are not written")
	ours.nodes[0].order(channel, "after")
	ours.eventually(func() bool { return real.logged(writing(6)) }, "the real node does not go on")
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}
