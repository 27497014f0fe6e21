package driver

import (
	"sync"

	"raftmig/runbook"
)

const (
	// logsKept is how many log lines a client that fetches slowly is given at
	// most, and how many a new client finds.
	logsKept = 500
	// progressKept bounds the effects whose newest progress waits for a client.
	progressKept = 64
)

// hub hands what happens to every client. No method waits for a client.
type hub struct {
	mu     sync.Mutex
	subs   map[*subscriber]bool
	last   *runbook.Snapshot
	recent []runbook.LogLine
	closed bool
}

func newHub() *hub { return &hub{subs: map[*subscriber]bool{}} }

func (h *hub) subscribe() *subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := newSubscriber()
	s.push(func(p *pending) {
		p.snapshot = h.last
		p.logs = append(p.logs, h.recent...)
	})
	if h.closed {
		s.finish()
		return s
	}
	h.subs[s] = true
	h.countChanged()
	return s
}

func (h *hub) unsubscribe(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.abandon()
	if h.subs[s] {
		delete(h.subs, s)
		h.countChanged()
	}
}

func (h *hub) countChanged() {
	for s := range h.subs {
		s.push(func(p *pending) { p.clients = len(h.subs) })
	}
}

func (h *hub) each(change func(*pending)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		s.push(change)
	}
}

func (h *hub) snapshot(snap runbook.Snapshot) {
	h.mu.Lock()
	h.last = &snap
	h.mu.Unlock()
	h.each(func(p *pending) { p.snapshot = &snap })
}

func (h *hub) progress(pr runbook.Progress) {
	h.each(func(p *pending) { p.addProgress(pr) })
}

func (h *hub) log(line runbook.LogLine) {
	h.mu.Lock()
	h.recent = keepLast(append(h.recent, line))
	h.mu.Unlock()
	h.each(func(p *pending) { p.logs = keepLast(append(p.logs, line)) })
}

// close lets every client have what waits for it, and ends its updates.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		s.finish()
	}
	clear(h.subs)
}

func keepLast(lines []runbook.LogLine) []runbook.LogLine {
	if n := len(lines) - logsKept; n > 0 {
		return append([]runbook.LogLine(nil), lines[n:]...)
	}
	return lines
}
