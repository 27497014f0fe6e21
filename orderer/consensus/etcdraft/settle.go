package etcdraft

import "context"

// settling are those who wait until blocks that this leader has proposed are
// written. Pure.
type settling struct{ waiters []settler }

type settler struct {
	block uint64
	done  chan struct{} // closed when the block is written, or another leads
}

// await has done closed when the block with the number given is written.
func (s *settling) await(block uint64, done chan struct{}) {
	s.waiters = append(s.waiters, settler{block: block, done: done})
}

// written is told of each block that was written.
func (s *settling) written(number uint64) {
	var left []settler
	for _, w := range s.waiters {
		if w.block <= number {
			close(w.done)
		} else {
			left = append(left, w)
		}
	}
	s.waiters = left
}

// release lets everybody go on.
func (s *settling) release() {
	for _, w := range s.waiters {
		close(w.done)
	}
	s.waiters = nil
}

// settle returns when all messages that were given to this chain before are in
// blocks, if it leads; what is pending is not kept waiting for more.
func (c *Chain) settle(ctx context.Context) {
	if c.running() != nil || c.lead.Load() != c.id {
		return
	}
	s := submission{settled: make(chan struct{})}
	select {
	case c.submissions <- s:
	case <-c.stopped:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-s.settled:
	case <-c.stopped:
	case <-ctx.Done():
	}
}

// settleNow takes such a request when everything before it has been taken.
func (c *Chain) settleNow(done chan struct{}) {
	if !c.leadership.leads() || !c.leadership.serving {
		close(done)
		return
	}
	if c.batchTimerOn {
		c.cutPending()
	}
	if len(c.made) == 0 {
		close(done)
		return
	}
	c.settling.await(c.made[len(c.made)-1].block.Header.Number, done)
}
