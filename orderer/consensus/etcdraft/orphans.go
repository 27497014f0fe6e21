package etcdraft

import (
	"maps"
	"slices"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// orphans are the blocks that this node proposed as a leader and that were not
// applied when it lost the leadership. Whether Raft keeps them is up to its
// successors: what is kept of a term is applied before the first entry of a
// later term, which every leader appends. What is left then will never be
// applied, and its messages, which clients were told are accepted, can be
// submitted again without being ordered twice. Pure.
type orphans struct {
	term   uint64 // the latest in which one was proposed
	blocks map[uint64]orphan
}

type orphan struct {
	hash     string
	messages []submission
}

// adopt takes the unapplied blocks of a leader of term.
func (o *orphans) adopt(term uint64, made []madeBlock) {
	if len(made) == 0 {
		return
	}
	o.term = term
	if o.blocks == nil {
		o.blocks = map[uint64]orphan{}
	}
	for _, m := range made {
		o.blocks[m.block.Header.Number] = orphan{hash: headerHash(m.block), messages: m.messages}
	}
}

// applied notes a block that was written.
func (o *orphans) applied(block *cb.Block) {
	if len(o.blocks) == 0 {
		return
	}
	if known, ok := o.blocks[block.Header.Number]; ok && known.hash == headerHash(block) {
		delete(o.blocks, block.Header.Number)
	}
}

// take removes a block that is known not to have got into the log, and returns
// its messages; none if it is not among the orphans any more.
func (o *orphans) take(term, number uint64) []submission {
	lost, ok := o.blocks[number]
	if !ok || term != o.term {
		return nil
	}
	delete(o.blocks, number)
	return lost.messages
}

// reachedTerm is called for each entry before it is applied, with its term. It
// returns the messages of the blocks that are now known to be lost.
func (o *orphans) reachedTerm(term uint64) []submission {
	if len(o.blocks) == 0 || term <= o.term {
		return nil
	}
	var lost []submission
	for _, number := range slices.Sorted(maps.Keys(o.blocks)) {
		lost = append(lost, o.blocks[number].messages...)
	}
	o.blocks = nil
	return lost
}

func headerHash(block *cb.Block) string { return string(protoutil.BlockHeaderHash(block.Header)) }
