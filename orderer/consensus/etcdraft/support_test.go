package etcdraft

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// fakeSupport is a channel in memory: a ledger, a configuration that follows
// the config blocks, a cutter by count.
type fakeSupport struct {
	channel string

	mu       sync.Mutex
	blocks   [][]byte
	config   *etcdraft.ConfigMetadata
	sequence uint64
	cutter   *countCutter
	orderer  fakeOrderer
	// onNormal and onConfig stand for the filters.
	onNormal func(*protoutil.Message) error
	onConfig func(*protoutil.Message) (*protoutil.Message, error)
}

func newFakeSupport(channel string, config *etcdraft.ConfigMetadata, blocks ...*cb.Block) *fakeSupport {
	s := &fakeSupport{channel: channel, config: config, cutter: &countCutter{max: 1}}
	if len(blocks) == 0 {
		genesis := protoutil.NewBlock(0, nil)
		genesis.Data.Data = [][]byte{configMessage(channel, config, 0).Bytes()}
		genesis.Header.DataHash = protoutil.BlockDataHash(genesis.Data)
		blocks = []*cb.Block{genesis}
	}
	for _, b := range blocks {
		s.blocks = append(s.blocks, protoutil.MustMarshal(b))
	}
	return s
}

func (s *fakeSupport) Sign([]byte) ([]byte, error)       { return []byte("signature"), nil }
func (s *fakeSupport) Serialize() ([]byte, error)        { return []byte("creator"), nil }
func (s *fakeSupport) ChannelID() string                 { return s.channel }
func (s *fakeSupport) BlockCutter() blockcutter.Receiver { return s.cutter }

func (s *fakeSupport) ClassifyMsg(*cb.ChannelHeader) msgprocessor.Classification {
	return msgprocessor.NormalMsg
}

func (s *fakeSupport) ProcessNormalMsg(m *protoutil.Message) (uint64, error) {
	if s.onNormal != nil {
		if err := s.onNormal(m); err != nil {
			return 0, err
		}
	}
	return s.Sequence(), nil
}

func (s *fakeSupport) ProcessConfigUpdateMsg(m *protoutil.Message) (*protoutil.Message, uint64, error) {
	return m, s.Sequence(), nil
}

func (s *fakeSupport) ProcessConfigMsg(m *protoutil.Message) (*protoutil.Message, uint64, error) {
	if s.onConfig != nil {
		next, err := s.onConfig(m)
		return next, s.Sequence(), err
	}
	return m, s.Sequence(), nil
}

func (s *fakeSupport) Sequence() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sequence
}

func (s *fakeSupport) SharedConfig() channelconfig.Orderer {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orderer
	o.metadata = protoutil.MustMarshal(s.config)
	return o
}

func (s *fakeSupport) ChannelConfig() channelconfig.Channel { return nil }

func (s *fakeSupport) CreateNextBlock(messages []*protoutil.Message) *cb.Block {
	last := s.Block(s.Height() - 1)
	return protoutil.NewBlockOf(last.Header.Number+1, protoutil.BlockHeaderHash(last.Header), messages)
}

func (s *fakeSupport) WriteBlock(block *cb.Block, metadata []byte) {
	value := protoutil.MustMarshal(&cb.OrdererBlockMetadata{
		LastConfig:        &cb.LastConfig{},
		ConsenterMetadata: protoutil.MustMarshal(&cb.Metadata{Value: metadata}),
	})
	protoutil.SetMetadata(block, cb.BlockMetadataIndex_SIGNATURES, protoutil.MustMarshal(&cb.Metadata{
		Value: value, Signatures: []*cb.MetadataSignature{{Signature: []byte("signature")}},
	}))
	if err := s.Append(block); err != nil {
		panic(err)
	}
}

func (s *fakeSupport) WriteConfigBlock(block *cb.Block, metadata []byte) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.sequence++
	if md, err := raftmetadata.OfConfigBlock(block); err == nil {
		s.config = md
	} else if h, _ := protoutil.ChannelHeader(env); h.GetType() == int32(cb.HeaderType_CONFIG) {
		panic(err)
	}
	s.mu.Unlock()
	s.WriteBlock(block, metadata)
}

func (s *fakeSupport) Height() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.blocks))
}

func (s *fakeSupport) Block(number uint64) *cb.Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= uint64(len(s.blocks)) {
		return nil
	}
	block := &cb.Block{}
	if err := proto.Unmarshal(s.blocks[number], block); err != nil {
		panic(err)
	}
	return block
}

func (s *fakeSupport) Append(block *cb.Block) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if block.Header.Number != uint64(len(s.blocks)) {
		return fmt.Errorf("block number should have been %d but was %d", len(s.blocks), block.Header.Number)
	}
	last := &cb.Block{}
	if err := proto.Unmarshal(s.blocks[len(s.blocks)-1], last); err != nil {
		return err
	}
	if !bytes.Equal(block.Header.PreviousHash, protoutil.BlockHeaderHash(last.Header)) {
		return errors.New("unexpected Previous block hash")
	}
	s.blocks = append(s.blocks, protoutil.MustMarshal(block))
	return nil
}

