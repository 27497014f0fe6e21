package etcdraft

import (
	"archive/tar"
	"compress/gzip"
	"crypto/tls"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// segmentSize is the size of a preallocated WAL segment; the fixtures hold the
// segments without the zeros at their end.
const segmentSize = 64 * 1000 * 1000

var fabricVersions = []string{"2.2.15", "2.5.16"}

// fabricNode is what a real orderer left behind: its TLS identity, the ledgers
// after the type change and after the life as Raft, and the WAL of the latter.
type fabricNode struct {
	pair           clustertest.Pair
	switched       map[string][]*cb.Block
	raft           map[string][]*cb.Block
	wal            map[string][]byte
	walName, caPEM string
}

func loadFabric(t testing.TB, version string) []*fabricNode {
	t.Helper()
	f, err := os.Open("testdata/fabric-" + version + ".tar.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		files[h.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
	var nodes []*fabricNode
	for _, name := range []string{"o0", "o1", "o2"} {
		n := &fabricNode{switched: map[string][]*cb.Block{}, raft: map[string][]*cb.Block{}, wal: map[string][]byte{}}
		for path, content := range files {
			parts := strings.Split(path, "/")
			if parts[0] != name {
				continue
			}
			switch parts[1] {
			case "switched":
				n.switched[strings.TrimSuffix(parts[2], ".blocks")] = parseBlocks(t, content)
			case "raft":
				n.raft[strings.TrimSuffix(parts[2], ".blocks")] = parseBlocks(t, content)
			case "wal":
				n.wal[parts[2]], n.walName = content, parts[3]
			}
		}
		cert := files[name+"/tls/server.crt"]
		pair, err := tls.X509KeyPair(cert, files[name+"/tls/server.key"])
		require.NoError(t, err)
		n.pair = clustertest.Pair{PEM: cert, TLS: pair}
		if block, _ := pem.Decode(cert); block != nil {
			n.pair.DER = block.Bytes
		}
		n.caPEM = string(files[name+"/tls/ca.crt"])
		nodes = append(nodes, n)
	}
	return nodes
}

func parseBlocks(t testing.TB, content []byte) []*cb.Block {
	t.Helper()
	var blocks []*cb.Block
	for len(content) > 0 {
		raw, n := protowire.ConsumeBytes(content)
		require.Positive(t, n)
		block, err := protoutil.UnmarshalBlock(raw)
		require.NoError(t, err)
		blocks = append(blocks, block)
		content = content[n:]
	}
	return blocks
}

func configOfLedger(t testing.TB, blocks []*cb.Block) *etcdraft.ConfigMetadata {
	t.Helper()
	for i := len(blocks) - 1; i >= 0; i-- {
		if md, err := raftmetadata.OfConfigBlock(blocks[i]); err == nil {
			return md
		}
	}
	t.Fatal("no Raft configuration in the ledger")
	return nil
}

// unpackWAL puts a WAL where the node looks for it, at its full size.
func (n *fabricNode) unpackWAL(t testing.TB, dir, channel string) {
	t.Helper()
	folder := filepath.Join(dir, "wal", channel)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	path := filepath.Join(folder, n.walName)
	require.NoError(t, os.WriteFile(path, n.wal[channel], 0o600))
	require.NoError(t, os.Truncate(path, segmentSize))
}

// fabricNetwork makes our nodes out of what real ones left behind. Only the
// addresses in the configuration are other ones.
func fabricNetwork(t *testing.T, version string, ledgers func(*fabricNode) map[string][]*cb.Block, withWAL bool) *network {
	t.Helper()
	fabric := loadFabric(t, version)
	net := newNetwork(t, len(fabric))
	net.ca = &clustertest.CA{PEM: []byte(fabric[0].caPEM)}
	ca, err := raftmetadata.ParseCertificate(net.ca.PEM)
	require.NoError(t, err)
	net.ca.Cert = ca
	for i, node := range net.nodes {
		node.pair = fabric[i].pair
	}
	for i, node := range net.nodes {
		for channel, blocks := range ledgers(fabric[i]) {
			config := configOfLedger(t, blocks)
			config.Options.TickInterval = testTick.String()
			for j, c := range config.Consenters {
				entry := net.nodes[j].consenterEntry()
				require.True(t, raftmetadata.SamePublicKey(c.ServerTlsCert, net.nodes[j].pair.PEM))
				c.Host, c.Port = entry.Host, entry.Port
			}
			node.supports[channel] = newFakeSupport(channel, config, blocks...)
			if withWAL {
				fabric[i].unpackWAL(t, node.dir, channel)
			}
		}
	}
	return net
}

func TestTypeSwitchedLedgersOfFabricStartAsRaft(t *testing.T) {
	for _, version := range fabricVersions {
		t.Run(version, func(t *testing.T) {
			net := fabricNetwork(t, version, func(n *fabricNode) map[string][]*cb.Block { return n.switched }, false)
			net.startAll()
			for _, channel := range []string{"syschannel", "ch1"} {
				leader := net.waitLeader(channel)
				require.Positive(t, leader.logs.FilterMessage(
					"Consensus-type migration detected, starting new raft node on an existing channel; height=4").Len())
				bm, _ := leader.chain(channel).membership()
				require.Equal(t, []uint64{1, 2, 3}, bm.ConsenterIds)
				require.EqualValues(t, 4, bm.NextConsenterId)

				leader.order(channel, "first")
				net.waitHeight(channel, 5, net.nodes...)
				net.requireSameLedgers(channel, net.nodes...)
				// Three configuration changes and at least one election come first.
				index := net.nodes[0].supports[channel].raftMetadata(t, 4).RaftIndex
				require.GreaterOrEqual(t, index, uint64(5))
			}
		})
	}
}

func TestFabricsWriteAheadLogsRestart(t *testing.T) {
	for _, version := range fabricVersions {
		t.Run(version, func(t *testing.T) {
			net := fabricNetwork(t, version, func(n *fabricNode) map[string][]*cb.Block { return n.raft }, true)
			heights := map[string]uint64{}
			for channel, s := range net.nodes[0].supports {
				heights[channel] = s.Height()
			}
			net.startAll()
			for channel, height := range heights {
				leader := net.waitLeader(channel)
				require.Positive(t, leader.logs.FilterMessage("Restarting raft node").Len())
				for _, node := range net.nodes {
					require.Equal(t, height, node.supports[channel].Height(), "what the ledger has is not written again")
					require.Empty(t, node.fatal)
				}
				leader.order(channel, "one more")
				net.waitHeight(channel, height+1, net.nodes...)
				net.requireSameLedgers(channel, net.nodes...)
				before := leader.supports[channel].raftMetadata(t, height-1)
				after := leader.supports[channel].raftMetadata(t, height)
				require.Equal(t, before.ConsenterIds, after.ConsenterIds)
				require.Greater(t, after.RaftIndex, before.RaftIndex)
			}
		})
	}
}

// A ledger that lost its last blocks gets them back from the log, with the
// bytes and the consenter metadata that Fabric gave them.
func TestFabricsWriteAheadLogRebuildsALedgerThatIsBehind(t *testing.T) {
	for _, version := range fabricVersions {
		t.Run(version, func(t *testing.T) {
			full := loadFabric(t, version)
			net := fabricNetwork(t, version, func(n *fabricNode) map[string][]*cb.Block {
				short := map[string][]*cb.Block{}
				for channel, blocks := range n.raft {
					short[channel] = blocks[:4] // up to the type change
				}
				return short
			}, true)
			for _, node := range net.nodes {
				for channel, blocks := range full[0].raft {
					node.supports[channel].config = rewritten(t, net, configOfLedger(t, blocks))
				}
			}
			net.startAll()
			// The configuration in the log has the addresses of the real nodes, so
			// each of ours is on its own: it has what its log says is committed,
			// which need not include the last entry.
			for channel, blocks := range full[0].raft {
				net.eventually(func() bool {
					for _, node := range net.nodes {
						if node.supports[channel].Height() >= uint64(len(blocks))-1 {
							return true
						}
					}
					return false
				}, "nobody rebuilt %s", channel)
				for _, node := range net.nodes {
					requireSameBlocks(t, blocks, node.supports[channel])
					require.Empty(t, node.fatal)
				}
			}
		})
	}
}

// requireSameBlocks checks that a ledger begins as blocks do, with the same
// consenter metadata.
func requireSameBlocks(t testing.TB, blocks []*cb.Block, s *fakeSupport) {
	t.Helper()
	for number, block := range blocks[:s.Height()] {
		got := s.Block(uint64(number))
		require.Equal(t, protoutil.BlockHeaderBytes(block.Header), protoutil.BlockHeaderBytes(got.Header))
		want, err := protoutil.ConsenterMetadata(block)
		require.NoError(t, err)
		have, err := protoutil.ConsenterMetadata(got)
		require.NoError(t, err)
		require.Equal(t, want.Value, have.Value, "consenter metadata of block %d of %s", number, s.channel)
	}
}

// rewritten gives the consenters the addresses of the test's nodes.
func rewritten(t testing.TB, net *network, config *etcdraft.ConfigMetadata) *etcdraft.ConfigMetadata {
	t.Helper()
	config.Options.TickInterval = testTick.String()
	for i, c := range config.Consenters {
		entry := net.nodes[i].consenterEntry()
		c.Host, c.Port = entry.Host, entry.Port
	}
	return config
}
