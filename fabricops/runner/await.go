package runner

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"raftmig/runbook"
	"raftmig/runbook/driver"
)

// Timing of the look for signatures.
const (
	stampEvery = time.Second      // between looks at the files' names and times
	quiet      = 2 * time.Second  // that no file has changed before they are read
	lookEvery  = 15 * time.Second // between looks at the channels, which may move on
)

// RunAwaiting is Run for a run that nobody attends: where it stands still for
// signatures, their files are looked for, and the run goes on by itself when
// there is something new. It ends, able to be resumed, when a step has stood
// still for longer than timeout: the error then wraps driver.ErrStopped and a
// runbook.Problem. tell is told until when it waits.
func (r *Runner) RunAwaiting(ctx context.Context, timeout time.Duration, tell func(string)) (runbook.Snapshot, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	client := r.driver.Client()
	a := &awaiter{
		args:    r.args,
		timeout: timeout, tell: tell, stamp: r.operator.SignaturesStamp, look: r.operator.Signatures,
		retry: func(ctx context.Context) error {
			return client.Send(ctx, runbook.Command{Kind: runbook.EventRetry, By: Who()})
		},
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if p := a.watch(ctx, client.Updates()); p != nil {
			stop(p)
		}
	}()
	snapshot, err := r.Run(ctx)
	<-ended // the updates end with the run
	err = errors.Join(err, client.Close())
	var late *runbook.Problem
	if errors.Is(err, driver.ErrStopped) && errors.As(context.Cause(ctx), &late) {
		err = errors.Join(late, err)
	}
	return snapshot, err
}

// awaiter looks for the signatures that a run stands still for.
type awaiter struct {
	args    Arguments
	timeout time.Duration
	tell    func(string)
	stamp   func() string
	look    func(context.Context, []runbook.SignatureState) ([]runbook.SignatureState, error)
	retry   func(context.Context) error

	step     runbook.StepID           // that the run stands still at
	deadline time.Time                // for this step
	awaited  []runbook.SignatureState // nil while it does not stand still
	seen     string                   // stamp of the files
	since    time.Time                // that they have it
	looked   time.Time                // that they and the channels were read
	tried    []runbook.SignatureState // what the last retry was for
}

// watch follows a run to its end, and retries where there is something new. It
// returns the problem of a run that has stood still for too long.
func (a *awaiter) watch(ctx context.Context, updates <-chan runbook.Update) *runbook.Problem {
	tick := time.NewTicker(stampEvery)
	defer tick.Stop()
	for {
		select {
		case u, ok := <-updates:
			if !ok {
				return nil
			}
			if u.Snapshot != nil {
				a.show(u.Snapshot)
			}
		case <-tick.C:
			if len(a.awaited) == 0 {
				continue
			}
			if time.Now().After(a.deadline) {
				return a.late()
			}
			a.lookAgain(ctx)
		}
	}
}

// show takes in where the run stands.
func (a *awaiter) show(s *runbook.Snapshot) {
	a.awaited = s.Awaited
	if len(s.Awaited) == 0 {
		return
	}
	if step := s.Steps[s.Current].ID; step != a.step {
		a.step, a.deadline, a.seen, a.tried = step, time.Now().Add(a.timeout), "", nil
		a.tell(fmt.Sprintf("waiting for signatures until %s (--signatures-timeout %s); the run goes on by itself when they are there",
			a.deadline.UTC().Format("15:04:05 UTC"), a.timeout))
	}
}

// lookAgain retries the step if there is something new.
func (a *awaiter) lookAgain(ctx context.Context) {
	now := time.Now()
	if stamp := a.stamp(); stamp != a.seen {
		a.seen, a.since, a.looked = stamp, now, time.Time{}
	}
	if now.Sub(a.since) < quiet || now.Sub(a.looked) < lookEvery {
		return
	}
	a.looked = now
	found, err := a.look(ctx, a.awaited)
	if err != nil || reflect.DeepEqual(found, a.awaited) || reflect.DeepEqual(found, a.tried) {
		return // a channel that cannot be read now can be at the next look
	}
	if a.retry(ctx) == nil {
		a.tried, a.awaited = found, nil
	}
}

func (a *awaiter) late() *runbook.Problem {
	p := runbook.JudgeSignatures(a.awaited)
	p.What += fmt.Sprintf(", and they have not come in %s", a.timeout)
	p.Hint += " The run stands still and can be resumed (" + a.args.of("run --resume") + "), or taken back (" + a.args.of("abort") + ")."
	return p
}
