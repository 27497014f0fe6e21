package etcdraft

import (
	"errors"
	"fmt"
	"math"

	"go.etcd.io/etcd/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/orderer/protoutil"
)

// errWrongRecipient is returned for a message to a later Raft ID: this node was
// removed and added again, and has not heard of it (spec 4.7). IDs only grow: one
// who sends to an earlier ID is itself behind, or makes it up.
var errWrongRecipient = errors.New("message is for another Raft ID")

// parseMessage decodes the payload of a consensus request from the consenter
// sender. Only the messages that Raft nodes send each other pass; the others
// could make the library do what only its owner may ask for.
func parseMessage(payload []byte, sender, self uint64) (raftpb.Message, error) {
	var m raftpb.Message
	if err := m.Unmarshal(payload); err != nil {
		return m, fmt.Errorf("failed to unmarshal StepRequest payload to Raft Message: %w", err)
	}
	if m.From != sender {
		return m, fmt.Errorf("node %d sent a Raft message in the name of node %d", sender, m.From)
	}
	switch m.Type {
	case raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp,
		raftpb.MsgSnap, raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgTimeoutNow:
	default:
		return m, fmt.Errorf("node %d sent a Raft message of type %s, which nodes do not send", sender, m.Type)
	}
	if m.Term == 0 {
		return m, fmt.Errorf("node %d sent a Raft message without a term", sender)
	}
	if m.To > self {
		return m, errWrongRecipient
	}
	if m.To < self {
		return m, fmt.Errorf("node %d sent a Raft message to node %d, which this is not", sender, m.To)
	}
	if err := checkEntries(m); err != nil {
		return m, fmt.Errorf("node %d sent %w", sender, err)
	}
	if m.Type == raftpb.MsgSnap {
		if err := checkSnapshot(m.Snapshot); err != nil {
			return m, fmt.Errorf("node %d sent %w", sender, err)
		}
	}
	return m, nil
}

// Numbers of fields in raft.proto.
const (
	messageEntries = 7 // Message.entries
	entryType      = 1
	entryTerm      = 2
	entryIndex     = 3
	entryData      = 4
)

// encodeMessage encodes a message in parts; the entries' data, which are
// blocks, are not copied. Entries come behind the other fields.
func encodeMessage(m *raftpb.Message) ([][]byte, error) {
	rest := *m
	rest.Entries = nil
	head, err := rest.Marshal()
	if err != nil {
		return nil, err
	}
	parts := make([][]byte, 1, 1+2*len(m.Entries))
	parts[0] = head
	for i := range m.Entries {
		e := &m.Entries[i]
		var b []byte
		for _, field := range [...]struct {
			number protowire.Number
			value  uint64
		}{{entryType, uint64(e.Type)}, {entryTerm, e.Term}, {entryIndex, e.Index}} {
			b = protowire.AppendVarint(protowire.AppendTag(b, field.number, protowire.VarintType), field.value)
		}
		if e.Data != nil {
			b = protowire.AppendVarint(protowire.AppendTag(b, entryData, protowire.BytesType), uint64(len(e.Data)))
		}
		entry := protowire.AppendTag(nil, messageEntries, protowire.BytesType)
		entry = protowire.AppendVarint(entry, uint64(len(b)+len(e.Data)))
		parts = append(parts, append(entry, b...), e.Data)
	}
	return parts, nil
}

// checkEntries refuses what the library takes for granted.
func checkEntries(m raftpb.Message) error {
	if m.Type == raftpb.MsgApp && m.Index > 0 && m.LogTerm == 0 {
		return errors.New("Raft entries that follow nothing")
	}
	if m.Index == math.MaxUint64 || m.Type != raftpb.MsgApp && len(m.Entries) > 0 {
		return errors.New("a Raft message with entries out of place")
	}
	for i, e := range m.Entries {
		if e.Index != m.Index+1+uint64(i) || e.Term == 0 || e.Term > m.Term {
			return errors.New("Raft entries that do not follow each other")
		}
		if e.Type != raftpb.EntryNormal && e.Type != raftpb.EntryConfChange {
			return fmt.Errorf("a Raft entry of type %s, which no version of Fabric writes", e.Type)
		}
	}
	return nil
}

// checkSnapshot refuses a snapshot that could not be loaded again after it was
// stored: without voters or with other kinds of members, or without a block.
func checkSnapshot(sn raftpb.Snapshot) error {
	cs := sn.Metadata.ConfState
	if sn.Metadata.Index == 0 || sn.Metadata.Index == math.MaxUint64 || sn.Metadata.Term == 0 {
		return errors.New("a snapshot without index or term")
	}
	if len(cs.Voters) == 0 || len(cs.Learners)+len(cs.VotersOutgoing)+len(cs.LearnersNext) > 0 || cs.AutoLeave {
		return errors.New("a snapshot with members that no version of Fabric has")
	}
	seen := map[uint64]bool{0: true}
	for _, id := range cs.Voters {
		if seen[id] {
			return errors.New("a snapshot with invalid members")
		}
		seen[id] = true
	}
	if _, err := protoutil.UnmarshalBlock(sn.Data); err != nil {
		return fmt.Errorf("a snapshot without a block: %w", err)
	}
	return nil
}

// checkLog returns an error if stepping m would make the library find out that
// entries are missing which this node acknowledged: commit lies beyond the log.
func checkLog(m raftpb.Message, lastIndex uint64) error {
	if m.Type == raftpb.MsgHeartbeat && m.Commit > lastIndex {
		return fmt.Errorf("node %d says that this node acknowledged index %d, but its log ends at %d: the log was lost; "+
			"remove this node from the channel and add it again, or restart the leader to let it send everything", m.From, m.Commit, lastIndex)
	}
	return nil
}
