// Package feed hands what happens in a run to those who watch it, without ever
// waiting for them.
package feed

import (
	"sync"

	"raftmig/runbook"
)

const (
	// LogsKept is how many log lines a client that fetches slowly is given at
	// most, and how many a new client finds.
	LogsKept = 500
	// progressKept bounds the effects whose newest progress waits for a client.
	progressKept = 64
)

// Hub hands what happens to every subscriber. No method waits for one. It is
// safe for concurrent use.
type Hub struct {
	mu     sync.Mutex
	subs   map[*Subscriber]bool
	last   *runbook.Snapshot
	recent []runbook.LogLine
	closed bool
}

// NewHub returns a hub without subscribers.
func NewHub() *Hub { return &Hub{subs: map[*Subscriber]bool{}} }

// Subscribe adds a subscriber. It finds the newest snapshot and log.
func (h *Hub) Subscribe() *Subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := NewSubscriber()
	if !h.closed {
		h.subs[s] = true
	}
	s.push(func(p *pending) {
		p.snapshot, p.logs, p.clients = h.last, newest(h.recent), len(h.subs)
	})
	if h.closed {
		s.Finish()
		return s
	}
	h.countChanged()
	return s
}

// Unsubscribe removes a subscriber and ends its updates.
func (h *Hub) Unsubscribe(s *Subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Abandon()
	if h.subs[s] {
		delete(h.subs, s)
		h.countChanged()
	}
}

func (h *Hub) countChanged() {
	for s := range h.subs {
		s.push(func(p *pending) { p.clients = len(h.subs) })
	}
}

func (h *Hub) each(change func(*pending)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		s.push(change)
	}
}

// Snapshot hands out the state of the run.
func (h *Hub) Snapshot(snap runbook.Snapshot) {
	h.mu.Lock()
	h.last = &snap
	h.mu.Unlock()
	h.each(func(p *pending) { p.snapshot = &snap })
}

// Progress hands out how far an effect has come.
func (h *Hub) Progress(pr runbook.Progress) {
	h.each(func(p *pending) { p.addProgress(pr) })
}

// Log hands out a log line.
func (h *Hub) Log(line runbook.LogLine) {
	h.mu.Lock()
	h.recent = keepLast(append(h.recent, line))
	h.mu.Unlock()
	h.each(func(p *pending) { p.logs = keepLast(append(p.logs, line)) })
}

// Close lets every subscriber have what waits for it, and ends its updates.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		s.Finish()
	}
	clear(h.subs)
}

// keepLast drops the oldest lines. It lets twice as many come together before
// it copies, so that a line costs little.
func keepLast(lines []runbook.LogLine) []runbook.LogLine {
	if len(lines) > 2*LogsKept {
		return append([]runbook.LogLine(nil), lines[len(lines)-LogsKept:]...)
	}
	return lines
}

// newest returns a copy of the last lines, as many as are kept.
func newest(lines []runbook.LogLine) []runbook.LogLine {
	return append([]runbook.LogLine(nil), lines[max(0, len(lines)-LogsKept):]...)
}
