package etcdraft

import (
	"bytes"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"go.etcd.io/etcd/raft/v3/raftpb"

	"raftmig/orderer/protoutil"
)

// applySnapshot brings the ledger up to a snapshot, received or found at start.
func (c *Chain) applySnapshot(sn *raftpb.Snapshot) {
	if sn.Metadata.Index <= c.appliedIndex {
		c.log.Debugf("Skip snapshot taken at index %d, because it is behind current applied index %d", sn.Metadata.Index, c.appliedIndex)
		return
	}
	block, err := protoutil.UnmarshalBlock(sn.Data)
	if err != nil {
		c.fail(fmt.Errorf("failed to recover from snapshot taken at Term %d and Index %d: %w", sn.Metadata.Term, sn.Metadata.Index, err))
		return
	}
	c.confState = sn.Metadata.ConfState
	c.appliedIndex, c.appliedTerm = sn.Metadata.Index, sn.Metadata.Term
	c.snapshots.lastBlock, c.snapshots.due = block.Header.Number, nil
	c.catchUpTo(block, sn)
	c.resubmitLost(sn.Metadata.Term)
	bm, _ := c.membership()
	if c.leadership.confChange != nil && unfinishedConfChange(bm.ConsenterIds, c.confState.Voters) == nil {
		c.leadership.awaitConfChange(nil) // it is in the snapshot
		c.configureComm()
	}
}

// catchUpTo writes the blocks up to and including target: the block of a
// snapshot, or (sn is nil) a config block that others have. While it waits for
// blocks no messages are taken.
func (c *Chain) catchUpTo(target *cb.Block, sn *raftpb.Snapshot) {
	last, number := c.lastBlock.Header.Number, target.Header.Number
	switch plan := planCatchUp(last, number); {
	case plan == catchUpNothing:
		c.log.Debugf("Snapshot is at block [%d], local block number is %d, no sync needed", number, last)
	case plan == catchUpTakeBlock && sn != nil:
		c.log.Infof("The only missing block [%d] is encapsulated in snapshot, committing it to shortcut catchup process", number)
		if err := c.writeSnapshotBlock(target, sn.Metadata.Index); err != nil {
			c.fail(fmt.Errorf("failed to recover from snapshot taken at Term %d and Index %d: %w", sn.Metadata.Term, sn.Metadata.Index, err))
		}
	default:
		c.ready.shut()
		c.log.Infof("Catching up with snapshot taken at block [%d], starting from block [%d]", number, last+1)
		if err := c.pullUpTo(number); err != nil {
			if c.ctx.Err() != nil {
				c.failed = true // the chain is stopping; a restart goes on from here
				return
			}
			c.fail(fmt.Errorf("failed to catch up to block [%d]: %w", number, err))
			return
		}
		c.log.Infof("Finished syncing with cluster up to and including block [%d]", number)
	}
	c.haltIfRemoved()
}

func (c *Chain) pullUpTo(target uint64) error {
	puller, err := c.opts.NewPuller(c.support)
	if err != nil {
		return fmt.Errorf("failed to create block puller: %w", err)
	}
	defer puller.Close()
	for c.lastBlock.Header.Number < target {
		next := c.lastBlock.Header.Number + 1
		block, err := puller.PullBlock(c.ctx, next)
		if err != nil {
			return fmt.Errorf("failed to fetch block [%d] from cluster: %w", next, err)
		}
		if !bytes.Equal(block.Header.PreviousHash, protoutil.BlockHeaderHash(c.lastBlock.Header)) {
			return fmt.Errorf("block [%d] of another orderer does not follow this ledger's block [%d]", next, next-1)
		}
		if err := c.writePulledBlock(block); err != nil {
			return err
		}
	}
	return nil
}

// writeSnapshotBlock writes a block taken out of a snapshot, which is as the
// leader proposed it.
func (c *Chain) writeSnapshotBlock(block *cb.Block, index uint64) error {
	for len(block.Metadata.Metadata) < protoutil.MetadataSlots {
		block.Metadata.Metadata = append(block.Metadata.Metadata, []byte{})
	}
	return c.writeSynced(block, nil, index)
}

// writePulledBlock writes a block of another orderer, keeping the consenter
// metadata that it carries.
func (c *Chain) writePulledBlock(block *cb.Block) error {
	md, err := protoutil.ConsenterMetadata(block)
	if err != nil {
		return err
	}
	bm, _ := c.membership()
	return c.writeSynced(block, md.Value, bm.RaftIndex)
}

// writeSynced writes a block outside of the order of entries. The metadata is
// that of the block, or made up from index if it has none.
func (c *Chain) writeSynced(block *cb.Block, metadata []byte, index uint64) error {
	c.orphans.applied(block)
	config := protoutil.IsConfigBlock(block)
	if !config {
		if len(metadata) == 0 {
			metadata = c.blockMetadata(index)
		} else {
			c.adoptMetadata(metadata)
		}
		c.support.WriteBlock(block, metadata)
		c.lastBlock = block
		c.written(block)
		return nil
	}
	changes, err := c.changesBy(block)
	if err != nil {
		return err
	}
	if changes != nil {
		c.setMembership(changes.BlockMetadata, changes.Consenters)
	}
	switch {
	case len(metadata) > 0:
		c.adoptMetadata(metadata)
	case changes != nil:
		metadata = protoutil.MustMarshal(changes.BlockMetadata)
	default:
		metadata = c.blockMetadata(index)
	}
	c.support.WriteConfigBlock(block, metadata)
	c.lastBlock = block
	c.written(block)
	if changes == nil {
		return nil
	}
	if changes.Changed() {
		c.log.Infof("Config block [%d] changes consenter set, communication should be reconfigured", block.Header.Number)
	}
	c.metrics.clusterSize.Set(float64(len(changes.Consenters)))
	c.configureComm()
	return nil
}

// adoptMetadata takes over the Raft IDs and index that a block of another
// orderer carries, if they fit the consenters in force.
func (c *Chain) adoptMetadata(metadata []byte) {
	bm := &etcdraft.BlockMetadata{}
	if err := proto.Unmarshal(metadata, bm); err != nil {
		return
	}
	have, consenters := c.membership()
	if len(bm.ConsenterIds) != len(have.ConsenterIds) {
		return
	}
	for i, id := range bm.ConsenterIds {
		if have.ConsenterIds[i] != id {
			c.log.Warnf("A block of another orderer says that the consenter IDs are %v, here they are %v", bm.ConsenterIds, have.ConsenterIds)
			return
		}
	}
	c.setMembership(bm, consenters)
}

// haltIfRemoved stops the chain if the blocks that were caught up removed this
// node; it may have been added again under another ID.
func (c *Chain) haltIfRemoved() {
	if _, consenters := c.membership(); consenters[c.id] == nil && !c.failed {
		c.log.Warnf("Node %d is no consenter any more as of block [%d]", c.id, c.lastBlock.Header.Number)
		c.failed = true
		go c.haltEvicted()
	}
}
