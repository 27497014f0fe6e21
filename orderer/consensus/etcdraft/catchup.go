package etcdraft

import "fmt"

// catchUpAction is what a snapshot asks of a ledger. Pure.
type catchUpAction int

const (
	// catchUpNothing: the ledger has the snapshot's block.
	catchUpNothing catchUpAction = iota
	// catchUpTakeBlock: the snapshot's block is the only one missing.
	catchUpTakeBlock
	// catchUpPull: earlier blocks are missing too; others have them.
	catchUpPull
)

// planCatchUp compares the last block of the ledger with that of a snapshot.
func planCatchUp(last, snapshotBlock uint64) catchUpAction {
	switch {
	case snapshotBlock <= last:
		return catchUpNothing
	case snapshotBlock == last+1:
		return catchUpTakeBlock
	default:
		return catchUpPull
	}
}

// blockFate is what to do with a block that Raft has committed. Pure.
type blockFate int

const (
	// blockWrite: it is the next one.
	blockWrite blockFate = iota
	// blockSkip: the ledger has it already.
	blockSkip
	// blockGap: blocks are missing before it.
	blockGap
)

// judgeBlock compares a committed block with the last one of the ledger.
func judgeBlock(number, last uint64) blockFate {
	switch {
	case number == last+1:
		return blockWrite
	case number <= last:
		return blockSkip
	default:
		return blockGap
	}
}

// foreignHistory is the error of a log whose blocks are not the ledger's: one
// of the two was restored or replaced without the other.
func foreignHistory(channel string, number uint64, walDir string) error {
	return fmt.Errorf("channel %s: block [%d] in the Raft log in %s does not belong to this ledger: one of them was replaced "+
		"without the other; after a ledger is restored from a backup, the channel's WAL and snapshot folders "+
		"of the time after it have to be removed on all nodes", channel, number, walDir)
}
