package etcdraft

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/raft/v3"
)

const (
	// drainPatience limits how long an orderly stop tries to lose nothing.
	drainPatience = 10 * time.Second
	// drainInterval is how often the state of an orderly stop is looked at.
	drainInterval = 5 * time.Millisecond
	// settleTime is how long after a change of the leader a node goes on to take
	// messages and to vote: a node that the next leader has not reached yet, as one
	// of them has just started, still sends them here, on streams not seen before.
	settleTime = 300 * time.Millisecond
	// quietTime without a transaction means that none is on the way any more,
	// on streams that the nodes at their other ends do not close.
	quietTime = 300 * time.Millisecond
	// handOverInterval is how long a follower that was asked to take over may take
	// to do so, before another one is asked.
	handOverInterval = 500 * time.Millisecond
	// busyTime is how long the run loop may be busy before an orderly stop
	// looks at what it can see without it.
	busyTime = 100 * time.Millisecond
)

// drained is what an orderly stop has to know: clients were told SUCCESS as soon
// as the leader had their message or it was on the stream to the leader (spec
// 4.6), so that a node which stops may hold, or have on the way to it, messages
// that nobody would send again.
type drained struct {
	once  sync.Once
	begun chan struct{} // closed when this node's clients are refused
	// sealed is closed when nothing more is taken from nodes that keep what they
	// send until it is; they have another leader to send it to, or none.
	sealed chan struct{}
	steps  chan func() // run by the run loop
	// pending counts the messages on their way into the run loop or, accepted
	// earlier, to the leader.
	pending atomic.Int64
	// lastArrival and changed are times in Unix nanoseconds: of the last
	// transaction from another node, of the last change of the leader, and of the
	// beginning of the stop; 0 is never.
	lastArrival, changed, beganAt atomic.Int64

	sealing sync.Once
	removed atomic.Bool // this node is no member any more and gets no blocks
	// asked is the follower that was last asked to take over.
	asked atomic.Uint64
}

func newDrained() drained {
	return drained{begun: make(chan struct{}), sealed: make(chan struct{}), steps: make(chan func())}
}

// enter counts a message of this node's client; leave has to be called when it
// was passed on. Once the stop has begun it is refused.
func (c *Chain) enter() (leave func(), err error) {
	c.drained.pending.Add(1)
	select {
	case <-c.drained.begun:
		c.drained.left()
		return nil, errStopped
	default:
		return c.drained.left, nil
	}
}

func (d *drained) seal() { d.sealing.Do(func() { close(d.sealed) }) }

func (d *drained) arrived() {
	d.pending.Add(1)
	d.lastArrival.Store(time.Now().UnixNano())
}

func (d *drained) left() { d.pending.Add(-1) }

// quietFor returns whether neither of the times is less than d ago.
func quietFor(d time.Duration, times ...*atomic.Int64) bool {
	for _, t := range times {
		if time.Since(time.Unix(0, t.Load())) < d {
			return false
		}
	}
	return true
}

// drain refuses this node's clients and gets rid of everything that was
// accepted: a leader puts what it holds into the log and hands the leadership
// over; what still comes from nodes that have not noticed goes to the next
// leader; what was sent there is waited for until it was read. It gives up at
// once where a majority cannot be reached.
func (c *Chain) drain() {
	c.drained.beganAt.Store(time.Now().UnixNano())
	close(c.drained.begun)
	ctx, cancel := context.WithTimeout(c.ctx, drainPatience)
	defer cancel()
	began := time.Now()
	var next time.Time // when to ask for a successor (again)
	sealed := false
	for c.drainUntilQuiet(ctx, &next) {
		switch {
		case c.rpc.Submitting():
			// While this is waited for this node may become the leader.
			if err := c.rpc.Flush(ctx); err != nil && c.running() == nil {
				c.log.Warnf("Stopping although the leader may not have read everything that was sent to it: %s", err)
				return
			}
		case c.unacknowledged() && c.majorityReachable() && !c.drained.removed.Load(): // their blocks are on the way
			pause(ctx)
		case !c.node.retire(c.lead.Load()): // the leader is another one since
			pause(ctx)
		case !sealed: // what was taken before has its turn
			sealed = true
			c.drained.seal()
		default:
			c.log.Infof("Ready to stop after %v", time.Since(began))
			return
		}
	}
	if c.running() == nil {
		c.log.Warnf("Stopping after %v although not everything accepted is with another leader", time.Since(began))
	}
}

func pause(ctx context.Context) {
	select {
	case <-time.After(drainInterval):
	case <-ctx.Done():
	}
}

// drainUntilQuiet returns when nothing is left to do, or false if ctx ends before.
func (c *Chain) drainUntilQuiet(ctx context.Context, next *time.Time) bool {
	for ctx.Err() == nil {
		if c.drainStep(ctx, next) {
			return true
		}
		pause(ctx)
	}
	return false
}

