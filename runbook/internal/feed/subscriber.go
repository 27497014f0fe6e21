package feed

import (
	"slices"
	"sync"

	"raftmig/runbook"
)

// pending is what waits for one client.
type pending struct {
	snapshot *runbook.Snapshot
	progress []runbook.Progress // the newest per effect, oldest effect first
	logs     []runbook.LogLine
	clients  int
}

func (p *pending) addProgress(pr runbook.Progress) {
	p.progress = slices.DeleteFunc(p.progress, func(old runbook.Progress) bool { return old.Effect == pr.Effect })
	if len(p.progress) == progressKept {
		p.progress = slices.Delete(p.progress, 0, 1)
	}
	p.progress = append(p.progress, pr)
}

func (p *pending) empty() bool {
	return p.snapshot == nil && len(p.progress) == 0 && len(p.logs) == 0 && p.clients == 0
}

// take removes the next update: one progress at a time, all the rest at once.
func (p *pending) take() runbook.Update {
	u := runbook.Update{Snapshot: p.snapshot, Log: newest(p.logs), Clients: p.clients}
	p.snapshot, p.logs, p.clients = nil, nil, 0
	if len(p.progress) > 0 {
		first := p.progress[0]
		u.Progress = &first
		p.progress = p.progress[1:]
	}
	return u
}

// Subscriber is one client's buffer. Its goroutine hands out what waits, and
// ends when the client left or the run ended and everything was fetched.
type Subscriber struct {
	out  chan runbook.Update
	gone chan struct{} // closed when the client left

	mu    sync.Mutex
	wait  pending
	last  bool          // nothing more will come
	wake  chan struct{} // holds one token while something is to be looked at
	leave sync.Once
}

// NewSubscriber returns an empty buffer. It ends with Abandon, or with Finish once
// everything was fetched.
func NewSubscriber() *Subscriber {
	s := &Subscriber{out: make(chan runbook.Update), gone: make(chan struct{}), wake: make(chan struct{}, 1)}
	go s.pump()
	return s
}

// Updates delivers what waits, and is closed at the end.
func (s *Subscriber) Updates() <-chan runbook.Update { return s.out }

// Offer adds an update to what waits.
func (s *Subscriber) Offer(u runbook.Update) {
	s.push(func(p *pending) {
		if u.Snapshot != nil {
			p.snapshot = u.Snapshot
		}
		if u.Progress != nil {
			p.addProgress(*u.Progress)
		}
		p.logs = keepLast(append(p.logs, u.Log...))
		if u.Clients != 0 {
			p.clients = u.Clients
		}
	})
}

func (s *Subscriber) push(change func(*pending)) {
	s.mu.Lock()
	change(&s.wait)
	s.mu.Unlock()
	s.signal()
}

func (s *Subscriber) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Finish says that nothing more comes; what waits can still be fetched.
func (s *Subscriber) Finish() {
	s.mu.Lock()
	s.last = true
	s.mu.Unlock()
	s.signal()
}

// Abandon ends the goroutine although something may wait.
func (s *Subscriber) Abandon() { s.leave.Do(func() { close(s.gone) }) }

func (s *Subscriber) pump() {
	defer close(s.out)
	for {
		s.mu.Lock()
		empty, last := s.wait.empty(), s.last
		var u runbook.Update
		if !empty {
			u = s.wait.take()
		}
		s.mu.Unlock()
		switch {
		case !empty:
			select {
			case s.out <- u:
			case <-s.gone:
				return
			}
		case last:
			return
		default:
			select {
			case <-s.wake:
			case <-s.gone:
				return
			}
		}
	}
}
