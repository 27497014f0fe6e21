package etcdraft

import "sync"

// gate is open or shut; others wait for either. The zero gate is shut.
type gate struct {
	mu     sync.Mutex
	isOpen bool
	openC  chan struct{} // closed while open
	shutC  chan struct{} // closed while shut
}

func (g *gate) init() {
	if g.openC == nil {
		g.openC, g.shutC = make(chan struct{}), make(chan struct{})
		close(g.shutC)
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.init()
	if !g.isOpen {
		g.isOpen, g.shutC = true, make(chan struct{})
		close(g.openC)
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.init()
	if g.isOpen {
		g.isOpen, g.openC = false, make(chan struct{})
		close(g.shutC)
	}
}

func (g *gate) set(open bool) {
	if open {
		g.open()
	} else {
		g.shut()
	}
}

// opened returns a channel that is closed while the gate is open, shutSignal
// one that is closed while it is shut.
func (g *gate) opened() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.init()
	return g.openC
}

func (g *gate) shutSignal() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.init()
	return g.shutC
}
