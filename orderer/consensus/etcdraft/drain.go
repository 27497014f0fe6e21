package etcdraft

import (
	"context"
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
	// settleTime is how long after it gave up the leadership a node goes on to
	// take messages: a node that the next leader has not reached yet, as one of
	// them has just started, still sends them here, on streams not seen before.
	settleTime = 300 * time.Millisecond
	// quietTime without a transaction means that none is on the way any more,
	// on streams that the nodes at their other ends do not close.
	quietTime = 300 * time.Millisecond
	// handOverInterval is how often a stopping leader asks for a successor.
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
	steps chan func()   // run by the run loop
	// pending counts the messages on their way into the run loop or, accepted
	// earlier, to the leader.
	pending atomic.Int64
	// lastArrival and steppedDown are times in Unix nanoseconds: of the last
	// transaction from another node, and when the leadership was lost; 0 is never.
	lastArrival, steppedDown atomic.Int64
}

func newDrained() drained {
	return drained{begun: make(chan struct{}), steps: make(chan func())}
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
	close(c.drained.begun)
	ctx, cancel := context.WithTimeout(c.ctx, drainPatience)
	defer cancel()
	began := time.Now()
	ticker := time.NewTicker(drainInterval)
	defer ticker.Stop()
	var next time.Time // when to ask for a successor (again)
	for !c.drainStep(ctx, &next) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if c.running() == nil {
				c.log.Warnf("Stopping after %v although not everything accepted is with another leader", time.Since(began))
			}
			return
		}
	}
	if err := c.rpc.Flush(ctx); err != nil && c.running() == nil {
		c.log.Warnf("Stopping although the leader may not have read everything that was sent to it: %s", err)
	}
	c.log.Infof("Ready to stop after %v", time.Since(began))
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
	bm, _ := c.membership()
	switch {
	case !c.leadership.leads():
		if len(c.orphans.blocks) > 0 && c.majorityReachable() {
			return false // until it is known whether the next leader has them
		}
		return c.drainedAsFollower()
	case len(bm.ConsenterIds) == 1:
		return c.drainedAlone()
	case !c.majorityReachable():
		c.log.Warn("Stopping as the leader: a majority of the consenters cannot be reached")
		return true
	default:
		c.handOver(next)
		return false
	}
}

// drainedAlone reports whether the only consenter has written everything.
func (c *Chain) drainedAlone() bool {
	if c.drained.pending.Load() > 0 || len(c.submissions) > 0 {
		return false
	}
	if c.leadership.serving && c.batchTimerOn {
		c.cutPending()
	}
	return c.leadership.inflight == 0
}

// handOver proposes what this leader holds and asks a follower to take over.
// Raft lets it only when it has the whole log. Messages that come meanwhile wait.
func (c *Chain) handOver(next *time.Time) {
	if c.transfer != nil || time.Now().Before(*next) {
		return
	}
	*next = time.Now().Add(handOverInterval)
	if c.leadership.serving {
		c.cutPending()
	}
	c.leadership.transferring = true
	c.node.transferLeadership(func(to uint64, err error) {
		if err != nil {
			c.log.Warnf("Cannot hand over the leadership: %s", err)
			return
		}
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
	if c.lead.Load() == raft.None && !c.majorityReachable() {
		return true
	}
	if quietFor(quietTime, &d.lastArrival, &d.steppedDown) {
		return true
	}
	return c.lead.Load() != raft.None && c.rpc.Submitters() == 0 && quietFor(settleTime, &d.steppedDown)
}

func (c *Chain) majorityReachable() bool {
	bm, _ := c.membership()
	return c.rpc.Connected()+1 > len(bm.ConsenterIds)/2
}
