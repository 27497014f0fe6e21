package multichannel

import (
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// blockWriter completes and stores the blocks of one channel. Its methods are
// called by the chain's goroutine only; one block at a time is signed and
// stored in the background, so that the chain can make the next one meanwhile.
// The lag is one block and no more: a Raft snapshot may be taken once the
// write of its block was begun, and it holds that block but none before it.
type blockWriter struct {
	support *ChainSupport
	// storing is held while a block is being stored; it guards failed.
	storing chan struct{}
	failed  bool // nothing is stored after a failure

	last          *cb.Block // the block before the next one
	lastConfig    uint64    // number of the last config block
	lastConfigSeq uint64    // config sequence that lastConfig brought
}

func newBlockWriter(c *ChainSupport, last *cb.Block) (*blockWriter, error) {
	w := &blockWriter{support: c, storing: make(chan struct{}, 1), last: last, lastConfigSeq: c.Sequence()}
	if last.Header.Number > 0 { // a genesis block is its own last config
		index, err := protoutil.LastConfigIndex(last)
		if err != nil {
			return nil, fmt.Errorf("last block of channel %s: %w", c.ChannelID(), err)
		}
		w.lastConfig = index
	}
	return w, nil
}

func (w *blockWriter) createNextBlock(messages []*protoutil.Message) *cb.Block {
	return protoutil.NewBlockOf(w.last.Header.Number+1, protoutil.BlockHeaderHash(w.last.Header), messages)
}

func (w *blockWriter) writeBlock(block *cb.Block, consenterMetadata []byte) {
	w.storing <- struct{}{}
	lastConfig := w.advance(block)
	go func() {
		defer func() { <-w.storing }()
		w.store(block, lastConfig, consenterMetadata)
	}()
}

// advance makes block the last one and returns the number of the last config
// block as of it: a block whose write brings a new config sequence is its own.
func (w *blockWriter) advance(block *cb.Block) uint64 {
	w.last = block
	if seq := w.support.Sequence(); seq > w.lastConfigSeq {
		w.lastConfig, w.lastConfigSeq = block.Header.Number, seq
	}
	return w.lastConfig
}

// flush returns when no block is being stored.
func (w *blockWriter) flush() {
	w.storing <- struct{}{}
	<-w.storing
}

func (w *blockWriter) append(block *cb.Block) error {
	w.flush()
	if err := w.support.resources.ledger.Append(block); err != nil {
		return err
	}
	w.last = block
	return nil
}

// writeConfigBlock first lets the configuration take effect: a reader who
// sees the block is judged by the rules that the block brings (spec 1.6).
func (w *blockWriter) writeConfigBlock(block *cb.Block, consenterMetadata []byte) {
	w.storing <- struct{}{} // the block before is stored under the configuration before
	defer func() { <-w.storing }()
	if w.failed {
		return
	}
	keep, err := w.applyConfig(block)
	if err != nil {
		w.failed = true
		w.support.registrar.fail("[channel: %s] Told to write a config block [%d], but %w", w.support.ChannelID(), block.Header.Number, err)
		return
	}
	if !keep {
		consenterMetadata = nil
	}
	w.store(block, w.advance(block), consenterMetadata)
}

// applyConfig puts the configuration of a config block into force, or makes
// the channel that it creates. keepMetadata is false on the block that changes
// the consensus type (spec 2.1).
func (w *blockWriter) applyConfig(block *cb.Block) (keepMetadata bool, err error) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return false, fmt.Errorf("could not get configtx: %w", err)
	}
	payload, err := protoutil.EnvelopePayload(env)
	if err != nil {
		return false, fmt.Errorf("configtx payload is invalid: %w", err)
	}
	h, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil {
		return false, fmt.Errorf("channel header is invalid: %w", err)
	}
	switch cb.HeaderType(h.Type) {
	case cb.HeaderType_ORDERER_TRANSACTION:
		created, err := protoutil.ParseMessage(payload.Data)
		if err != nil {
			return false, fmt.Errorf("it did not have config update embedded: %w", err)
		}
		if err := w.support.registrar.newChannel(created); err != nil {
			return false, fmt.Errorf("could not create the new channel: %w", err)
		}
		return true, nil
	case cb.HeaderType_CONFIG:
		return w.applyNewConfig(env)
	}
	return false, fmt.Errorf("its header type is unknown: %s", cb.HeaderType(h.Type))
}

