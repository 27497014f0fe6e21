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
//
// # How a chain starts
//
//	no log, height 1                  new channel: a Raft group of the consenters, IDs 1..n
//	no log, last block's metadata     migration: the same, on a ledger of any height
//	empty and height above 1
//	no log otherwise                  joining: the leader sends log or snapshot
//	a log                             restart from the newest snapshot and the log after it
//
// "No log" includes one whose very first write did not end: nothing was promised.
//
// # What survives a crash
//
// A received snapshot is recorded in the log, then written to its file, then
// the hard state that commits it is written and synced, then old segments are
// released: at each point in between, what is on disk can be loaded. An own
// snapshot is taken only once the ledger has its block on disk, so that a node
// without companions can go on from it. The ledger may lag behind the log; the
// blocks that are missing are applied again, and those that are there are
// skipped by index (raft_index of the last block) and by number. A block whose
// hash is not that of the ledger's, or which does not follow the ledger's last
// one, stops the chain with a fatal error: the log belongs to another history,
// which is what a ledger restored from a backup beside a log that was not looks
// like.
//
// # What a client's success means
//
// As in Fabric: the leader has the message (spec 4.6), which leaders of ours say,
// while to one of Fabric's it is only on the stream. Messages that a leader
// accepted and has not put into the log when it loses the leadership go to its
// successor; what was in the memory of a leader that dies is lost.
package etcdraft
