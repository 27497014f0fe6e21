package etcdraft

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// maxUnacknowledged is how many messages of a channel may wait for their block;
// more are not taken until some are answered.
const maxUnacknowledged = 1 << 14

// Reasons why a message is not acknowledged. What the client does not know then is
// whether it will be ordered.
var (
	errOtherLeader = errors.New("the leader changed and the message is in no block yet: it may be lost, or be ordered later")
	errNoBlockYet  = errors.New("the message is in no block yet: it may be lost, or be ordered later")
	errStopping    = errors.New("the orderer stopped before the message was in a block: it may be lost, or be ordered later")
)

// acknowledgements are the messages of this node's clients that are to be
// answered when they are in a block (Options.AcknowledgeAtCommit). They are matched by
// what stays the same on the way into a block. It is safe for concurrent use; times
// are given to it.
type acknowledgements struct {
	slots chan struct{} // one taken by each that waits

	mu      sync.Mutex
	stopped bool
	waiting map[digest][]*unacknowledged
}

type digest [sha256.Size]byte

// unacknowledged is a message that was submitted to the leader of term, and is
// answered with an error at deadline.
type unacknowledged struct {
	term     uint64
	deadline time.Time
	answer   func(error)
}

func newAcknowledgements() *acknowledgements {
	return &acknowledgements{slots: make(chan struct{}, maxUnacknowledged), waiting: map[digest][]*unacknowledged{}}
}

// await has answer called once: with nil when the message is in a block, else
// with the reason. It waits while too many wait; stop ends that with an error.
func (a *acknowledgements) await(key digest, w *unacknowledged, stop <-chan struct{}) error {
	select {
	case a.slots <- struct{}{}:
	case <-stop:
		return errStopped
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		<-a.slots
		return errStopped
	}
	a.waiting[key] = append(a.waiting[key], w)
	return nil
}

// finish answers some of those that wait for key.
func (a *acknowledgements) finish(key digest, which func(i int, w *unacknowledged) bool, err error) {
	a.mu.Lock()
	done := a.remove(key, which)
	a.mu.Unlock()
	for _, w := range done {
		w.answer(err)
	}
}

// remove takes out some of those that wait for key. a.mu is held.
func (a *acknowledgements) remove(key digest, which func(i int, w *unacknowledged) bool) (removed []*unacknowledged) {
	var left []*unacknowledged
	for i, w := range a.waiting[key] {
		if which(i, w) {
			removed = append(removed, w)
			<-a.slots
		} else {
			left = append(left, w)
		}
	}
	if len(left) == 0 {
		delete(a.waiting, key)
	} else {
		a.waiting[key] = left
	}
	return removed
}

func first(i int, _ *unacknowledged) bool { return i == 0 }

// cancel answers w, unless it was answered.
func (a *acknowledgements) cancel(key digest, w *unacknowledged, err error) {
	a.finish(key, func(_ int, other *unacknowledged) bool { return other == w }, err)
}

// refused answers one that waits for a message which will not be ordered.
func (a *acknowledgements) refused(key digest, err error) { a.finish(key, first, err) }

// committed acknowledges what is in a block. The same message may be in it, and
// wait, more than once: each time counts for one.
func (a *acknowledgements) committed(block *cb.Block) {
	if a.count() == 0 {
		return
	}
	for i, data := range block.Data.Data {
		key := digest(sha256.Sum256(data))
		if protoutil.IsConfigBlock(block) {
			if env, err := protoutil.EnvelopeAt(block, i); err == nil {
				key = configDigest(env, data)
			}
		}
		a.finish(key, first, nil)
	}
}

// hurry gives those that were submitted to a leader of an earlier term time
// until deadline at most: what that leader had may be handed on.
func (a *acknowledgements) hurry(term uint64, deadline time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ws := range a.waiting {
		for _, w := range ws {
			if w.term < term && w.deadline.After(deadline) {
				w.deadline = deadline
			}
		}
	}
}

// expire answers those whose time is up at now.
func (a *acknowledgements) expire(now time.Time, current uint64) {
	a.end(func(_ int, w *unacknowledged) bool { return !w.deadline.After(now) }, func(w *unacknowledged) error {
		if w.term < current {
			return errOtherLeader
		}
		return errNoBlockYet
	})
}

// stop answers all, and has no more taken.
func (a *acknowledgements) stop() {
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	a.end(func(int, *unacknowledged) bool { return true }, func(*unacknowledged) error { return errStopping })
}

func (a *acknowledgements) end(which func(int, *unacknowledged) bool, reason func(*unacknowledged) error) {
	a.mu.Lock()
	var ended []*unacknowledged
	for key := range a.waiting {
		ended = append(ended, a.remove(key, which)...)
	}
	a.mu.Unlock()
	for _, w := range ended {
		w.answer(reason(w))
	}
}

func (a *acknowledgements) count() int { return len(a.slots) }

// digestOf identifies a message, also when the leader has made a configuration
// anew (spec 4.6): what stays is the client's update in it.
func digestOf(msg *protoutil.Message, config bool) digest {
	if config {
		return configDigest(msg.Envelope, msg.Bytes())
	}
	return sha256.Sum256(msg.Bytes())
}

func configDigest(env *cb.Envelope, raw []byte) digest {
	inner := env
	if h, err := protoutil.ChannelHeader(env); err == nil && h.Type == int32(cb.HeaderType_ORDERER_TRANSACTION) {
		if p, err := protoutil.EnvelopePayload(env); err == nil {
			if e, err := protoutil.UnmarshalEnvelope(p.Data); err == nil {
				inner = e
			}
		}
	}
	config, err := protoutil.ConfigEnvelope(inner)
	if err != nil || config.LastUpdate == nil {
		return sha256.Sum256(raw)
	}
	update, err := proto.Marshal(config.LastUpdate)
	if err != nil {
		return sha256.Sum256(raw)
	}
	return sha256.Sum256(update)
}
