package etcdraft

import (
	"sort"

	"go.etcd.io/etcd/raft/v3"
)

// stableChecks is how many checks in a row have to see as many active nodes
// before that is told to others; the library forgets who is active at each
// election timeout, and a glitch should not spread (spec 4.4).
const stableChecks = 3

// activeTracker works out which nodes of the cluster are alive. Pure.
type activeTracker struct {
	self    uint64
	active  []uint64
	counter int
}

// check looks at the Raft state right before a tick. It returns the nodes known
// to be alive and whether that is stable and worth telling the followers.
// A follower learns the set from its leader, so changed is false there.
func (t *activeTracker) check(lead uint64, role raft.StateType, recentlyActive []uint64) (changed, stable bool) {
	if lead == raft.None {
		changed = len(t.active) > 0
		t.active, t.counter = nil, 0
		return changed, false
	}
	if role != raft.StateLeader {
		return false, false
	}
	current := append([]uint64{t.self}, recentlyActive...)
	sort.Slice(current, func(i, j int) bool { return current[i] < current[j] })
	sameSize := len(current) == len(t.active)
	t.active = current
	if !sameSize {
		t.counter = 0
		return true, false
	}
	if t.counter < stableChecks {
		t.counter++
		return true, false
	}
	t.counter = 0
	return true, true
}

// gossip hands cluster metadata to each destination once per change, attached
// to a message that goes there anyway (spec 4.4).
type gossip struct {
	metadata []byte
	sent     map[uint64]bool
}

func (g *gossip) update(metadata []byte) {
	g.metadata, g.sent = metadata, map[uint64]bool{}
}

// attach returns what to send along with the next message to dest, nil if it
// was sent already.
func (g *gossip) attach(dest uint64) []byte {
	if len(g.metadata) == 0 || g.sent[dest] {
		return nil
	}
	g.sent[dest] = true
	return g.metadata
}
