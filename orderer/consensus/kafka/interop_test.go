package kafka

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"raftmig/orderer/blockledger/fileledger"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/protoutil"
)

// fabricPorts are the brokers that the fixtures' channel configuration names.
var fabricPorts = []int{9092, 9093}

const fabricOrdererYAML = `
General:
  ListenAddress: 127.0.0.1
  ListenPort: 0
  LocalMSPDir: %[1]s/msp
  LocalMSPID: OrdererMSP
  BootstrapMethod: file
  BootstrapFile: %[1]s/genesis.block
  Authentication: {TimeWindow: 15m}
  Keepalive: {ServerMinInterval: 60s, ServerInterval: 7200s, ServerTimeout: 20s}
  Cluster: {SendBufferSize: 10}
  BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}
FileLedger: {Location: %[1]s/ledger}
Kafka:
  Retry:
    ShortInterval: 1s
    ShortTotal: 10m
    LongInterval: 5m
    LongTotal: 12h
    NetworkTimeouts: {DialTimeout: 10s, ReadTimeout: 10s, WriteTimeout: 10s}
    Metadata: {RetryBackoff: 250ms, RetryMax: 3}
    Producer: {RetryBackoff: 100ms, RetryMax: 3}
    Consumer: {RetryBackoff: 2s}
  Topic: {ReplicationFactor: 1}
  Version: 1.0.0
Operations: {ListenAddress: "127.0.0.1:0"}
Admin: {ListenAddress: "127.0.0.1:0"}
Metrics: {Provider: disabled}
ChannelParticipation: {Enabled: false}
`

// highS is why the tests are skipped with 1.4; it shares topics and ledgers with
// ours in packages orderer/server and testnet.
const highS = "the fixture's roots have high-S signatures, which it refuses if a current Go built it"

// fabricNode is a folder for a real orderer, and its brokers.
type fabricNode struct {
	t       *testing.T
	program string
	dir     string
	brokers *kfake.Cluster
	log     chan string
}

// newFabricNode skips the test unless FABRIC_BIN_DIR names a folder of
// Fabric's programs.
func newFabricNode(t *testing.T) *fabricNode {
	bin := fabrictest.Dir(t, "orderer")
	k, err := kfake.NewCluster(kfake.Ports(fabricPorts...))
	if err != nil {
		t.Skipf("the brokers' ports, fixed in the fixtures, are in use: %s", err)
	}
	t.Cleanup(k.Close)
	n := &fabricNode{t: t, program: filepath.Join(bin, "orderer"), dir: t.TempDir(), brokers: k, log: make(chan string, 100)}
	unpackMSP(t, n.dir)
	require.NoError(t, os.WriteFile(filepath.Join(n.dir, "orderer.yaml"), fabrictest.OrdererYAML(t, fmt.Appendf(nil, fabricOrdererYAML, n.dir)), 0o600))
	genesis := protoutil.MustMarshal(fabricBlocks(t, "2.5.16", "o0", "syschannel")[0])
	require.NoError(t, os.WriteFile(filepath.Join(n.dir, "genesis.block"), genesis, 0o600))
	return n
}

// store writes blocks into the node's ledger and records into the brokers.
func (n *fabricNode) store(channelID string, blocks []*cb.Block, records []record) {
	// Small files, so that there are several.
	ledgers, err := fileledger.New(filepath.Join(n.dir, "ledger"), fileledger.Options{MaxFileSize: 8 << 10})
	require.NoError(n.t, err)
	l, err := ledgers.GetOrCreate(channelID)
	require.NoError(n.t, err)
	for _, b := range blocks {
		require.NoError(n.t, l.Append(b))
	}
	require.NoError(n.t, ledgers.Close())
	fill(n.t, n.brokers, channelID, records)
}

// headers returns the header hashes of the node's blocks.
func (n *fabricNode) headers(channelID string) (hashes []string) {
	ledgers, err := fileledger.New(filepath.Join(n.dir, "ledger"), fileledger.Options{})
	require.NoError(n.t, err)
	defer ledgers.Close()
	l, err := ledgers.GetOrCreate(channelID)
	require.NoError(n.t, err)
	for number := range l.Height() {
		e, err := l.BlockByNumber(number)
		require.NoError(n.t, err)
		hashes = append(hashes, fmt.Sprintf("%x", protoutil.BlockHeaderHash(e.Block.Header)))
	}
	return hashes
}

// run starts the orderer and returns a function that stops it.
func (n *fabricNode) run() (stop func()) {
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, n.program)
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+n.dir, "FABRIC_LOGGING_SPEC=info:orderer.commmon.multichannel=debug")
	out, err := cmd.StderrPipe()
	require.NoError(n.t, err)
	require.NoError(n.t, cmd.Start())
	go func() {
		defer close(n.log)
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			select {
			case n.log <- in.Text():
			case <-ctx.Done():
			}
		}
	}()
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		for range n.log {
		}
		_ = cmd.Wait() // it was interrupted
		cancel()
	}
}

