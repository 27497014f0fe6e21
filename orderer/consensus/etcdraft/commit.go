package etcdraft

import (
	"errors"
	"time"

	"raftmig/orderer/cluster"
)

const (
	// expireInterval is how often it is looked for messages whose time is up.
	expireInterval = 50 * time.Millisecond
	// handOnTime is how long a message may take from a former leader to the next.
	handOnTime = time.Second
)

// untilCommit submits a message of this node's client and calls done when it is
// in a block, or with an error when it is in none after the time that an election
// and a batch may take. submit is called before this returns, unless that fails.
func (c *Chain) untilCommit(s submission, config bool, submit func(submitted func(error)), done func(error)) {
	key := digestOf(s.msg, config)
	w := &unacknowledged{term: c.term.Load(), deadline: time.Now().Add(c.commitPatience()), answer: done}
	if err := c.acks.await(key, w, c.stopped); err != nil {
		done(err)
		return
	}
	submit(func(err error) {
		if err != nil && !errors.Is(err, cluster.ErrUncertain) {
			c.acks.cancel(key, w, err)
		}
	})
}

// commitPatience is how long a message may wait for its block.
func (c *Chain) commitPatience() time.Duration {
	return max(4*c.node.electionTimeout, minElectionPatience) + c.opts.RPCTimeout + 2*c.support.SharedConfig().BatchTimeout()
}

// hurryAcks is called when the first entry of a new term is about to be applied:
// all that its predecessors left in the log has been.
func (c *Chain) hurryAcks(term uint64) {
	if c.acks != nil && term > c.appliedTerm {
		c.acks.hurry(term, time.Now().Add(c.support.SharedConfig().BatchTimeout()+handOnTime))
	}
}

// expireAcks answers messages whose time is up until the chain stops.
func (c *Chain) expireAcks() {
	defer c.acks.stop()
	ticker := time.NewTicker(expireInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if c.acks.count() > 0 {
				c.acks.expire(time.Now(), c.term.Load())
			}
		case <-c.stopped:
			return
		}
	}
}

// unacknowledged reports whether clients wait for the commit of their messages.
func (c *Chain) unacknowledged() bool { return c.acks != nil && c.acks.count() > 0 }
