package cluster

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

var (
	// ErrNotTaken is matched by errors of SendSubmit after which the message is
	// with nobody else, because the node refused it or transactions go to another
	// one by now. It may be sent again.
	ErrNotTaken = errors.New("the message was not taken")
	// ErrUncertain is matched by errors of SendSubmit after which the node may have
	// taken the message: sent again, it might be ordered twice.
	ErrUncertain = errors.New("the message may have been taken")
)

// outcome is a reason together with what it means for a message.
type outcome struct{ meaning, reason error }

func (o outcome) Error() string   { return o.reason.Error() }
func (o outcome) Unwrap() []error { return []error{o.meaning, o.reason} }

func notTaken(reason error) error  { return outcome{ErrNotTaken, reason} }
func uncertain(reason error) error { return outcome{ErrUncertain, reason} }

// answers are the messages written to a stream whose server says which it has
// taken (submit.go). They are answered in the order in which they were written. It
// is safe for concurrent use.
type answers struct {
	patience time.Duration

	mu       sync.Mutex
	answered uint64 // how many of the messages written do not wait any more
	waiting  []awaited
	timer    *time.Timer // runs while messages wait
	over     bool
}

type awaited struct {
	report   func(error)
	deadline time.Time
}

func newAnswers(patience time.Duration) *answers { return &answers{patience: patience} }

// await is called before a message is written. It returns false if the stream has
// ended: then the message must not be written, and is not reported.
func (a *answers) await(report func(error)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return false
	}
	a.waiting = append(a.waiting, awaited{report, time.Now().Add(a.patience)})
	if a.timer == nil {
		a.timer = time.AfterFunc(a.patience, a.expire)
	}
	return true
}

// taken is told how many of all messages the server has taken. It returns an
// error if there are not so many.
func (a *answers) taken(total uint64) error {
	a.mu.Lock()
	if total > a.answered+uint64(len(a.waiting)) {
		a.mu.Unlock()
		return fmt.Errorf("the server says that it has taken %d messages, which is more than there were", total)
	}
	n := 0
	if total > a.answered { // else they were given up before
		n = int(total - a.answered)
	}
	done := a.take(n)
	a.mu.Unlock()
	report(done, nil)
	return nil
}

// expire gives up messages whose time is up; an answer to them comes too late.
func (a *answers) expire() {
	a.mu.Lock()
	now, n := time.Now(), 0
	for n < len(a.waiting) && !a.waiting[n].deadline.After(now) {
		n++
	}
	done := a.take(n)
	a.timer = nil
	if len(a.waiting) > 0 {
		a.timer = time.AfterFunc(a.waiting[0].deadline.Sub(now), a.expire)
	}
	a.mu.Unlock()
	report(done, uncertain(ErrRPCTimeout))
}

// end answers all that wait, and has no more taken.
func (a *answers) end(err error) {
	a.mu.Lock()
	a.over = true
	done := a.take(len(a.waiting))
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	report(done, err)
}

// take removes the first n. a.mu is held.
func (a *answers) take(n int) []awaited {
	done := a.waiting[:n:n]
	a.answered += uint64(n)
	a.waiting = a.waiting[n:]
	return done
}

func report(done []awaited, err error) {
	for i, w := range done {
		done[i] = awaited{} // the array is used again, perhaps much later
		w.report(err)
	}
}

// takenCount is the field of the answer: the number of messages taken so far.
const takenCount = 1

func encodeTaken(n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, takenCount, protowire.VarintType), n)
}

func decodeTaken(b []byte) (uint64, error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num != takenCount || typ != protowire.VarintType {
		return 0, errServerSpoke
	}
	v, m := protowire.ConsumeVarint(b[n:])
	if m < 0 {
		return 0, errServerSpoke
	}
	return v, nil
}
