package runbook

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of Step. They are wrapped with the reason; the state is unchanged.
var (
	// ErrRefused is returned for an operator's wish that cannot be granted now.
	ErrRefused = errors.New("refused")
	// ErrUnexpected is returned for an event that does not fit what happened
	// so far: a fault of the driver, or a journal of another program version.
	ErrUnexpected = errors.New("unexpected event")
)

// Runbook decides what to do next in one run. It is a pure state machine: the
// same events give the same state, the same effects and the same effect IDs.
// It is not safe for concurrent use. See the package documentation.
type Runbook struct {
	k         *knowledge
	path      []*stepRun // the steps of the way taken or to be taken
	cur       int        // index into path; -1 before the start
	seq       map[StepID]int
	abort     *abortRequest
	outcome   Outcome
	gaveUp    bool     // the operator ended the run
	problem   *Problem // why the run stands still, failed, or was rolled back
	startedAt time.Time
	endedAt   time.Time
	now       time.Time // of the last event, ticks included
	last      time.Time // of the last event that the journal keeps
	unsaved   []Event
	cancelled map[EffectID]bool
}

// abortRequest is why the run goes back; cause is the failure, if there was one.
type abortRequest struct {
	reason, by string
	cause      *Problem
}

// New returns a runbook that waits for EventStarted.
func New() *Runbook {
	return &Runbook{cur: -1, seq: map[StepID]int{}, cancelled: map[EffectID]bool{}}
}

// Replay returns the runbook in the state that the events of a journal lead
// to, with nothing to be journaled again. The caller steps EventResumed next.
func Replay(events []Event) (*Runbook, error) {
	r := New()
	for i, ev := range events {
		if err := r.Step(ev); err != nil {
			return nil, fmt.Errorf("replaying event %d (%s): %w", i+1, ev.Kind, err)
		}
	}
	r.unsaved = nil
	return r, nil
}

// Step takes in an event. An error means that the event was not accepted and
// must not be journaled. Events that are accepted appear in the next Ready.
//
// EventIntended is stepped only by Replay: on a live run Advance does it.
func (r *Runbook) Step(ev Event) error {
	if ev.Kind == EventTick {
		r.now = later(r.now, ev.At)
		return nil
	}
	if err := r.admit(ev); err != nil {
		return err
	}
	before, last := r.now, r.last
	r.now, r.last = later(r.now, ev.At), ev.At
	if err := r.handle(ev); err != nil {
		r.now, r.last = before, last
		return err
	}
	r.unsaved = append(r.unsaved, cloneEvent(ev))
	r.proceed()
	return nil
}

// admit refuses what no state accepts.
func (r *Runbook) admit(ev Event) error {
	switch {
	case r.k == nil && ev.Kind != EventStarted:
		return fmt.Errorf("%w: %s before the run was started", ErrUnexpected, ev.Kind)
	case r.k != nil && ev.Kind == EventStarted:
		return fmt.Errorf("%w: the run was started already", ErrUnexpected)
	case r.resumable() && ev.Kind == EventResumed:
		return nil
	case r.outcome != "":
		return fmt.Errorf("%w: the run has ended: %s", ErrRefused, r.outcome)
	default:
		return nil
	}
}

// resumable reports whether the run can go on after EventResumed: it has not
// ended, or it ended as failed only because nobody was there to decide, and
// left the network changed.
func (r *Runbook) resumable() bool {
	return r.outcome == "" || r.outcome == OutcomeFailed && !r.gaveUp && r.k.changed
}

func (r *Runbook) handle(ev Event) error {
	switch ev.Kind {
	case EventStarted:
		return r.start(ev)
	case EventResumed:
		r.resume()
		return nil
	case EventIntended:
		return r.intend(ev)
	case EventDone, EventFailed:
		return r.settle(ev)
	case EventConfirmed:
		return r.confirm(ev)
	case EventAbort:
		return r.requestAbort(ev)
	case EventRetry:
		return r.retry()
	case EventGiveUp:
		return r.giveUp(ev)
	default:
		return fmt.Errorf("%w: unknown kind %q", ErrUnexpected, ev.Kind)
	}
}

// Ready says what is to be done now. It changes nothing; call Advance with the
// same value once its events are durable.
func (r *Runbook) Ready() Ready {
	rd := Ready{Events: slices.Clone(r.unsaved)}
	if r.outcome != "" || r.cur < 0 {
		return rd
	}
	run := r.path[r.cur]
	if r.abort != nil && !r.k.rollingBack {
		rd.Cancel = r.cancellable(run)
	}
	if r.mayAct(run) {
		for _, e := range run.wanted() {
			e := cloneEffect(e)
			rd.Events = append(rd.Events, Event{At: r.now, Kind: EventIntended, ID: e.ID, Effect: &e})
			rd.Effects = append(rd.Effects, e)
		}
	}
	return rd
}

// Advance says that the events of rd are durable and its effects are being
// performed. No event may be stepped between Ready and Advance.
func (r *Runbook) Advance(rd Ready) {
	r.unsaved = nil
	for _, ev := range rd.Events {
		if ev.Kind != EventIntended {
			continue
		}
		// An effect that is intended already was stepped by Replay.
		if err := r.intend(ev); err == nil {
			r.last = ev.At
		}
	}
	for _, id := range rd.Cancel {
		r.cancelled[id] = true
	}
}

// mayAct reports whether new effects may be started on the current step.
func (r *Runbook) mayAct(run *stepRun) bool {
	return run.status == StatusRunning && (r.abort == nil || r.k.rollingBack)
}

// cancellable returns the effects that need not end by themselves before the
// run goes back: what only reads, and a backup that is being taken. Half a
// backup is worth nothing, and nothing depends on it before the type change.
func (r *Runbook) cancellable(run *stepRun) []EffectID {
	var out []EffectID
	for _, e := range run.active() {
		if (!e.Kind.Mutating() || e.Kind == TakeBackup) && !r.cancelled[e.ID] {
			out = append(out, e.ID)
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