// drainStep does what is to be done next and returns true if nothing is. It
// looks from within the run loop, unless that is busy: with blocks of others,
// for example, which a leader never is.
func (c *Chain) drainStep(ctx context.Context, next *time.Time) (done bool) {
	result := make(chan bool, 1)
	busy := time.NewTimer(busyTime)
	defer busy.Stop()
	select {
	case c.drained.steps <- func() { result <- c.drainInLoop(next) }:
		return <-result
	case <-c.stopped:
		return true
	case <-ctx.Done():
		return false
	case <-busy.C:
		return c.lead.Load() != c.id && c.drainedAsFollower()
	}
}

func (c *Chain) drainInLoop(next *time.Time) (done bool) {
	c.succession.stopping = true
	bm, _ := c.membership()
	switch {
	case c.leaving && c.leadership.leads():
		c.log.Warn("Stopping: nobody could be found to hand the leadership over to before this node was removed")
		return true
	case c.leaving:
		return c.drainedAsFollower() && c.drained.pending.Load() == 0 && len(c.submissions) == 0
	case !c.leadership.leads():
		if c.logUnsettled() && c.majorityReachable() {
			return false
		}
		return c.drainedAsFollower()
	case len(bm.ConsenterIds) == 1:
		return c.drainedAlone()
	case !c.majorityReachable():
		c.log.Warn("Stopping as the leader: a majority of the consenters cannot be reached")
		return true
	case c.transfer != nil:
		return false // the leadership is being handed over for another reason
	}
	candidates := c.succession.candidates(c.rpc.Reachable())
	if len(candidates) == 0 { // those who are there stop as well, and wait for this
		if c.leadership.transferring {
			c.log.Info("Stopping: nobody is left to hand the leadership over to")
			c.leadership.transferring = false
			c.node.keepLeadership()
		}
		return c.drainedAlone() && c.nothingArrives()
	}
	c.handOver(candidates, next)
	return false
}

// logUnsettled reports whether this follower holds entries that are of use to
// others, or blocks of its own, of which it is not known yet whether the leader
// has them: its voice may be needed to decide that.
func (c *Chain) logUnsettled() bool {
	return len(c.orphans.blocks) > 0 || !c.leadership.leaderless() && c.appliedTerm < c.leadership.term
}

// drainedAlone reports whether a leader that nobody follows has written everything.
func (c *Chain) drainedAlone() bool {
	if c.drained.pending.Load() > 0 || len(c.submissions) > 0 || !c.leadership.serving {
		return false
	}
	if c.batchTimerOn {
		c.cutPending()
	}
	return c.leadership.inflight == 0
}

// handOver proposes what this leader holds and asks one of the candidates to
// take over. Raft lets it only when it has the whole log. Messages that come
// meanwhile wait.
func (c *Chain) handOver(candidates []uint64, next *time.Time) {
	asked := c.drained.asked.Load()
	if asked != raft.None && slices.Contains(candidates, asked) && time.Now().Before(*next) {
		return
	}
	c.drained.asked.Store(raft.None)
	*next = time.Now().Add(handOverInterval)
	if c.leadership.serving {
		c.cutPending()
	}
	c.leadership.transferring = true
	c.node.transferLeadership(candidates, func(to uint64, err error) {
		if err != nil {
			c.log.Debugf("Cannot hand over the leadership: %s", err)
			return
		}
		c.drained.asked.Store(to)
		c.log.Infof("Stopping: handing the leadership over to %d", to)
	})
}

// drainedAsFollower reports whether everything is on a stream to the leader and
// nothing is to be expected from others.
func (c *Chain) drainedAsFollower() bool {
	d := &c.drained
	if d.pending.Load() > 0 || len(c.submissions) > 0 {
		return !c.majorityReachable()
	}
	if c.lead.Load() == raft.None && !d.removed.Load() {
		// Others may hold messages, and need this node to have a leader.
		return !c.majorityReachable() || quietFor(2*c.node.electionTimeout, &d.changed, &d.beganAt)
	}
	return quietFor(quietTime, &d.lastArrival, &d.changed) || c.lead.Load() != raft.None && c.nothingArrives()
}

// nothingArrives reports whether no other node has a stream open on which it
// sent transactions, and none is about to open one.
func (c *Chain) nothingArrives() bool {
	d := &c.drained
	return quietFor(quietTime, &d.lastArrival, &d.changed) || c.rpc.Submitters() == 0 && quietFor(settleTime, &d.changed)
}

func (c *Chain) majorityReachable() bool {
	bm, _ := c.membership()
	return len(c.rpc.Reachable())+1 > len(bm.ConsenterIds)/2
}