func (w *blockWriter) applyNewConfig(env *cb.Envelope) (keepMetadata bool, err error) {
	c, err := protoutil.ConfigEnvelope(env)
	if err != nil {
		return false, fmt.Errorf("it did not have config envelope encoded: %w", err)
	}
	current := w.support.Resources()
	if err := current.ConfigtxValidator().Validate(c); err != nil {
		return false, fmt.Errorf("could not apply it: %w", err)
	}
	var next channelconfig.Resources
	if next, err = w.support.registrar.options.Processing.NewBundle(w.support.ChannelID(), c.Config); err != nil {
		return false, fmt.Errorf("could not convert it to a bundle: %w", err)
	}
	o, ok := next.OrdererConfig()
	if !ok {
		return false, fmt.Errorf("OrdererConfig missing from bundle")
	}
	from, to := w.support.SharedConfig().ConsensusType(), o.ConsensusType()
	if from != to {
		w.support.registrar.options.Logger.Debugf("[channel: %s] Consensus-type migration: maintenance mode, change from %s to %s, setting metadata to nil",
			w.support.ChannelID(), from, to)
	}
	w.support.resources.config.Store(&next)
	if on := w.support.registrar.options.OnConfig; on != nil {
		on(w.support.ChannelID(), next)
	}
	return from == to, nil
}

// store completes a block's metadata and appends it. The caller holds storing.
func (w *blockWriter) store(block *cb.Block, lastConfig uint64, consenterMetadata []byte) {
	if w.failed {
		return
	}
	channelID := w.support.ChannelID()
	if err := sign(w.support, block, lastConfig, consenterMetadata); err != nil {
		w.failed = true
		w.support.registrar.fail("[channel: %s] Could not sign block [%d]: %w", channelID, block.Header.Number, err)
		return
	}
	if err := w.support.resources.ledger.Append(block); err != nil {
		w.failed = true
		w.support.registrar.fail("[channel: %s] Could not append block: %w", channelID, err)
		return
	}
	w.support.registrar.options.Logger.Debugf("[channel: %s] Wrote block [%d]", channelID, block.Header.Number)
}

// sign writes the LAST_CONFIG and SIGNATURES slots of a block. Slot ORDERER has
// the consenter metadata once more, as Fabric 1.4 writes it: 1.4 looks for it
// nowhere else, and would take a ledger without it for one that has just left
// Kafka, or read the topic from its beginning (spec 7.7, A.2). 2.x does not look
// there.
func sign(signer protoutil.Signer, block *cb.Block, lastConfig uint64, consenterMetadata []byte) error {
	index := &cb.LastConfig{Index: lastConfig}
	protoutil.SetMetadata(block, cb.BlockMetadataIndex_LAST_CONFIG,
		protoutil.MustMarshal(&cb.Metadata{Value: protoutil.MustMarshal(index)}))

	sh, err := protoutil.NewSignatureHeader(signer)
	if err != nil {
		return err
	}
	signature := &cb.MetadataSignature{SignatureHeader: protoutil.MustMarshal(sh)}
	consenter := protoutil.MustMarshal(&cb.Metadata{Value: consenterMetadata})
	protoutil.SetMetadata(block, cb.BlockMetadataIndex_ORDERER, consenter)
	value := protoutil.MustMarshal(&cb.OrdererBlockMetadata{LastConfig: index, ConsenterMetadata: consenter})
	header := protoutil.BlockHeaderBytes(block.Header)
	signed := make([]byte, 0, len(value)+len(signature.SignatureHeader)+len(header))
	signed = append(append(append(signed, value...), signature.SignatureHeader...), header...)
	if signature.Signature, err = signer.Sign(signed); err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	protoutil.SetMetadata(block, cb.BlockMetadataIndex_SIGNATURES,
		protoutil.MustMarshal(&cb.Metadata{Value: value, Signatures: []*cb.MetadataSignature{signature}}))
	return nil
}
