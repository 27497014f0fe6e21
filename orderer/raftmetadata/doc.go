// Package raftmetadata decides everything that follows from the etcdraft
// metadata of a channel configuration and of a block: whether a consenter set
// is acceptable (spec 4.2), what a change of it means for the Raft group
// (spec 4.4), which Raft IDs a migrated channel starts with (spec 2.3) and who
// of its nodes campaigns first (spec A.4). It is pure: the time is an argument.
//
// Two metadata exist side by side. ConfigMetadata (consenters and options) is
// part of the configuration. BlockMetadata (Raft IDs and index) is written into
// every block by the consenter; consenter_ids[i] belongs to consenters[i] of the
// configuration in force at that block.
package raftmetadata
