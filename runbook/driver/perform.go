package driver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"

	"raftmig/runbook"
)

// perform carries out one effect and hands its result to the loop. work is the
// context of the whole run: when it has ended, the loop has too, and drain
// takes the results.
func (d *Driver) perform(ctx, work context.Context, e runbook.Effect) {
	ev := runbook.Event{ID: e.ID}
	select {
	case d.slots <- struct{}{}:
		ev = d.attempt(ctx, e)
		<-d.slots
	case <-ctx.Done():
		ev.Kind, ev.Problem = runbook.EventFailed, problem(ctx.Err(), e)
	}
	ev.At = d.opts.Now()
	d.results <- ev
}

func (d *Driver) attempt(ctx context.Context, e runbook.Effect) runbook.Event {
	began := d.opts.Now()
	evidence, err := d.call(ctx, e)
	if evidence.Seconds == 0 {
		evidence.Seconds = math.Round(d.opts.Now().Sub(began).Seconds()*1000) / 1000
	}
	ev := runbook.Event{Kind: runbook.EventDone, ID: e.ID, Evidence: &evidence}
	if err != nil {
		ev.Kind, ev.Problem = runbook.EventFailed, problem(err, e)
		evidence.Seconds = 0
		if reflect.ValueOf(evidence).IsZero() {
			ev.Evidence = nil // it found nothing to keep
		}
	}
	return ev
}

// call calls the operator, and has the facts judged that it found. A panic
// there is a failure of the effect: the run is worth more than the fault.
func (d *Driver) call(ctx context.Context, e runbook.Effect) (ev runbook.Evidence, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a fault of raftmig: %v", r)
		}
	}()
	ev, err = d.opts.Operator.Perform(ctx, e, d.hub.Progress)
	if ev.Facts != nil {
		ev.Findings = append(d.opts.Judge(*ev.Facts), ev.Findings...)
	}
	return ev, err
}

// problem turns an error into what the operator reads.
func problem(err error, e runbook.Effect) *runbook.Problem {
	var p *runbook.Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, context.DeadlineExceeded):
		return &runbook.Problem{
			What: e.String() + " took too long", Where: e.Channel, Why: err.Error(),
			Hint: "Look at the logs of the nodes, then retry.",
		}
	case errors.Is(err, context.Canceled):
		return &runbook.Problem{What: e.String() + " was cancelled", Where: e.Channel}
	default:
		return &runbook.Problem{What: e.String() + " failed", Where: e.Channel, Why: err.Error()}
	}
}
