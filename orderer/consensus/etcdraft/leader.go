package etcdraft

import (
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
)

// leadership is what the run loop knows about who leads and whether messages
// may be taken (spec 4.6). Pure: events in, decisions out.
type leadership struct {
	self        uint64
	maxInflight int

	softState
	// serving is set while this node leads and everything that was in the log
	// before it was elected has been applied.
	serving bool
	// inflight are the blocks proposed in this term and not yet applied.
	inflight int
	// configInflight: one of them is a configuration block.
	configInflight bool
	// confChange is the change of members that a written configuration block
	// asks for, until Raft has applied it.
	confChange *raftpb.ConfChange
	// confProposed is the term in which this node proposed it as the leader.
	confProposed uint64
	// transferring: this node is about to give up the leadership.
	transferring bool
}

// softChange says what follows from a change of leader or role.
type softChange struct {
	from, to                       uint64
	leaderChanged                  bool
	becameLeader, becameFollower   bool
	nowAvailable, nowUnavailable   bool
	leaderlessInTooSmallForFailure bool
}

func isCandidate(s raft.StateType) bool {
	return s == raft.StatePreCandidate || s == raft.StateCandidate
}

// observe takes a new soft state. clusterSize is the number of consenters: in
// a cluster of one or two, losing the leader does not make the channel
// unavailable to readers, or growing from one to two would (spec 4.9).
func (l *leadership) observe(next softState, clusterSize int) softChange {
	prev := l.softState
	l.softState = next
	ch := softChange{from: prev.lead, to: next.lead, leaderChanged: prev.lead != next.lead}
	ledBefore, leads := prev.lead == l.self, next.lead == l.self
	if leads && (!ledBefore || prev.term != next.term) {
		ch.becameLeader = true
		l.serving, l.inflight, l.configInflight, l.transferring = false, 0, false, false
	}
	if ledBefore && !leads {
		ch.becameFollower = true
		l.serving, l.inflight, l.configInflight, l.transferring = false, 0, false, false
	}
	if !l.leaderless() {
		ch.nowAvailable = prev.lead == raft.None || isCandidate(prev.role)
		return ch
	}
	if clusterSize > 2 {
		ch.nowUnavailable = true
	} else {
		ch.leaderlessInTooSmallForFailure = true
	}
	return ch
}

// leaderless reports whether there is nobody to send messages to.
func (l *leadership) leaderless() bool { return l.lead == raft.None || isCandidate(l.role) }

// leads reports whether this node is the leader.
func (l *leadership) leads() bool { return l.lead == l.self && !isCandidate(l.role) }

// accepting reports whether messages may be taken now. Where there is no
// leader they are, in order to be refused.
func (l *leadership) accepting() bool {
	if l.leaderless() {
		return true
	}
	if l.confChange != nil || l.transferring {
		return false
	}
	return !l.leads() || l.serving && !l.configInflight && l.inflight < l.maxInflight
}

// proposed counts a block that this leader proposes.
func (l *leadership) proposed(config bool) {
	l.inflight++
	l.configInflight = l.configInflight || config
}

// committed counts a block that was applied.
func (l *leadership) committed(config bool) {
	if l.inflight > 0 {
		l.inflight--
	}
	if config {
		l.configInflight = false
	}
}

// dropped counts a block that was proposed and did not get into the log.
func (l *leadership) dropped(config bool) { l.committed(config) }

// reachedTerm is called after entries were applied, with the term of the last
// one. It returns true at the moment when this leader may begin to serve: the
// first entry of its own term, which follows all others, has been applied, and
// no change of members is under way.
func (l *leadership) reachedTerm(term uint64) bool {
	if !l.leads() || l.serving || term < l.term || l.confChange != nil {
		return false
	}
	l.serving = true
	return true
}

// awaitConfChange notes that a written configuration block asks for a change of
// members; nothing is taken until Raft has applied it.
func (l *leadership) awaitConfChange(cc *raftpb.ConfChange) { l.confChange, l.confProposed = cc, 0 }

// confChangeDue returns the change of members to propose now, if any. A leader
// proposes it once per term, and not before the entries of earlier terms are
// applied: Raft would replace it by an empty entry, as one of those might be
// a change of members too. appliedTerm is that of the last entry applied.
func (l *leadership) confChangeDue(appliedTerm uint64) *raftpb.ConfChange {
	if l.confChange == nil || !l.leads() || appliedTerm < l.term || l.confProposed == l.term {
		return nil
	}
	l.confProposed = l.term
	return l.confChange
}

// confChangeApplied is told of each change of members that Raft has applied,
// and returns whether it is the one that was waited for.
func (l *leadership) confChangeApplied(cc raftpb.ConfChange) bool {
	if l.confChange == nil || l.confChange.NodeID != cc.NodeID || l.confChange.Type != cc.Type {
		return false
	}
	l.awaitConfChange(nil)
	return true
}

// unfinishedConfChange returns the change of members that a committed
// configuration block asked for and Raft has not applied, or nil; a new leader
// proposes it again (spec 4.6).
func unfinishedConfChange(consenterIDs, voters []uint64) *raftpb.ConfChange {
	if missing, ok := firstNotIn(consenterIDs, voters); ok && len(voters) < len(consenterIDs) {
		return &raftpb.ConfChange{Type: raftpb.ConfChangeAddNode, NodeID: missing}
	}
	if extra, ok := firstNotIn(voters, consenterIDs); ok && len(voters) > len(consenterIDs) {
		return &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode, NodeID: extra}
	}
	return nil
}

func firstNotIn(ids, set []uint64) (uint64, bool) {
	in := make(map[uint64]bool, len(set))
	for _, id := range set {
		in[id] = true
	}
	for _, id := range ids {
		if !in[id] {
			return id, true
		}
	}
	return 0, false
}
