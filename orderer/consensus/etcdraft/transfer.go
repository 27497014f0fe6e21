package etcdraft

import (
	"time"

	"go.etcd.io/etcd/raft/v3/raftpb"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// maxTransferAttempts is how often a leader tries to hand over before it gives
// up on a configuration that concerns itself (spec 4.6).
const maxTransferAttempts = 5

// retryInterval is how often an accepted message is offered to a leader that
// cannot be reached.
const retryInterval = 20 * time.Millisecond

// minElectionPatience is how long an accepted message waits for a leader at least.
const minElectionPatience = 10 * time.Second

// transfer is a leader's attempt to hand over before the next leader orders a
// configuration that removes it or replaces its certificate, or before the next
// leader has Raft apply its removal, which an earlier one ordered.
type transfer struct {
	config   submission // without a message in the second case
	removal  *raftpb.ConfChange
	attempts int
}

// concernsThisLeader reports whether a configuration message removes this node
// from the consenters or rotates its certificate.
func (c *Chain) concernsThisLeader(msg *protoutil.Message) bool {
	md, err := raftmetadata.FromConfigEnvelope(msg.Envelope)
	if err != nil || md == nil {
		return false
	}
	bm, consenters := c.membership()
	changes, err := raftmetadata.MembershipChanges(bm, consenters, md.Consenters)
	if err != nil {
		return false
	}
	switch c.id {
	case changes.RotatedID:
		c.log.Info("Detected certificate rotation of our node")
		return true
	case changes.RemovedID:
		c.log.Info("Detected eviction of ourselves from the configuration")
		return true
	default:
		return false
	}
}

// beginTransfer pauses everything and hands the leadership over. A leader
// without followers orders the configuration itself.
func (c *Chain) beginTransfer(s submission) {
	if bm, _ := c.membership(); len(bm.ConsenterIds) == 1 {
		c.cutPending()
		c.propose([]*protoutil.Message{s.msg}, true)
		return
	}
	c.handOverFirst(&transfer{config: s})
}

func (c *Chain) handOverFirst(t *transfer) {
	c.transfer = t
	c.leadership.transferring = true
	c.tryTransfer()
}

// proposeMembers proposes a change of members. A leader that it removes hands over
// first: once it is removed, nobody tells it who leads, and to whom to pass on what
// it has accepted.
func (c *Chain) proposeMembers(cc *raftpb.ConfChange) {
	if cc.Type == raftpb.ConfChangeRemoveNode && cc.NodeID == c.id && len(c.confState.Voters) > 1 {
		c.handOverFirst(&transfer{removal: cc})
		return
	}
	c.node.proposeConfChange(*cc)
}

// tryTransfer is called at the begin and each time an attempt has timed out.
func (c *Chain) tryTransfer() {
	t := c.transfer
	if t == nil {
		return
	}
	if t.attempts == maxTransferAttempts {
		c.log.Warnf("Abdication failed too many times consecutively (%d), aborting retries", maxTransferAttempts)
		c.metrics.proposalFailures.Add(1)
		c.endTransfer()
		if t.removal != nil {
			c.node.proposeConfChange(*t.removal)
			return
		}
		if c.acks != nil {
			c.acks.refused(digestOf(t.config.msg, true), errNobodyTookOver)
		}
		c.cutPending() // the batch timer may have passed meanwhile
		return
	}
	t.attempts++
	c.transferTimer.Reset(c.node.electionTimeout)
	c.node.transferLeadership(nil, func(to uint64, err error) {
		if err != nil {
			c.log.Warnf("Cannot transfer leadership: %s", err)
			return
		}
		c.log.Infof("Transferring leadership to %d", to)
	})
}

func (c *Chain) endTransfer() {
	c.transfer = nil
	c.leadership.transferring = false
	c.transferTimer.Stop()
}

// stepDown gives everything that this node accepted as the leader and did not
// put into the log to its successor. What is in the log may be kept. A
// configuration that concerns this node comes last, because this node may have
// nobody to send to once it is in force.
func (c *Chain) stepDown() {
	c.metrics.isLeader.Set(0)
	var before []<-chan struct{}
	for _, s := range c.submissionsOf(c.support.BlockCutter().Cut()) {
		before = append(before, c.forwardLater(s))
	}
	c.setBatchTimer(false)
	t := c.transfer
	if t == nil {
		return
	}
	c.endTransfer()
	for len(c.submissions) > 0 {
		if s := <-c.submissions; s.msg == nil {
			close(s.settled)
		} else {
			before = append(before, c.forwardLater(s))
		}
	}
	if t.config.msg != nil {
		c.forwardLater(t.config, before...)
	}
}

// forwardLater submits a message again once there is a leader, for as long as
// an election may take, after others were. Its client was told that it was
// accepted, so this tries harder than it would have to; it gives up with the
// chain's end. The channel that it returns is closed when it has.
func (c *Chain) forwardLater(s submission, after ...<-chan struct{}) <-chan struct{} {
	if c.handOn != nil {
		return c.handOn(s, after...)
	}
	c.loops.Add(1)
	c.drained.pending.Add(1)
	done := make(chan struct{})
	go func() {
		defer c.loops.Done()
		defer c.drained.left()
		defer close(done)
		for _, other := range after {
			<-other
		}
		if err := c.submitPatiently(s); err != nil {
			c.log.Warnf("A message accepted as the leader is lost: no leader took it over: %s", err)
		}
	}()
	return done
}
