package etcdraft

import (
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// blockCreator chains the blocks that a leader makes, each to the one before
// it, whether that is committed yet or not. Pure.
type blockCreator struct {
	number uint64
	hash   []byte
}

func newBlockCreator(last *cb.Block) *blockCreator {
	return &blockCreator{number: last.Header.Number, hash: protoutil.BlockHeaderHash(last.Header)}
}

func (b *blockCreator) next(messages []*protoutil.Message) *cb.Block {
	block := protoutil.NewBlockOf(b.number+1, b.hash, messages)
	b.number, b.hash = block.Header.Number, protoutil.BlockHeaderHash(block.Header)
	return block
}
