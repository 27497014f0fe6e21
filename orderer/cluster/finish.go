package cluster

import (
	"context"
	"sync"
)

// SubmitOnlyTo says which consenter transactions go to from now on; 0 is
// nobody. Those for others are refused. Streams to others end in order: what
// was queued for them is written, and read by them.
func (r *RPC) SubmitOnlyTo(dest uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flushed || r.restricted && r.target == dest {
		return
	}
	r.restricted, r.target = true, dest
	for _, remote := range r.remotes() {
		if remote.node.ID != dest {
			remote.finish()
		}
	}
}

// Flush refuses transactions for good and waits until those that were taken
// have been read by the nodes they went to, or their streams are broken. It
// returns the error of ctx if that ends before.
func (r *RPC) Flush(ctx context.Context) error {
	r.SubmitOnlyTo(0)
	r.mu.Lock()
	r.flushed = true
	r.mu.Unlock()
	for _, remote := range r.remotes() {
		for _, s := range remote.endingStreams() {
			select {
			case <-s.ended:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// Connected returns to how many other consenters there is a connection.
func (r *RPC) Connected() int {
	n := 0
	for _, remote := range r.remotes() {
		if remote.connected() {
			n++
		}
	}
	return n
}

// Submitters returns how many streams are open on which others have sent
// transactions of the channel.
func (r *RPC) Submitters() int { return r.comm.submitters.of(r.channel) }

func (r *RPC) remotes() []*remote {
	r.comm.mu.RLock()
	defer r.comm.mu.RUnlock()
	var all []*remote
	if m := r.comm.channels[r.channel]; m != nil {
		for _, remote := range m.byID {
			all = append(all, remote)
		}
	}
	return all
}

// submitters counts the open streams by the channels whose transactions came
// on them. The zero value is ready.
type submitters struct {
	mu        sync.Mutex
	byChannel map[string]int
}

func (s *submitters) add(channel string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byChannel == nil {
		s.byChannel = map[string]int{}
	}
	if s.byChannel[channel] += n; s.byChannel[channel] == 0 {
		delete(s.byChannel, channel)
	}
}

func (s *submitters) of(channel string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byChannel[channel]
}
