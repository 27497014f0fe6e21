package etcdraft

import (
	"bytes"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// apply takes what Raft has decided.
func (c *Chain) apply(a applied) {
	if a.dropped != nil {
		c.takeBack(a.dropped)
		return
	}
	if a.snapshot != nil && !c.leaving {
		c.applySnapshot(a.snapshot)
	}
	if a.soft != nil {
		c.applySoftState(*a.soft)
	}
	for i := range a.entries {
		if c.failed || c.leaving {
			return
		}
		e := &a.entries[i]
		c.resubmitLost(e.Term)
		c.hurryAcks(e.Term)
		if e.Type == raftpb.EntryConfChange {
			c.applyConfChange(e, a.confStates[e.Index])
		} else if len(e.Data) > 0 {
			c.snapshots.count(e.Data)
			c.applyBlock(e)
		}
		if e.Index > c.appliedIndex {
			c.appliedIndex = e.Index
		}
		c.appliedTerm = e.Term
	}
	if c.failed || c.leaving {
		return
	}
	if cc := c.leadership.confChangeDue(c.appliedTerm); cc != nil {
		c.proposeMembers(cc)
	}
	if c.leadership.reachedTerm(c.appliedTerm) {
		c.creator, c.made = newBlockCreator(c.lastBlock), nil
		c.log.Infof("Start accepting requests as Raft leader at block [%d]", c.lastBlock.Header.Number)
	}
	c.maybeSnapshot()
}

// resubmitLost submits again what blocks held that Raft is known to have
// dropped now that an entry of term is applied.
func (c *Chain) resubmitLost(term uint64) {
	lost := c.orphans.reachedTerm(term)
	if len(lost) == 0 {
		return
	}
	c.log.Infof("%d messages in blocks of an earlier leadership did not make it into the log, submitting them again", len(lost))
	for _, s := range lost {
		c.forwardLater(s)
	}
}

func (c *Chain) applySoftState(soft softState) {
	bm, _ := c.membership()
	size := len(bm.ConsenterIds)
	term := c.leadership.term
	change := c.leadership.observe(soft, size)
	c.term.Store(soft.term)
	if c.leadership.leaderless() {
		c.lead.Store(raft.None)
	} else {
		c.rpc.SubmitOnlyTo(soft.lead)
		c.lead.Store(soft.lead)
	}
	c.led.set(!c.leadership.leaderless())
	c.succession.observe(soft.lead)
	if change.leaderChanged {
		c.log.Infof("Raft leader changed: %d -> %d", change.from, change.to)
		c.metrics.leaderChanges.Add(1)
		c.drained.changed.Store(time.Now().UnixNano())
	}
	switch {
	case change.nowAvailable:
		c.fault.open()
	case change.nowUnavailable:
		c.fault.shut()
	case change.leaderlessInTooSmallForFailure:
		c.log.Warnf("No leader is present, cluster size is %d", size)
	}
	if change.becameFollower || change.becameLeader {
		c.orphans.adopt(term, c.made)
		c.creator, c.made = nil, nil
		c.settling.release()
	}
	if change.becameFollower {
		c.stepDown()
	}
	if change.becameLeader {
		c.becomeLeader()
	}
}

func (c *Chain) becomeLeader() {
	c.metrics.isLeader.Set(1)
	if c.leadership.confChange != nil || !protoutil.IsConfigBlock(c.lastBlock) || len(c.confState.Voters) == 0 {
		return
	}
	bm, _ := c.membership()
	if cc := unfinishedConfChange(bm.ConsenterIds, c.confState.Voters); cc != nil {
		c.log.Infof("Config change of node %d is not finished, going on with it", cc.NodeID)
		c.leadership.awaitConfChange(cc)
	}
}

// applyConfChange takes a change of members that Raft has applied already.
func (c *Chain) applyConfChange(e *raftpb.Entry, members raftpb.ConfState) {
	var cc raftpb.ConfChange
	if err := cc.Unmarshal(e.Data); err != nil {
		return // the raft loop has said so
	}
	c.confState = members
	switch cc.Type {
	case raftpb.ConfChangeAddNode:
		c.log.Infof("Applied config change to add node %d, current nodes in channel: %+v", cc.NodeID, members.Voters)
	case raftpb.ConfChangeRemoveNode:
		c.log.Infof("Applied config change to remove node %d, current nodes in channel: %+v", cc.NodeID, members.Voters)
	}
	if c.leadership.confChangeApplied(cc) {
		bm, _ := c.membership()
		c.metrics.clusterSize.Set(float64(len(bm.ConsenterIds)))
		if cc.Type != raftpb.ConfChangeRemoveNode || cc.NodeID != c.id {
			c.configureComm()
		}
	}
	if cc.Type == raftpb.ConfChangeRemoveNode && cc.NodeID == c.id {
		c.log.Info("This node is being removed from replica set")
		c.leaving = true // nothing after this entry concerns this node
		go c.haltRemoved()
	}
}

// applyBlock writes a committed block unless the ledger has it.
func (c *Chain) applyBlock(e *raftpb.Entry) {
	if e.Index <= c.appliedIndex {
		c.log.Debugf("Received block with raft index (%d) <= applied index (%d), skip", e.Index, c.appliedIndex)
		return
	}
	block, err := c.decodeBlock(e.Data)
	if err != nil {
		c.fail(fmt.Errorf("entry %d of the Raft log is not a block: %w", e.Index, err))
		return
	}
	number, last := block.Header.Number, c.lastBlock.Header.Number
	switch judgeBlock(number, last) {
	case blockGap:
		c.fail(fmt.Errorf("got block [%d] from Raft, expect block [%d]: blocks are missing in the ledger", number, last+1))
		return
	case blockSkip:
		if !c.isInLedger(block) {
			c.fail(foreignHistory(c.channel, number, c.walDir))
			return
		}
		c.log.Infof("Got block [%d], expect block [%d], this node was forced to catch up", number, last+1)
		return
	}
	if !bytes.Equal(block.Header.PreviousHash, protoutil.BlockHeaderHash(c.lastBlock.Header)) {
		c.fail(foreignHistory(c.channel, number, c.walDir))
		return
	}
	config := protoutil.IsConfigBlock(block)
	c.leadership.committed(config)
	c.orphans.applied(block)
	c.log.Infof("Writing block [%d] (Raft index: %d) to ledger", number, e.Index)
	if config {
		err = c.writeConfigBlock(block, e.Index)
	} else {
		c.support.WriteBlock(block, c.blockMetadata(e.Index))
	}
	if err != nil {
		c.fail(fmt.Errorf("writing config block [%d]: %w", number, err))
		return
	}
	c.lastBlock = block
	c.written(block)
	c.metrics.committedBlockNumber.Set(float64(number))
	c.snapshots.written(e.Index, number, c.confState, e.Data)
}

// written tells those who wait for a block that was given to the ledger.
func (c *Chain) written(block *cb.Block) {
	c.settling.written(block.Header.Number)
	if c.acks != nil {
		c.acks.committed(block)
	}
}

// decodeBlock returns the block of an entry; what this leader encoded itself
// it need not decode.
func (c *Chain) decodeBlock(data []byte) (*cb.Block, error) {
	if len(c.made) > 0 && sameSlice(c.made[0].data, data) {
		block := c.made[0].block
		c.made = c.made[1:]
		return block, nil
	}
	block, err := protoutil.UnmarshalBlock(data)
	if err != nil {
		return nil, err
	}
	for len(block.Metadata.Metadata) < protoutil.MetadataSlots {
		block.Metadata.Metadata = append(block.Metadata.Metadata, []byte{})
	}
	return block, nil
}

func sameSlice(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

func (c *Chain) isInLedger(block *cb.Block) bool {
	have := c.support.Block(block.Header.Number)
	return have != nil && bytes.Equal(protoutil.BlockHeaderHash(have.Header), protoutil.BlockHeaderHash(block.Header))
}

// blockMetadata advances the Raft index and returns the metadata for a block.
func (c *Chain) blockMetadata(index uint64) []byte {
	bm, consenters := c.membership()
	next := proto.Clone(bm).(*etcdraft.BlockMetadata)
	next.RaftIndex = index
	c.setMembership(next, consenters)
	return protoutil.MustMarshal(next)
}

// writeConfigBlock writes a configuration block and begins what it changes. A
// block that sets the ConsensusType value carries the index of the block before
// it; every other carries its own (spec 4.7).
func (c *Chain) writeConfigBlock(block *cb.Block, index uint64) error {
	changes, err := c.changesBy(block)
	if err != nil {
		return err
	}
	if changes == nil {
		c.support.WriteConfigBlock(block, c.blockMetadata(index))
		return nil
	}
	c.setMembership(changes.BlockMetadata, changes.Consenters)
	c.support.WriteConfigBlock(block, protoutil.MustMarshal(changes.BlockMetadata))
	cc := confChangeOf(changes)
	if cc == nil {
		c.configureComm()
		return nil
	}
	if cc.Type == raftpb.ConfChangeAddNode {
		c.log.Infof("Config block just committed adds node %d, pause accepting transactions till config change is applied", cc.NodeID)
	} else {
		c.log.Infof("Config block just committed removes node %d, pause accepting transactions till config change is applied", cc.NodeID)
	}
	c.leadership.awaitConfChange(cc)
	return nil
}

// changesBy returns what a configuration block means for the members, or nil
// if it does not set the ConsensusType value of this channel.
func (c *Chain) changesBy(block *cb.Block) (*raftmetadata.Changes, error) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return nil, err
	}
	md, err := raftmetadata.FromConfigEnvelope(env)
	if err != nil || md == nil {
		return nil, err
	}
	if size := md.GetOptions().GetSnapshotIntervalSize(); size != 0 && size != c.snapshots.interval {
		c.log.Infof("Update snapshot interval size to %d bytes (was %d)", size, c.snapshots.interval)
		c.snapshots.interval = size
	}
	bm, consenters := c.membership()
	changes, err := raftmetadata.MembershipChanges(bm, consenters, md.Consenters)
	if err != nil {
		return nil, fmt.Errorf("illegal configuration change detected: %w", err)
	}
	if changes.RotatedID != raft.None {
		c.log.Infof("Config block [%d] rotates TLS certificate of node %d", block.Header.Number, changes.RotatedID)
	}
	return changes, nil
}

func (c *Chain) maybeSnapshot() {
	due := c.snapshots.take(c.support.Height())
	if due == nil {
		return
	}
	c.log.Infof("Accumulated %d bytes since last snapshot, exceeding size limit (%d bytes), "+
		"taking snapshot at block [%d] (index: %d), current nodes: %+v",
		due.accumulated, c.snapshots.interval, due.block, due.index, due.members.Voters)
	c.metrics.snapshotBlock.Set(float64(due.block))
	c.node.takeSnapshot(due.index, due.members, due.data)
}
