// Package consensus is the contract between the engine and its consenters.
package consensus

import (
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

// Consenter makes the chains of one consensus type.
type Consenter interface {
	// HandleChain makes the chain of a channel. metadata is the consenter
	// metadata of the channel's last block (empty if there is none). The chain
	// is not started. An error is fatal for the channel.
	HandleChain(support ConsenterSupport, metadata *cb.Metadata) (Chain, error)
}

// ClusterConsenter is a Consenter whose orderers are a cluster that others may
// follow. Without a system channel every channel needs one (spec 9).
type ClusterConsenter interface {
	Consenter
	// IsChannelMember returns whether this node is a consenter in the
	// configuration of a config block, or an error if that is not valid.
	IsChannelMember(configBlock *cb.Block) (bool, error)
	// RemoveInactiveChainRegistry ends the tracking of inactive channels: the
	// system channel is being removed.
	RemoveInactiveChainRegistry()
	// ForgetChain gives up what the consenter holds of a channel whose chain was
	// halted for good. Nothing is done on disk.
	ForgetChain(channelID string)
}

// StatusReporter is implemented by chains of a ClusterConsenter.
type StatusReporter interface {
	// StatusReport says what this node is to the channel and how it is doing.
	StatusReport() (types.ConsensusRelation, types.Status)
}

// MetadataValidator is implemented by chains that check consensus metadata
// before a configuration update is ordered (spec 4.3).
type MetadataValidator interface {
	// ValidateConsensusMetadata checks the change from old to new; newChannel
	// is set when the update creates a channel.
	ValidateConsensusMetadata(oldConfig, newConfig channelconfig.Orderer, newChannel bool) error
}

// Chain orders the messages of one channel. Messages were validated by the
// channel's Processor under configSeq; a chain validates them again if the
// configuration has moved on by the time they are ordered.
type Chain interface {
	// Order accepts a normal message. It returns once the message is safe with
	// the consensus mechanism as Fabric understands it (spec 3.3, 4.6), or an error.
	Order(msg *protoutil.Message, configSeq uint64) error
	// Configure accepts a configuration message, likewise.
	Configure(config *protoutil.Message, configSeq uint64) error
	// WaitReady blocks while the chain cannot take messages; an error says that
	// waiting is in vain.
	WaitReady() error
	// Errored returns a channel that is closed while the chain cannot make progress.
	Errored() <-chan struct{}
	// Start begins work and returns at once.
	Start()
	// Halt stops the chain and frees its resources.
	Halt()
}

// AsyncOrderer is implemented by chains that take a message without waiting
// for the answer, so that one stream keeps many messages under way. done is
// called exactly once, from any goroutine, with what Order would have returned.
// Calls from one goroutine are ordered in the order of the calls.
type AsyncOrderer interface {
	OrderAsync(msg *protoutil.Message, configSeq uint64, done func(error))
}

// ConsenterSupport is what a chain sees of its channel.
type ConsenterSupport interface {
	protoutil.Signer
	msgprocessor.Processor

	// ChannelID is the channel's name.
	ChannelID() string
	// Sequence is the current configuration's sequence number.
	Sequence() uint64
	// SharedConfig is the current orderer configuration, ChannelConfig the
	// current channel-level one.
	SharedConfig() channelconfig.Orderer
	ChannelConfig() channelconfig.Channel

	// BlockCutter is the channel's block cutter.
	BlockCutter() blockcutter.Receiver
	// CreateNextBlock makes the block after the last one written.
	CreateNextBlock(messages []*protoutil.Message) *cb.Block
	// WriteBlock signs and stores a block with the consenter's metadata value.
	// It may return before the block is durable; writes happen in order.
	WriteBlock(block *cb.Block, consenterMetadata []byte)
	// WriteConfigBlock applies the configuration (or creates the channel) that
	// the block carries, then does as WriteBlock, and returns when the block is
	// durable. On the block that changes the consensus type the metadata is
	// replaced by none (spec 2.1).
	WriteConfigBlock(block *cb.Block, consenterMetadata []byte)

	// Height is the number of blocks written.
	Height() uint64
	// Block returns a block, or nil if there is none of that number.
	Block(number uint64) *cb.Block
	// Append stores a block from another orderer as it is.
	Append(block *cb.Block) error
	// VerifyBlockSignature evaluates the block-validation policy of config, or
	// of the current configuration where config is nil.
	VerifyBlockSignature(signatures []*protoutil.SignedData, config *cb.ConfigEnvelope) error
}
