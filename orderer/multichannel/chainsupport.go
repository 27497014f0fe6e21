package multichannel

import (
	"errors"
	"fmt"
	"sync/atomic"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

// ChainSupport is one channel: ledger, configuration, processor and chain.
type ChainSupport struct {
	protoutil.Signer
	msgprocessor.Processor

	registrar *Registrar
	resources *resources
	cutter    blockcutter.Receiver
	writer    *blockWriter
	chain     consensus.Chain
	metadata  consensus.MetadataValidator // nil if the consenter checks none
	status    consensus.StatusReporter    // nil if the consensus type knows no clusters
	started   atomic.Bool
	halted    atomic.Bool
}

var (
	_ consensus.ConsenterSupport        = (*ChainSupport)(nil)
	_ msgprocessor.SystemChannelSupport = (*ChainSupport)(nil)
)

// newChainSupport makes a channel with an application channel's processor.
// The chain is not started.
func (r *Registrar) newChainSupport(res *resources) (*ChainSupport, error) {
	last, err := res.ledger.BlockByNumber(res.ledger.Height() - 1)
	if err != nil {
		return nil, fmt.Errorf("error reading last block of channel: %s: %w", res.channelID, err)
	}
	metadata, err := protoutil.ConsenterMetadata(last.Block)
	if err != nil {
		return nil, fmt.Errorf("error extracting orderer metadata for channel: %s: %w", res.channelID, err)
	}
	c := &ChainSupport{Signer: r.options.Signer, registrar: r, resources: res}
	c.cutter = blockcutter.New(func() *ab.BatchSize { return c.SharedConfig().BatchSize() },
		blockcutter.WithMetrics(r.options.CutterMetrics, res.channelID, r.options.Processing.Now))
	c.Processor = msgprocessor.NewStandardChannel(c, r.options.Processing)
	if c.writer, err = newBlockWriter(c, last.Block); err != nil {
		return nil, err
	}
	consensusType := c.SharedConfig().ConsensusType()
	consenter, ok := r.consenters[consensusType]
	if !ok {
		return nil, fmt.Errorf("error retrieving consenter of type: %s", consensusType)
	}
	if r.options.OnConfig != nil {
		r.options.OnConfig(res.channelID, res.current())
	}
	if c.chain, err = consenter.HandleChain(c, metadata); err != nil {
		return nil, fmt.Errorf("error creating consenter for channel: %s: %w", res.channelID, err)
	}
	c.metadata, _ = c.chain.(consensus.MetadataValidator)
	c.status, _ = c.chain.(consensus.StatusReporter)
	r.metrics.report(res.channelID, c)
	return c, nil
}

func (c *ChainSupport) start() {
	c.started.Store(true)
	c.chain.Start()
}

// halt stops the chain and waits for the block that is being written.
func (c *ChainSupport) halt() {
	if c.started.Load() && !c.halted.Swap(true) { // a chain may wait in Halt for its start to be over
		c.chain.Halt()
	}
	if c.writer != nil { // not while the system channel waits for a restart
		c.writer.flush()
	}
}

// StatusReport says what this node is to the channel; consensus types without
// clusters are always active (spec 9).
func (c *ChainSupport) StatusReport() (types.ConsensusRelation, types.Status) {
	if c.status == nil {
		return types.ConsensusRelationOther, types.StatusActive
	}
	return c.status.StatusReport()
}

// Chain is the channel's chain.
func (c *ChainSupport) Chain() consensus.Chain { return c.chain }

// Reader reads the channel's ledger.
func (c *ChainSupport) Reader() blockledger.Reader { return c.resources.ledger }

// Resources returns the configuration in force.
func (c *ChainSupport) Resources() channelconfig.Resources { return c.resources.current() }

// ChannelID implements consensus.ConsenterSupport.
func (c *ChainSupport) ChannelID() string { return c.resources.channelID }

// Sequence implements consensus.ConsenterSupport.
func (c *ChainSupport) Sequence() uint64 { return c.Resources().ConfigtxValidator().Sequence() }

// SharedConfig implements consensus.ConsenterSupport. No configuration
// without Orderer group comes into force, so there is always one.
func (c *ChainSupport) SharedConfig() channelconfig.Orderer {
	o, _ := c.Resources().OrdererConfig()
	return o
}

// ChannelConfig implements consensus.ConsenterSupport.
func (c *ChainSupport) ChannelConfig() channelconfig.Channel { return c.Resources().ChannelConfig() }

// BlockCutter implements consensus.ConsenterSupport.
func (c *ChainSupport) BlockCutter() blockcutter.Receiver { return c.cutter }

// CreateNextBlock implements consensus.ConsenterSupport.
func (c *ChainSupport) CreateNextBlock(messages []*protoutil.Message) *cb.Block {
	return c.writer.createNextBlock(messages)
}

// WriteBlock implements consensus.ConsenterSupport.
func (c *ChainSupport) WriteBlock(block *cb.Block, consenterMetadata []byte) {
	c.writer.writeBlock(block, consenterMetadata)
}

// WriteConfigBlock implements consensus.ConsenterSupport.
func (c *ChainSupport) WriteConfigBlock(block *cb.Block, consenterMetadata []byte) {
	c.writer.writeConfigBlock(block, consenterMetadata)
}

// Height implements consensus.ConsenterSupport.
func (c *ChainSupport) Height() uint64 { return c.resources.ledger.Height() }

// Block implements consensus.ConsenterSupport.
func (c *ChainSupport) Block(number uint64) *cb.Block {
	e, err := c.resources.ledger.BlockByNumber(number)
	if err != nil {
		if !errors.Is(err, blockledger.ErrNotFound) {
			c.registrar.options.Logger.Errorf("[channel: %s] Could not read block [%d]: %s", c.ChannelID(), number, err)
		}
		return nil
	}
	return e.Block
}

// Append implements consensus.ConsenterSupport.
func (c *ChainSupport) Append(block *cb.Block) error { return c.writer.append(block) }

// VerifyBlockSignature implements consensus.ConsenterSupport.
func (c *ChainSupport) VerifyBlockSignature(signatures []*protoutil.SignedData, config *cb.ConfigEnvelope) error {
	view := c.Resources()
	if config != nil {
		bundle, err := c.registrar.options.Processing.NewBundle(c.ChannelID(), config.Config)
		if err != nil {
			return fmt.Errorf("the configuration given is not valid: %w", err)
		}
		view = bundle
	}
	policy, ok := view.PolicyManager().GetPolicy(policies.BlockValidation)
	if !ok {
		return fmt.Errorf("policy %s wasn't found", policies.BlockValidation)
	}
	if err := policy.EvaluateSignedData(signatures); err != nil {
		return fmt.Errorf("block verification failed: %w", err)
	}
	return nil
}

// ProposeConfigUpdate implements msgprocessor.ChannelSupport (spec 1.2, step 3).
func (c *ChainSupport) ProposeConfigUpdate(update *cb.Envelope) (*cb.ConfigEnvelope, error) {
	current := c.Resources()
	next, err := current.ConfigtxValidator().ProposeConfigUpdate(update)
	if err != nil {
		return nil, err
	}
	bundle, err := c.registrar.options.Processing.NewBundle(c.ChannelID(), next.Config)
	if err != nil {
		return nil, err
	}
	if err := check(bundle); err != nil {
		return nil, fmt.Errorf("config update is not compatible: %w", err)
	}
	if err := current.ValidateNew(bundle); err != nil {
		return nil, err
	}
	oldOrderer, _ := current.OrdererConfig()
	newOrderer, _ := bundle.OrdererConfig() // check has seen it
	if err := c.ValidateConsensusMetadata(oldOrderer, newOrderer, false); err != nil {
		return nil, fmt.Errorf("consensus metadata update for channel config update is invalid: %w", err)
	}
	return next, nil
}

// ValidateConsensusMetadata implements msgprocessor.ChannelCreationSupport;
// consenters that check nothing accept everything.
func (c *ChainSupport) ValidateConsensusMetadata(oldConfig, newConfig channelconfig.Orderer, newChannel bool) error {
	if c.metadata == nil {
		return nil
	}
	return c.metadata.ValidateConsensusMetadata(oldConfig, newConfig, newChannel)
}

// ChannelsCount implements msgprocessor.ChannelCreationSupport.
func (c *ChainSupport) ChannelsCount() int { return c.registrar.ChannelsCount() }
