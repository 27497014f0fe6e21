package driver

import (
	"context"
	"time"

	"raftmig/runbook"
	"raftmig/runbook/preflight"
)

// Journal is where events are kept. Append returns when they are durable.
type Journal interface {
	Append(events ...runbook.Event) error
}

// Options are what a driver works with.
type Options struct {
	Operator runbook.Operator
	Journal  Journal
	// Events are what the journal holds already; empty for a fresh run.
	Events []runbook.Event
	// Plan is the plan of a fresh run. A resumed run has its plan in Events.
	Plan runbook.Plan
	// Logs are passed on to the clients; may be nil.
	Logs <-chan runbook.LogLine
	// By is who drives: user@host.
	By string
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Parallel is how many effects are performed at once; default 16.
	Parallel int
	// Judge turns facts into findings; default preflight.Check.
	Judge func(runbook.Facts) []runbook.Finding
	// Deadline bounds an effect; default DefaultDeadline.
	Deadline func(runbook.Effect) time.Duration
	// BeforeAppend and AfterAppend are called around the writing of record n of
	// the journal, counted from 1. They are for tests that end the process
	// there. If one is set, records are written one by one.
	BeforeAppend func(n int)
	AfterAppend  func(n int)
}

func (o *Options) setDefaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Parallel <= 0 {
		o.Parallel = 16
	}
	if o.Judge == nil {
		o.Judge = preflight.Check
	}
	if o.Deadline == nil {
		o.Deadline = DefaultDeadline
	}
}

// DefaultDeadline bounds an effect. What waits for a condition gets its own
// time and half a minute; what people do by hand gets a day.
func DefaultDeadline(e runbook.Effect) time.Duration {
	switch e.Kind {
	case runbook.StopNodes, runbook.StartNodes, runbook.TakeBackup, runbook.VerifyBackup, runbook.RestoreBackup:
		return 24 * time.Hour
	default:
		return max(e.Timeout, 10*time.Minute) + 30*time.Second
	}
}

// deadline returns the context of one effect.
func (d *Driver) deadline(ctx context.Context, e runbook.Effect) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d.opts.Deadline(e))
}
