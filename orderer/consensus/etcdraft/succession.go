package etcdraft

import (
	"slices"

	"go.etcd.io/etcd/raft/v3"
)

// succession knows who may be asked to take the leadership over from a node that
// stops. Where others stop too, as when a whole cluster is stopped, a node that
// gave the leadership up since is one of those, or has failed; asking it would
// send the leadership in circles. Pure.
type succession struct {
	stopping bool
	last     uint64 // the last leader known
	declined []uint64
}

// observe takes the leader, or raft.None.
func (s *succession) observe(lead uint64) {
	if lead == raft.None || lead == s.last {
		return
	}
	if s.stopping && s.last != raft.None {
		s.declined = append(s.declined, s.last)
	}
	s.last = lead
}

// candidates are those of the nodes that may be asked.
func (s *succession) candidates(nodes []uint64) []uint64 {
	var left []uint64
	for _, id := range nodes {
		if !slices.Contains(s.declined, id) {
			left = append(left, id)
		}
	}
	return left
}
