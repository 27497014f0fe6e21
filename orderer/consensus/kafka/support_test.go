package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
)

// ordererConfig is a channel's orderer configuration.
type ordererConfig struct {
	channelconfig.Orderer
	brokers      []string
	batch        *ab.BatchSize
	timeout      time.Duration
	resubmission bool
}

func (c *ordererConfig) KafkaBrokers() []string      { return c.brokers }
func (c *ordererConfig) BatchSize() *ab.BatchSize    { return c.batch }
func (c *ordererConfig) BatchTimeout() time.Duration { return c.timeout }
func (c *ordererConfig) Resubmission() bool          { return c.resubmission }
func (c *ordererConfig) ConsensusType() string       { return channelconfig.ConsensusKafka }
func (c *ordererConfig) Capabilities() channelconfig.OrdererCapabilities {
	return capabilities{resubmission: c.resubmission}
}

type capabilities struct {
	channelconfig.OrdererCapabilities
	resubmission bool
}

func (c capabilities) Resubmission() bool { return c.resubmission }

// channel is a channel in memory with rules of its own: every config message
// advances the sequence by one, and judge says what else is valid.
type channel struct {
	consensus.ConsenterSupport
	t      testing.TB
	id     string
	config *ordererConfig
	cutter blockcutter.Receiver
	judge  func(msg *protoutil.Message) error
	// beforeWrite is called before a block becomes visible.
	beforeWrite func()

	mu     sync.Mutex
	seq    uint64
	blocks []*cb.Block
	grown  chan struct{}
}

func newChannel(t testing.TB, id string, config *ordererConfig) *channel {
	c := &channel{t: t, id: id, config: config, grown: make(chan struct{})}
	c.blocks = []*cb.Block{protoutil.NewBlockOf(0, nil, []*protoutil.Message{message(cb.HeaderType_CONFIG, id, "genesis")})}
	c.reset()
	return c
}

// reset is what a restart does to everything outside the ledger.
func (c *channel) reset() {
	c.cutter = blockcutter.New(func() *ab.BatchSize { return c.config.batch })
}

// metadata is the consenter metadata of the last block.
func (c *channel) metadata() *cb.Metadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	md, err := protoutil.ConsenterMetadata(c.blocks[len(c.blocks)-1])
	require.NoError(c.t, err)
	return md
}

func (c *channel) ChannelID() string                   { return c.id }
func (c *channel) SharedConfig() channelconfig.Orderer { return c.config }
func (c *channel) BlockCutter() blockcutter.Receiver   { return c.cutter }

func (c *channel) Sequence() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seq
}

func (c *channel) Height() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(len(c.blocks))
}

func (c *channel) Block(number uint64) *cb.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	if number >= uint64(len(c.blocks)) {
		return nil
	}
	return c.blocks[number]
}

func (c *channel) CreateNextBlock(messages []*protoutil.Message) *cb.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.blocks[len(c.blocks)-1]
	return protoutil.NewBlockOf(last.Header.Number+1, protoutil.BlockHeaderHash(last.Header), messages)
}

func (c *channel) WriteBlock(block *cb.Block, value []byte) { c.write(block, value, 0) }

func (c *channel) WriteConfigBlock(block *cb.Block, value []byte) { c.write(block, value, 1) }

func (c *channel) write(block *cb.Block, value []byte, configs uint64) {
	if c.beforeWrite != nil {
		c.beforeWrite()
	}
	protoutil.SetMetadata(block, cb.BlockMetadataIndex_SIGNATURES, protoutil.MustMarshal(&cb.Metadata{
		Value: protoutil.MustMarshal(&cb.OrdererBlockMetadata{
			LastConfig:        &cb.LastConfig{},
			ConsenterMetadata: protoutil.MustMarshal(&cb.Metadata{Value: value}),
		}),
	}))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq += configs
	c.blocks = append(c.blocks, block)
	close(c.grown)
	c.grown = make(chan struct{})
}

func (c *channel) ClassifyMsg(header *cb.ChannelHeader) msgprocessor.Classification {
	switch cb.HeaderType(header.Type) {
	case cb.HeaderType_CONFIG, cb.HeaderType_ORDERER_TRANSACTION:
		return msgprocessor.ConfigMsg
	case cb.HeaderType_CONFIG_UPDATE:
		return msgprocessor.ConfigUpdateMsg
	}
	return msgprocessor.NormalMsg
}

func (c *channel) ProcessNormalMsg(msg *protoutil.Message) (uint64, error) {
	if c.judge != nil {
		if err := c.judge(msg); err != nil {
			return 0, err
		}
	}
	return c.Sequence(), nil
}

func (c *channel) ProcessConfigMsg(msg *protoutil.Message) (*protoutil.Message, uint64, error) {
	seq, err := c.ProcessNormalMsg(msg)
	return msg, seq, err
}

// waitHeight waits until the channel has height blocks.
func (c *channel) waitHeight(height int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	for {
		c.mu.Lock()
		have, grown := len(c.blocks), c.grown
		c.mu.Unlock()
		if have >= height {
			return
		}
		select {
		case <-grown:
		case <-ctx.Done():
			c.t.Fatalf("%s has %d blocks instead of %d", c.id, have, height)
		}
	}
}

// contents returns what the messages of all blocks after the first say, block by block.
func (c *channel) contents() [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all [][]string
	for _, b := range c.blocks[1:] {
		all = append(all, contentsOf(c.t, b))
	}
	return all
}

func contentsOf(t testing.TB, b *cb.Block) []string {
	var one []string
	for i := range b.Data.Data {
		env, err := protoutil.EnvelopeAt(b, i)
		require.NoError(t, err)
		p, err := protoutil.EnvelopePayload(env)
		require.NoError(t, err)
		one = append(one, string(p.Data))
	}
	return one
}

// message is an unsigned message that says text.
func message(typ cb.HeaderType, channelID, text string) *protoutil.Message {
	payload := &cb.Payload{
		Header: &cb.Header{ChannelHeader: protoutil.MustMarshal(&cb.ChannelHeader{Type: int32(typ), ChannelId: channelID})},
		Data:   []byte(text),
	}
	return protoutil.NewMessage(&cb.Envelope{Payload: protoutil.MustMarshal(payload)})
}

func normal(i int) *protoutil.Message {
	return message(cb.HeaderType_ENDORSER_TRANSACTION, "ch", fmt.Sprintf("m%d", i))
}

var errInvalid = errors.New("not valid any more")
