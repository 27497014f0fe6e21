package cluster

import (
	"context"
	"slices"
	"sync"
)

// SubmitOnlyTo says which consenter transactions go to from now on; 0 is
// nobody. Those for others are refused. Streams to others end in order: what
// was queued for them is written, and read by them.
func (r *RPC) SubmitOnlyTo(dest uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.restricted && r.target == dest {
		return
	}
	r.restricted, r.target = true, dest
	for _, remote := range r.remotes() {
		if remote.node.ID != dest {
			remote.finish()
		}
	}
}

// Flush ends the streams that transactions went out on and waits until the nodes
// at their other ends have ended them too, which says that they have read
// everything, and of ours that it is in blocks if that node leads
// (Handler.OnSubmitEnd), or until they are broken. It returns the error of ctx if
// that ends before. What is sent meanwhile goes out on another stream.
func (r *RPC) Flush(ctx context.Context) error {
	all := append(r.remotes(), r.leaving()...)
	for _, remote := range all {
		remote.finish()
	}
	for _, remote := range all {
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

// Submitting reports whether there is a stream on which transactions went out
// and that Flush would end.
func (r *RPC) Submitting() bool {
	return slices.ContainsFunc(append(r.remotes(), r.leaving()...), (*remote).submitting)
}

// Reachable returns the Raft IDs of the other consenters to which there is a
// connection, without those that refused the last message of the channel and
// have sent none since: their chains have stopped, though their processes run.
func (r *RPC) Reachable() []uint64 {
	var ids []uint64
	for _, remote := range r.remotes() {
		if remote.reachable() {
			ids = append(ids, remote.node.ID)
		}
	}
	return ids
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

// leaving are former members that still read transactions.
func (r *RPC) leaving() []*remote {
	r.comm.mu.RLock()
	defer r.comm.mu.RUnlock()
	if m := r.comm.channels[r.channel]; m != nil {
		return slices.Clone(m.leaving)
	}
	return nil
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
