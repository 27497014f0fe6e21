package etcdraft

import (
	"errors"
	"fmt"

	"go.etcd.io/etcd/raft/v3/raftpb"
)

// errWrongRecipient is returned for a message to another Raft ID: this node's
// idea of who it is, is out of date (spec 4.7).
var errWrongRecipient = errors.New("message is for another Raft ID")

// parseMessage decodes the payload of a consensus request from the consenter
// sender. Only the messages that Raft nodes send each other pass; the others
// could make the library do what only its owner may ask for.
func parseMessage(payload []byte, sender, self uint64) (raftpb.Message, error) {
	var m raftpb.Message
	if err := m.Unmarshal(payload); err != nil {
		return m, fmt.Errorf("failed to unmarshal StepRequest payload to Raft Message: %w", err)
	}
	if m.To != self {
		return m, errWrongRecipient
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
	for i, e := range m.Entries {
		if e.Index != m.Index+1+uint64(i) {
			return m, fmt.Errorf("node %d sent Raft entries that do not follow each other", sender)
		}
	}
	return m, nil
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
