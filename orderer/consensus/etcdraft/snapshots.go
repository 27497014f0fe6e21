package etcdraft

import "go.etcd.io/etcd/raft/v3/raftpb"

// snapshotPolicy says when to take a snapshot (spec 4.8): once the entries
// since the last one make up the interval, at a block that the ledger has on
// disk. Pure.
type snapshotPolicy struct {
	// interval is SnapshotIntervalSize in bytes.
	interval uint32
	// accumulated are the bytes of entries since the last snapshot.
	accumulated uint64
	// lastBlock is the block of the last snapshot.
	lastBlock uint64
	// due is the snapshot to take as soon as the ledger has its block.
	due *snapshotRequest
}

// snapshotRequest describes a snapshot after a block.
type snapshotRequest struct {
	index, block uint64
	members      raftpb.ConfState
	data         []byte // of the block's entry
	accumulated  uint64
}

// count takes the size of an entry, also of one whose block the ledger had
// before: it is in the log all the same.
func (p *snapshotPolicy) count(data []byte) { p.accumulated += uint64(len(data)) }

// written takes the entry of a block that was given to the ledger. A snapshot
// that is due stays so: the ledger is always a block behind under load, and
// waiting for the newest one could last as long as the load.
func (p *snapshotPolicy) written(index, block uint64, members raftpb.ConfState, data []byte) {
	if p.due != nil || p.accumulated < uint64(p.interval) || block <= p.lastBlock {
		return
	}
	p.due = &snapshotRequest{index: index, block: block, members: members, data: data, accumulated: p.accumulated}
}

// take returns the snapshot to take now, if there is one and the ledger, of
// which height blocks are on disk, has its block.
func (p *snapshotPolicy) take(height uint64) *snapshotRequest {
	if p.due == nil || height <= p.due.block {
		return nil
	}
	due := p.due
	p.due, p.lastBlock = nil, due.block
	p.accumulated -= due.accumulated
	return due
}
