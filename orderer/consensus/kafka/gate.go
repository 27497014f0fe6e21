package kafka

import "sync"

// gate is a channel that can be closed and replaced by an open one.
type gate struct {
	mu     sync.Mutex
	ch     chan struct{}
	closed bool
}

func newGate(closed bool) *gate {
	g := &gate{ch: make(chan struct{})}
	if closed {
		g.close()
	}
	return g
}

// wait returns the channel as it is now.
func (g *gate) wait() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ch
}

// close closes the channel; closing it twice is closing it once.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		close(g.ch)
	}
}

// renew replaces a closed channel and reports whether it was closed.
func (g *gate) renew() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		return false
	}
	g.closed, g.ch = false, make(chan struct{})
	return true
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}
