package etcdraft

import (
	"errors"
	"slices"

	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.etcd.io/etcd/raft/v3/tracker"
)

// maxTold is how many bytes of entries a node that is removed is sent at last.
const maxTold = 64 << 20

var (
	errStopped      = errors.New("chain is stopped")
	errNotLeader    = errors.New("this node does not lead")
	errNoTransferee = errors.New("no follower is qualified to take over the leadership")
	// errNobodyTookOver is why a configuration that concerns the leader is dropped.
	errNobodyTookOver = errors.New("the leadership could not be handed over, which the configuration needs")
	errStillAsLeader  = errors.New("leadership transfer timed out")
)

// send passes messages to the other nodes and tells Raft of failures.
func (n *node) send(messages []raftpb.Message) {
	for i := range messages {
		m := &messages[i]
		if m.To == raft.None {
			continue
		}
		if m.Type == raftpb.MsgSnap {
			// A node that was added after the snapshot was taken takes it only if
			// it finds itself among the members.
			m.Snapshot.Metadata.ConfState = n.confState
		}
		err := n.sendOne(m)
		if err != nil {
			n.rn.ReportUnreachable(m.To)
		}
		n.noteReachability(m.To, err)
		if m.Type == raftpb.MsgSnap {
			status := raft.SnapshotFinish
			if err != nil {
				status = raft.SnapshotFailure
			}
			n.rn.ReportSnapshot(m.To, status)
		}
	}
}

// tellRemoved has a leader tell a node that it is no member any more: it is sent
// the log up to the change of members e, and that this is committed. The library
// sends nothing to a node that is removed, which would then wait for the leader, with
// what it has accepted, until it suspects its eviction.
func (n *node) tellRemoved(e raftpb.Entry, cc raftpb.ConfChange) {
	st := n.rn.BasicStatus()
	if st.RaftState != raft.StateLeader || cc.Type != raftpb.ConfChangeRemoveNode || cc.NodeID == n.id {
		return
	}
	next := uint64(0) // the first entry that was not sent
	n.rn.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if id == cc.NodeID {
			next = min(pr.Next, e.Index+1)
		}
	})
	if next == 0 {
		return
	}
	m := raftpb.Message{Type: raftpb.MsgApp, To: cc.NodeID, From: n.id, Term: st.Term, Index: next - 1, Commit: e.Index}
	var err error
	if m.LogTerm, err = n.store.entries().Term(m.Index); err == nil && next <= e.Index {
		m.Entries, err = n.store.entries().Entries(next, e.Index+1, maxTold)
	}
	if err != nil { // it is too far behind, and needs a snapshot
		return
	}
	n.send([]raftpb.Message{m})
}

func (n *node) sendOne(m *raftpb.Message) error {
	payload, err := encodeMessage(m)
	if err != nil {
		return err
	}
	return n.rpc.SendConsensus(m.To, payload, n.gossip.attach(m.To))
}

func (n *node) noteReachability(dest uint64, err error) {
	switch known := n.unreachable[dest]; {
	case err != nil && known:
		n.log.Debugf("Failed to send StepRequest to %d, because: %s", dest, err)
	case err != nil:
		n.log.Errorf("Failed to send StepRequest to %d, because: %s", dest, err)
		n.unreachable[dest] = true
	case known:
		n.log.Infof("Successfully sent StepRequest to %d after failed attempt(s)", dest)
		delete(n.unreachable, dest)
	}
}

func (n *node) recentlyActive() []uint64 {
	var ids []uint64
	n.rn.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if id != n.id && pr.RecentActive {
			ids = append(ids, id)
		}
	})
	return ids
}

// receive queues a message from another node.
func (n *node) receive(m raftpb.Message) error {
	select {
	case n.messages <- m:
		return nil
	case <-n.done:
		return errStopped
	}
}

// propose queues a block. If it does not get into the log, the run loop gets it
// back as dropped.
func (n *node) propose(p *proposal) {
	select {
	case n.proposals <- p:
	case <-n.done:
	}
}

// request runs f in the raft loop, unless the node has stopped.
func (n *node) request(f func(*raft.RawNode)) {
	select {
	case n.requests <- f:
	case <-n.done:
	}
}

// proposeConfChange takes effect only on the leader. What Raft drops, as it does
// while a transfer of the leadership is under way, is proposed again as long as this
// node leads: the channel waits for it.
func (n *node) proposeConfChange(cc raftpb.ConfChange) {
	n.request(func(rn *raft.RawNode) {
		n.droppedChange, n.changeTerm = &cc, rn.BasicStatus().Term
		n.proposeDropped()
	})
}

// proposeDropped tries again.
func (n *node) proposeDropped() {
	if n.droppedChange == nil {
		return
	}
	if st := n.rn.BasicStatus(); st.RaftState != raft.StateLeader || st.Term != n.changeTerm {
		n.droppedChange = nil // the next leader sees to it
		return
	}
	if err := n.rn.ProposeConfChange(*n.droppedChange); err != nil {
		n.log.Debugf("Failed to propose configuration update to Raft node: %s", err)
		return
	}
	n.droppedChange = nil
}

// takeSnapshot is asynchronous; failing to write ends the node.
func (n *node) takeSnapshot(index uint64, cs raftpb.ConfState, data []byte) {
	n.request(func(*raft.RawNode) {
		if err := n.store.takeSnapshot(index, cs, data); err != nil {
			n.failure = err
		}
	})
}

// transferLeadership asks the most advanced active follower among those that are
// willing (nil: all) to take over, or another one if that was asked already and has
// not: what it was sent may be lost, and Raft would wait for an election timeout
// before it asks again. The answer says only whether that was asked.
func (n *node) transferLeadership(willing []uint64, answer func(to uint64, err error)) {
	n.request(func(rn *raft.RawNode) {
		n.drainProposals() // once the transfer has begun they would be refused
		st := rn.BasicStatus()
		if st.RaftState != raft.StateLeader {
			answer(raft.None, errNotLeader)
			return
		}
		var best, match uint64
		rn.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
			ready := pr.RecentActive && pr.State == tracker.StateReplicate && !n.unreachable[id] &&
				(willing == nil || slices.Contains(willing, id))
			if id != n.id && id != st.LeadTransferee && ready && (best == raft.None || pr.Match > match) {
				best, match = id, pr.Match
			}
		})
		if best == raft.None && st.LeadTransferee != raft.None {
			best = st.LeadTransferee // nobody else could
		}
		if best == raft.None {
			answer(raft.None, errNoTransferee)
			return
		}
		rn.TransferLeader(best)
		answer(best, nil)
	})
}

// retire has this node refuse to take over the leadership from now on. It returns
// false, and does nothing, if the leader is not who the caller thinks.
func (n *node) retire(lead uint64) bool {
	retired := make(chan bool, 1)
	n.request(func(rn *raft.RawNode) {
		n.retired = rn.BasicStatus().Lead == lead
		retired <- n.retired
	})
	select {
	case ok := <-retired:
		return ok
	case <-n.done:
		return true
	}
}

// keepLeadership ends an attempt to transfer the leadership, during which Raft
// takes no proposals.
func (n *node) keepLeadership() {
	n.request(func(rn *raft.RawNode) { rn.TransferLeader(n.id) })
}

// shutdown stops the loop and waits for its end.
func (n *node) shutdown() {
	n.stopOnce.Do(func() { close(n.stop) })
	<-n.done
}
