package kafka

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/blockledger/fileledger"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
)

// record is one record of a topic.
type record struct {
	Offset int64  `json:"offset"`
	Key    string `json:"key"`
	Value  string `json:"value"` // base64
}

func (r record) bytes(t testing.TB) []byte {
	b, err := base64.StdEncoding.DecodeString(r.Value)
	require.NoError(t, err)
	return b
}

// topic reads a topic that Fabric orderers wrote.
func topic(t testing.TB, version, channelID string) []record {
	f, err := os.Open(fmt.Sprintf("testdata/fabric-%s-topic-%s.jsonl.gz", version, channelID))
	require.NoError(t, err)
	defer f.Close()
	gz, err := gzip.NewReader(f)
	require.NoError(t, err)
	var records []record
	in := bufio.NewScanner(gz)
	in.Buffer(nil, 10<<20)
	for in.Scan() {
		var r record
		require.NoError(t, json.Unmarshal(in.Bytes(), &r))
		records = append(records, r)
	}
	require.NoError(t, in.Err())
	require.NotEmpty(t, records)
	return records
}

// fabricBlocks reads a node's ledger as it was before the restart into Raft.
func fabricBlocks(t testing.TB, version, node, channelID string) []*cb.Block {
	dir := t.TempDir()
	f, err := os.Open(filepath.Join("..", "..", "blockledger", "fileledger", "testdata", "fabric-"+version+"-2-type-switched.tar.gz"))
	require.NoError(t, err)
	defer f.Close()
	gz, err := gzip.NewReader(f)
	require.NoError(t, err)
	in := tar.NewReader(gz)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		name := strings.TrimPrefix(h.Name, "./")
		if h.FileInfo().IsDir() || !strings.HasPrefix(name, node+"/chains/"+channelID+"/") {
			continue
		}
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		path := filepath.Join(dir, strings.TrimPrefix(name, node))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	factory, err := fileledger.New(dir, fileledger.Options{})
	require.NoError(t, err)
	defer factory.Close()
	l, err := factory.GetOrCreate(channelID)
	require.NoError(t, err)
	var blocks []*cb.Block
	for n := range l.Height() {
		e, err := l.BlockByNumber(n)
		require.NoError(t, err)
		blocks = append(blocks, e.Block)
	}
	require.Greater(t, len(blocks), 3)
	return blocks
}

// consenterValue is the Kafka metadata that a block carries; nil if none.
func consenterValue(t testing.TB, block *cb.Block) []byte {
	md, err := protoutil.ConsenterMetadata(block)
	require.NoError(t, err)
	return md.Value
}

// ledgerRules answers from the config blocks of a real ledger; nothing in the
// fixtures needs validation.
type ledgerRules struct {
	t   testing.TB
	seq uint64
}

func (r *ledgerRules) Sequence() uint64   { return r.seq }
func (r *ledgerRules) Resubmission() bool { return true }

func (r *ledgerRules) ClassifyMsg(*cb.ChannelHeader) msgprocessor.Classification {
	r.t.Fatal("nothing is classified outside compatibility mode")
	return 0
}

func (r *ledgerRules) ProcessNormalMsg(*protoutil.Message) (uint64, error) {
	r.t.Fatal("no message of the fixtures was overtaken by a configuration")
	return 0, nil
}

func (r *ledgerRules) ProcessConfigMsg(*protoutil.Message) (*protoutil.Message, uint64, error) {
	r.t.Fatal("no message of the fixtures was overtaken by a configuration")
	return nil, 0, nil
}

// apply takes over the config sequence of a config block.
func (r *ledgerRules) apply(env *cb.Envelope) {
	payload, err := protoutil.EnvelopePayload(env)
	require.NoError(r.t, err)
	header, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	require.NoError(r.t, err)
	if cb.HeaderType(header.Type) != cb.HeaderType_CONFIG {
		return
	}
	config := &cb.ConfigEnvelope{}
	require.NoError(r.t, proto.Unmarshal(payload.Data, config))
	r.seq = config.Config.Sequence
}

var fixtureBatchSize = &ab.BatchSize{MaxMessageCount: 500, PreferredMaxBytes: 2 << 20, AbsoluteMaxBytes: 10 << 20}

// replay feeds a topic to a sequencer that starts behind the first n blocks
// and returns the blocks that it makes, with its consenter metadata.
func replay(t testing.TB, records []record, existing []*cb.Block) (blocks []*cb.Block, metadata [][]byte) {
	last := existing[len(existing)-1]
	rules := &ledgerRules{t: t}
	for _, b := range existing {
		if protoutil.IsConfigBlock(b) {
			env, err := protoutil.EnvelopeAt(b, 0)
			require.NoError(t, err)
			rules.apply(env)
		}
	}
	restored, err := restore(consenterValue(t, last))
	require.NoError(t, err)
	s := NewSequencer(restored, last.Header.Number, blockcutter.New(func() *ab.BatchSize { return fixtureBatchSize }), rules)
	next := func(messages []*protoutil.Message, md Metadata) {
		last = protoutil.NewBlockOf(last.Header.Number+1, protoutil.BlockHeaderHash(last.Header), messages)
		blocks, metadata = append(blocks, last), append(metadata, md.Marshal())
	}
	for _, r := range records {
		if r.Offset <= restored.LastOffsetPersisted {
			continue
		}
		require.Equal(t, "0", r.Key)
		msg, err := ParseMessage(r.bytes(t))
		require.NoError(t, err)
		require.Equal(t, r.bytes(t), msg.Marshal(), "offset %d", r.Offset)
		for _, a := range s.Step(r.Offset, msg) {
			switch a := a.(type) {
			case WriteBlock:
				next(a.Messages, a.Metadata)
			case WriteConfigBlock:
				next([]*protoutil.Message{a.Message}, a.Metadata)
				rules.apply(a.Message.Envelope)
			case StartTimer, StopTimer:
			default:
				t.Fatalf("offset %d: unexpected %T %+v", r.Offset, a, a)
			}
		}
	}
	return blocks, metadata
}

// Real orderers wrote these topics and these ledgers. From every block on, the
// topic gives the rest of the ledger: header, data and consenter metadata.
func TestTopicsOfFabricGiveTheBlocksOfFabric(t *testing.T) {
	for _, version := range []string{"2.2.15", "2.5.16"} {
		for _, channelID := range []string{"ch1", "syschannel"} {
			for _, node := range []string{"o0", "o1", "o2"} {
				t.Run(version+"/"+channelID+"/"+node, func(t *testing.T) {
					records, ledger := topic(t, version, channelID), fabricBlocks(t, version, node, channelID)
					for start := 1; start < len(ledger); start++ {
						got, metadata := replay(t, records, ledger[:start])
						want := ledger[start:]
						require.Len(t, got, len(want), "after %d blocks", start)
						for i, b := range got {
							require.Equal(t, protoutil.BlockHeaderHash(want[i].Header), protoutil.BlockHeaderHash(b.Header), "block %d", b.Header.Number)
							require.Equal(t, want[i].Data.Data, b.Data.Data)
							if md := consenterValue(t, want[i]); md != nil {
								require.True(t, bytes.Equal(md, metadata[i]), "block %d: %x, %x", b.Header.Number, md, metadata[i])
							} else {
								require.Equal(t, len(ledger)-1, start+i, "only the block that changes the consensus type has no metadata")
							}
						}
					}
				})
			}
		}
	}
}
