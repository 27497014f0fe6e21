package etcdraft

import (
	"context"
	"time"

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

// transfer is a leader's attempt to hand over before a configuration that
// removes it or replaces its certificate is ordered by the next leader.
type transfer struct {
	config   submission
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
	c.transfer = &transfer{config: s}
	c.leadership.transferring = true
	c.tryTransfer()
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
// put into the log to its successor. What is in the log may be kept.
func (c *Chain) stepDown() {
	c.metrics.isLeader.Set(0)
	for _, s := range c.submissionsOf(c.support.BlockCutter().Cut()) {
		c.forwardLater(s)
	}
	c.setBatchTimer(false)
	if t := c.transfer; t != nil {
		c.endTransfer()
		c.forwardLater(t.config)
	}
}

// forwardLater submits a message again once there is a leader, for as long as
// an election may take. Its client was told that it was accepted, so this tries
// harder than it would have to; it gives up with the chain's end.
func (c *Chain) forwardLater(s submission) {
	c.loops.Add(1)
	c.drained.pending.Add(1)
	go func() {
		defer c.loops.Done()
		defer c.drained.left()
		if err := c.submitPatiently(s); err != nil {
			c.log.Warnf("A message accepted as the leader is lost: no leader took it over: %s", err)
		}
	}()
}

// submitPatiently submits a message until there is a leader that takes it, for
// as long as elections may take, on a busy machine too if the ticks are quick.
func (c *Chain) submitPatiently(s submission) error {
	ctx, cancel := context.WithTimeout(c.ctx, max(4*c.node.electionTimeout, minElectionPatience))
	defer cancel()
	for {
		select {
		case <-c.led.opened():
		case <-ctx.Done():
			return errNoLeader
		}
		err := c.trySubmit(s)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryInterval): // the leader may be another one soon, or the way to it be open again
		}
	}
}
