package runbooktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"raftmig/runbook"
)

// ErrCrashed is returned when a Run reaches its crash point.
var ErrCrashed = errors.New("crashed")

// Run drives a runbook on a simulated network, one event at a time, in the way
// that package driver does it, but under the control of a test.
type Run struct {
	Net     *Network
	Book    *runbook.Runbook
	Journal []runbook.Event
	// Active are the effects that were begun and have no result yet.
	Active []runbook.Effect
	// CrashAt makes the run crash once the journal has that many records; 0 never.
	CrashAt int
	// Tamper may change what the network returned for an effect.
	Tamper func(e runbook.Effect, ev *runbook.Evidence)
	clock  time.Time // of the last event; each is a second later than the one before
}

// NewRun starts a run of the plan.
func NewRun(n *Network, p runbook.Plan) (*Run, error) {
	r := &Run{Net: n, Book: runbook.New(), clock: startTime}
	return r, r.Step(runbook.Event{Kind: runbook.EventStarted, Plan: &p})
}

// Step takes in an event, stamped with the time, and carries out what is then
// ready up to beginning its effects.
func (r *Run) Step(ev runbook.Event) error {
	r.clock = r.clock.Add(time.Second)
	ev.At = r.clock
	if err := r.Book.Step(ev); err != nil {
		return err
	}
	return r.ready()
}

func (r *Run) ready() error {
	rd := r.Book.Ready()
	for _, ev := range rd.Events {
		r.Journal = append(r.Journal, ev)
		if r.CrashAt > 0 && len(r.Journal) == r.CrashAt {
			return ErrCrashed
		}
	}
	r.Book.Advance(rd)
	r.Active = append(r.Active, rd.Effects...)
	for _, id := range rd.Cancel {
		if i := r.index(id); i >= 0 {
			if err := r.Report(i, nil, context.Canceled); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Run) index(id runbook.EffectID) int {
	return slices.IndexFunc(r.Active, func(e runbook.Effect) bool { return e.ID == id })
}

// Complete performs the active effect at index i and reports its result.
func (r *Run) Complete(i int) error {
	ev, err := r.Net.Perform(context.Background(), r.Active[i], nil)
	if r.Tamper != nil {
		r.Tamper(r.Active[i], &ev)
	}
	return r.Report(i, &ev, err)
}

// Report reports a result for the active effect at index i.
func (r *Run) Report(i int, evidence *runbook.Evidence, err error) error {
	e := r.Active[i]
	r.Active = slices.Delete(r.Active, i, i+1)
	ev := runbook.Event{Kind: runbook.EventDone, ID: e.ID, Evidence: evidence}
	if err != nil {
		ev.Kind = runbook.EventFailed
		if evidence != nil && evidence.Signatures == nil {
			ev.Evidence = nil
		}
		if p := (*runbook.Problem)(nil); errors.As(err, &p) {
			ev.Problem = p
		} else {
			ev.Problem = &runbook.Problem{What: err.Error()}
		}
	}
	return r.Step(ev)
}

// Continue performs effects, the oldest first, until none is active: the run
// waits for the operator or has ended.
func (r *Run) Continue() error {
	for len(r.Active) > 0 {
		if err := r.Complete(0); err != nil {
			return err
		}
	}
	return nil
}

// Recover replaces the runbook by one that is replayed from the first records
// of the journal, as a new process would, and resumes the run.
func (r *Run) Recover(records int) error {
	r.CrashAt, r.Active = 0, nil
	r.Journal = slices.Clone(r.Journal[:records])
	book, err := runbook.Replay(r.Journal)
	if err != nil {
		return err
	}
	r.Book = book
	if !book.Snapshot().Resumable {
		return nil
	}
	return r.Step(runbook.Event{Kind: runbook.EventResumed})
}

// Pass confirms the gate that the run waits at.
func (r *Run) Pass() error {
	g := r.Book.Snapshot().Gate
	if g == nil {
		return fmt.Errorf("the run waits at no gate")
	}
	return r.Step(runbook.Event{Kind: runbook.EventConfirmed, Step: g.Step, Text: g.Typed, By: "test@host"})
}

// Finish continues and passes gates until the run ends or stands still.
func (r *Run) Finish() error {
	for {
		if err := r.Continue(); err != nil {
			return err
		}
		if r.Book.Snapshot().Gate == nil {
			return nil
		}
		if err := r.Pass(); err != nil {
			return err
		}
	}
}