// await reads the orderer's log until all lines were there, in any order.
func (n *fabricNode) await(lines ...string) {
	var seen []string
	for len(lines) > 0 {
		line, ok := <-n.log
		if !ok {
			n.t.Fatalf("the orderer ended without logging %q:\n%s", lines, strings.Join(seen, "\n"))
		}
		seen = append(seen, line)
		lines = slices.DeleteFunc(lines, func(want string) bool { return strings.Contains(line, want) })
	}
}

// A real orderer opens a ledger written here, reads the rest of the topic, and
// the ledger that it leaves is again one that opens here.
func TestInteropFabricGoesOnFromALedgerWrittenHere(t *testing.T) {
	fabrictest.Since(t, 2, 0, highS)
	for name, prepare := range map[string]func(dir string) error{
		"as it is":      func(string) error { return nil },
		"without index": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "ledger", "index")) },
	} {
		t.Run(name, func(t *testing.T) {
			node := newFabricNode(t)
			var lines []string
			for _, channelID := range []string{"syschannel", "ch1"} {
				blocks := fabricBlocks(t, "2.5.16", "o0", channelID)
				node.store(channelID, blocks[:len(blocks)-2], topic(t, "2.5.16", channelID))
				lines = append(lines, fmt.Sprintf("[channel: %s] Wrote block [%d]", channelID, len(blocks)-1))
			}
			require.NoError(t, prepare(node.dir))
			stop := node.run()
			node.await(lines...)
			stop()
			for _, channelID := range []string{"syschannel", "ch1"} {
				var want []string
				for _, b := range fabricBlocks(t, "2.5.16", "o0", channelID) {
					want = append(want, fmt.Sprintf("%x", protoutil.BlockHeaderHash(b.Header)))
				}
				require.Equal(t, want, node.headers(channelID))
			}
		})
	}
}

// A real orderer and a chain of this package share a topic, post time-to-cut
// records for the same blocks, and write the same blocks.
func TestInteropFabricAndThisChainShareATopic(t *testing.T) {
	fabrictest.Since(t, 2, 0, highS)
	node := newFabricNode(t)
	system := fabricBlocks(t, "2.5.16", "o0", "syschannel")
	node.store("syschannel", system[:2], topic(t, "2.5.16", "syschannel")[:4])
	blocks := fabricBlocks(t, "2.5.16", "o0", "ch1")
	blocks = blocks[:len(blocks)-2] // before the maintenance mode
	last, err := ParseMetadata(consenterValue(t, blocks[len(blocks)-1]))
	require.NoError(t, err)
	node.store("ch1", blocks, topic(t, "2.5.16", "ch1")[:last.LastOffsetPersisted+1])

	settings := config(node.brokers.ListenAddrs(), 500, 200*time.Millisecond)
	settings.batch = fixtureBatchSize
	ch := newChannel(t, "ch1", settings)
	ch.blocks = slices.Clone(blocks)
	const seq = 1 // of the configuration that created the channel; Fabric validates what is older
	ch.seq = seq
	stop := node.run()
	chain := start(t, consenter(t, Options{}), ch)
	var acks sync.WaitGroup
	const count = 700
	for i := range count {
		size := 300
		if i%100 > 90 { // overflows the batch of 2 MB soon
			size = 600 << 10
		}
		acks.Add(1)
		chain.OrderAsync(sized(cb.HeaderType_ENDORSER_TRANSACTION, fmt.Sprintf("m%d", i), size), seq, func(err error) {
			defer acks.Done()
			if err != nil {
				t.Error(err)
			}
		})
	}
	acks.Wait()
	eventually(t, func() bool {
		n := 0
		for _, b := range ch.contents()[len(blocks)-1:] {
			n += len(b)
		}
		return n == count
	}, "all messages are in blocks")
	node.await(fmt.Sprintf("[channel: ch1] Wrote block [%d]", ch.Height()-1))
	stop()
	var want []string
	for n := range ch.Height() {
		want = append(want, fmt.Sprintf("%x", protoutil.BlockHeaderHash(ch.Block(n).Header)))
	}
	require.Greater(t, len(want), len(blocks)+5)
	require.Equal(t, want, node.headers("ch1"))
}

// fill creates a topic with the records given, at the same offsets.
func fill(t *testing.T, k *kfake.Cluster, channelID string, records []record) {
	require.NoError(t, k.CreateTopic(channelID, 1, nil))
	s := sarama.NewConfig()
	s.Version = sarama.V1_0_0_0
	s.Producer.Return.Successes = true
	p, err := sarama.NewSyncProducer(k.ListenAddrs(), s)
	require.NoError(t, err)
	defer p.Close()
	for _, r := range records {
		_, offset, err := p.SendMessage(&sarama.ProducerMessage{
			Topic: channelID, Key: sarama.StringEncoder(r.Key), Value: sarama.ByteEncoder(r.bytes(t)),
		})
		require.NoError(t, err)
		require.Equal(t, r.Offset, offset, "the fixture has a gap")
	}
}

func unpackMSP(t *testing.T, dir string) {
	f, err := os.Open("testdata/orderer0-msp.tar.gz")
	require.NoError(t, err)
	defer f.Close()
	gz, err := gzip.NewReader(f)
	require.NoError(t, err)
	for in := tar.NewReader(gz); ; {
		h, err := in.Next()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		path := filepath.Join(dir, h.Name)
		if h.FileInfo().IsDir() {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
}
