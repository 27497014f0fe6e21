package runner

import (
	"context"
	"fmt"
	"time"

	"raftmig/runbook"
	"raftmig/runbook/preflight"
)

// Preview takes a run as far as the first point where it would wait for the
// operator, keeping nothing: it looks at the network and changes nothing. The
// snapshot's steps explain themselves with what was found. If something keeps
// the run from getting there, Snapshot.Problem says what.
func Preview(ctx context.Context, op runbook.Operator, plan runbook.Plan) (runbook.Snapshot, error) {
	book := runbook.New()
	plan.Unattended = false
	if err := book.Step(runbook.Event{At: time.Now(), Kind: runbook.EventStarted, Plan: &plan}); err != nil {
		return runbook.Snapshot{}, err
	}
	for {
		ready := book.Ready()
		book.Advance(ready)
		if len(ready.Effects) == 0 {
			return book.Snapshot(), nil
		}
		for _, e := range ready.Effects {
			if e.Kind.Mutating() {
				return book.Snapshot(), fmt.Errorf("step %s would change the network (%s) before it asks", e.Step, e.Kind)
			}
			if err := book.Step(look(ctx, op, e)); err != nil {
				return book.Snapshot(), err
			}
		}
		if err := ctx.Err(); err != nil {
			return book.Snapshot(), err
		}
	}
}

// look performs a reading effect and returns the event of its end.
func look(ctx context.Context, op runbook.Operator, e runbook.Effect) runbook.Event {
	ev, err := op.Perform(ctx, e, func(runbook.Progress) {})
	if err != nil {
		return runbook.Event{At: time.Now(), Kind: runbook.EventFailed, ID: e.ID, Problem: asProblem(err)}
	}
	if ev.Facts != nil {
		ev.Findings = preflight.Check(*ev.Facts)
	}
	return runbook.Event{At: time.Now(), Kind: runbook.EventDone, ID: e.ID, Evidence: &ev}
}
