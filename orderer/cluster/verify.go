package cluster

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// SignatureVerifier evaluates the block-validation policy of config over the
// signatures of a block; where config is nil, that of the configuration that the
// caller trusts. consensus.ConsenterSupport's VerifyBlockSignature is one.
type SignatureVerifier func(signatures []*protoutil.SignedData, config *cb.ConfigEnvelope) error

// VerifyBlocks checks consecutive blocks of one channel that came from another
// orderer (spec 5.5): hashes and links of all, form of the transactions,
// signatures of each config block against the configuration before it, and of
// the last block.
func VerifyBlocks(blocks []*cb.Block, verify SignatureVerifier) error {
	if len(blocks) == 0 {
		return errors.New("buffer is empty")
	}
	for i, block := range blocks {
		if err := verifyHashes(blocks, i); err != nil {
			return err
		}
		if err := verifyTransactions(block); err != nil {
			return fmt.Errorf("block has malformed transactions: %w", err)
		}
	}
	var config *cb.ConfigEnvelope
	for i, block := range blocks {
		next, err := configOf(block)
		if err != nil {
			return err
		}
		genesis := block.Header.Number == 0 // signed by nobody; its hash is what is trusted
		if (next != nil || i == len(blocks)-1) && !genesis {
			if err := verifySignature(block, config, verify); err != nil {
				return err
			}
		}
		if next != nil {
			config = next
		}
	}
	return nil
}

func verifySignature(block *cb.Block, config *cb.ConfigEnvelope, verify SignatureVerifier) error {
	signatures, err := protoutil.BlockAsSignedData(block)
	if err != nil {
		return fmt.Errorf("block [%d]: %w", block.Header.Number, err)
	}
	if err := verify(signatures, config); err != nil {
		return fmt.Errorf("signatures of block [%d]: %w", block.Header.Number, err)
	}
	return nil
}

// verifyHashes checks the data hash of blocks[i] and that it follows blocks[i-1].
func verifyHashes(blocks []*cb.Block, i int) error {
	block := blocks[i]
	if block.GetHeader() == nil || block.Data == nil {
		return fmt.Errorf("missing block header or data in block %d of the buffer", i)
	}
	number := block.Header.Number
	if computed := protoutil.BlockDataHash(block.Data); !bytes.Equal(computed, block.Header.DataHash) {
		return fmt.Errorf("computed hash of block (%d) (%s) doesn't match claimed hash (%s)",
			number, hex.EncodeToString(computed), hex.EncodeToString(block.Header.DataHash))
	}
	if i == 0 {
		return nil
	}
	prev := blocks[i-1]
	if number != prev.Header.Number+1 {
		return fmt.Errorf("sequences %d and %d were received consecutively", prev.Header.Number, number)
	}
	if hash := protoutil.BlockHeaderHash(prev.Header); !bytes.Equal(hash, block.Header.PreviousHash) {
		return fmt.Errorf("block [%d]'s hash (%s) mismatches block [%d]'s prev block hash (%s)",
			prev.Header.Number, hex.EncodeToString(hash), number, hex.EncodeToString(block.Header.PreviousHash))
	}
	return nil
}

// verifyTransactions checks that every transaction is an envelope with payload
// and signature in its canonical encoding, as peers demand. Config blocks and
// block 0 are exempt.
func verifyTransactions(block *cb.Block) error {
	if block.Header.Number == 0 || protoutil.IsConfigBlock(block) {
		return nil
	}
	for i, raw := range block.Data.Data {
		msg, err := protoutil.ParseMessage(raw)
		if err != nil {
			return fmt.Errorf("transaction %d is invalid: %w", i, err)
		}
		if len(msg.Payload) == 0 {
			return fmt.Errorf("transaction %d has no payload", i)
		}
		if len(msg.Signature) == 0 {
			return fmt.Errorf("transaction %d has no signature", i)
		}
		if !bytes.Equal(msg.Bytes(), raw) {
			return fmt.Errorf("transaction %d has %d trailing bytes", i, len(raw)-len(msg.Bytes()))
		}
	}
	return nil
}

// configOf returns the configuration that a block of type CONFIG carries, or nil.
func configOf(block *cb.Block) (*cb.ConfigEnvelope, error) {
	if !protoutil.IsConfigBlock(block) {
		return nil, nil
	}
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return nil, err
	}
	h, err := protoutil.ChannelHeader(env)
	if err != nil {
		return nil, err
	}
	if h.Type != int32(cb.HeaderType_CONFIG) {
		return nil, nil
	}
	return protoutil.ConfigEnvelope(env)
}
