// Package etcdraft orders the messages of channels with Raft (spec 4): the
// consenter for consensus type "etcdraft".
//
// A Chain has two goroutines. The raft loop (node.go) owns the Raft state
// machine and its storage: it ticks, steps messages, makes entries durable,
// sends. The run loop (run.go) owns the channel: it turns submissions into
// blocks, proposes them, and writes to the ledger what was committed. What they
// exchange: proposals one way, committed entries, snapshots and leader changes
// the other way, over a queue, so that a run loop that fetches blocks for
// minutes does not silence the raft loop.
//
// What to do is decided in files without I/O: leader.go (may messages be taken,
// who serves), catchup.go (what a snapshot asks for), eviction.go (am I still a
// consenter), tracker.go (who is alive), and package raftmetadata (membership).
//
// On disk, one folder per channel below each:
//
//	Consensus.WALDir/<channel>    write-ahead log of etcd, %016x-%016x.wal (sequence-index)
//	Consensus.SnapDir/<channel>   snapshots of etcd, %016x-%016x.snap (term-index)
//
// The WAL's metadata record is empty. An entry of type normal holds a marshalled
// common.Block with header, data and five empty metadata slots, or nothing (a new
// leader's first entry). An entry of type configuration change holds a ConfChange
// (not V2) with an empty context. The data of a snapshot is the entry data of its
// last block; the preceding blocks come from other orderers (spec 4.8, C.2).
package etcdraft