func (s *fakeSupport) VerifyBlockSignature([]*protoutil.SignedData, *cb.ConfigEnvelope) error {
	return nil
}

// headers returns the header hashes of all blocks.
func (s *fakeSupport) headers() []string {
	var hashes []string
	for n := uint64(0); n < s.Height(); n++ {
		hashes = append(hashes, fmt.Sprintf("%x", protoutil.BlockHeaderHash(s.Block(n).Header)))
	}
	return hashes
}

// raftMetadata returns the consenter metadata of a block.
func (s *fakeSupport) raftMetadata(t testing.TB, number uint64) *etcdraft.BlockMetadata {
	t.Helper()
	md, err := protoutil.ConsenterMetadata(s.Block(number))
	require.NoError(t, err)
	bm := &etcdraft.BlockMetadata{}
	require.NoError(t, proto.Unmarshal(md.Value, bm))
	return bm
}

func (s *fakeSupport) lastMetadata(t testing.TB) *cb.Metadata {
	t.Helper()
	md, err := protoutil.ConsenterMetadata(s.Block(s.Height() - 1))
	require.NoError(t, err)
	return md
}

// fakeOrderer is an orderer configuration.
type fakeOrderer struct {
	channelconfig.Orderer
	metadata     []byte
	batchTimeout time.Duration
	orgs         map[string]channelconfig.OrdererOrg
}

func (o fakeOrderer) ConsensusType() string     { return channelconfig.ConsensusEtcdRaft }
func (o fakeOrderer) ConsensusMetadata() []byte { return o.metadata }
func (o fakeOrderer) BatchSize() *ab.BatchSize  { return &ab.BatchSize{PreferredMaxBytes: 1 << 20} }
func (o fakeOrderer) BatchTimeout() time.Duration {
	if o.batchTimeout == 0 {
		return time.Hour
	}
	return o.batchTimeout
}
func (o fakeOrderer) Organizations() map[string]channelconfig.OrdererOrg { return o.orgs }

// countCutter cuts after max messages.
type countCutter struct {
	max     int
	pending []*protoutil.Message
}

func (c *countCutter) Ordered(m *protoutil.Message) ([][]*protoutil.Message, bool) {
	c.pending = append(c.pending, m)
	if len(c.pending) < c.max {
		return nil, true
	}
	return [][]*protoutil.Message{c.Cut()}, false
}

func (c *countCutter) Cut() []*protoutil.Message {
	batch := c.pending
	c.pending = nil
	return batch
}

func normalMessage(channel, text string) *protoutil.Message {
	return protoutil.NewMessage(&cb.Envelope{
		Payload: protoutil.MustMarshal(&cb.Payload{
			Header: &cb.Header{ChannelHeader: protoutil.MustMarshal(&cb.ChannelHeader{
				Type: int32(cb.HeaderType_ENDORSER_TRANSACTION), ChannelId: channel,
			})},
			Data: []byte(text),
		}),
		Signature: []byte("signature"),
	})
}

// configMessage is a CONFIG message with the consenters of config. It sets the
// ConsensusType value to version; version 0 leaves it as it is.
func configMessage(channel string, config *etcdraft.ConfigMetadata, version uint64) *protoutil.Message {
	value := &cb.ConfigValue{
		Version: version,
		Value: protoutil.MustMarshal(&ab.ConsensusType{
			Type: channelconfig.ConsensusEtcdRaft, Metadata: protoutil.MustMarshal(config),
		}),
	}
	group := &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{
		channelconfig.OrdererGroup: {Values: map[string]*cb.ConfigValue{channelconfig.ConsensusTypeKey: value}},
	}}
	update := &cb.ConfigUpdate{ChannelId: channel}
	if version > 0 {
		update.WriteSet = group
	}
	return configEnvelope(channel, &cb.ConfigEnvelope{
		Config: &cb.Config{ChannelGroup: group},
		LastUpdate: envelopeOf(channel, cb.HeaderType_CONFIG_UPDATE, &cb.ConfigUpdateEnvelope{
			ConfigUpdate: protoutil.MustMarshal(update),
		}),
	})
}

func configEnvelope(channel string, config *cb.ConfigEnvelope) *protoutil.Message {
	return protoutil.NewMessage(envelopeOf(channel, cb.HeaderType_CONFIG, config))
}

func envelopeOf(channel string, headerType cb.HeaderType, data proto.Message) *cb.Envelope {
	return &cb.Envelope{
		Payload: protoutil.MustMarshal(&cb.Payload{
			Header: &cb.Header{
				ChannelHeader:   protoutil.MustMarshal(&cb.ChannelHeader{Type: int32(headerType), ChannelId: channel}),
				SignatureHeader: protoutil.MustMarshal(&cb.SignatureHeader{}),
			},
			Data: protoutil.MustMarshal(data),
		}),
		Signature: []byte("signature"),
	}
}

func messages(m ...*protoutil.Message) []*protoutil.Message { return m }
