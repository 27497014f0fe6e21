package follower

import "time"

// step is what a follower does next.
type step int

const (
	// pullToJoin: fetch the blocks up to the join block, from the orderers that
	// the join block names.
	pullToJoin step = iota
	// ask: find out how far others are.
	ask
	// pull: fetch what others have.
	pull
	// wait: nothing is new; ask again later.
	wait
	// become: the ledger's configuration makes this node a consenter.
	become
)

// view is what the next step depends on.
type view struct {
	height  uint64 // of the ledger
	join    uint64 // height with the join block, 0 if there is none
	network uint64 // greatest height that others are known to have, 0 after a pull that failed
	asked   bool   // they were asked since the last pull, and one has answered
	member  bool   // by the configuration in force at the ledger's end
	// evicted: the ledger was left by a chain that others have evicted. What it
	// says about membership may be out of date, and is believed only when the
	// ledger has everything that others have (issue 3992 of Fabric).
	evicted bool
}

// next decides. Pure.
func next(v view) step {
	switch {
	case v.height < v.join:
		return pullToJoin
	case v.network > v.height:
		return pull
	case v.member && (v.asked || !v.evicted):
		return become
	case !v.asked:
		return ask
	}
	return wait
}

// backOff is a pause that grows by half with each failure. Pure.
type backOff struct{ least, most, current time.Duration }

// reset makes the pause the shortest one.
func (b *backOff) reset() { b.current = 0 }

// next returns the pause before the next attempt.
func (b *backOff) next() time.Duration {
	if b.current == 0 {
		b.current = b.least
	} else {
		b.current = min(b.current+b.current/2, b.most)
	}
	return b.current
}
