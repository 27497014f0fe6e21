package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// memory is a journal in memory.
type memory struct {
	mu     sync.Mutex
	events []runbook.Event
	fail   bool
}

func (m *memory) Append(events ...runbook.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail {
		return errors.New("disk is full")
	}
	m.events = append(m.events, events...)
	return nil
}

func (m *memory) kept() []runbook.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]runbook.Event(nil), m.events...)
}

// operator lets a test stand between the driver and the network.
type operator func(ctx context.Context, e runbook.Effect, progress func(runbook.Progress)) (runbook.Evidence, error)

func (o operator) Perform(ctx context.Context, e runbook.Effect, progress func(runbook.Progress)) (runbook.Evidence, error) {
	return o(ctx, e, progress)
}

func network() *runbooktest.Network {
	return runbooktest.New(runbooktest.Options{Channels: []string{"ch1", "ch2", "ch3"}})
}

func unattended(n *runbooktest.Network) runbook.Plan {
	p := n.Plan()
	p.Unattended = true
	return p
}

func newDriver(t *testing.T, o Options) *Driver {
	t.Helper()
	d, err := New(o)
	require.NoError(t, err)
	return d
}

func TestAnUnattendedRunIsDrivenToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		s, err := newDriver(t, Options{Operator: n, Journal: m, Plan: unattended(n)}).Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, runbook.OutcomeMigrated, s.Outcome)
		require.Empty(t, n.Faults())
		again, err := runbook.Replay(m.kept())
		require.NoError(t, err)
		require.Equal(t, s, again.Snapshot())
	})
}

func TestEveryEffectIsInTheJournalBeforeItIsPerformedAndItsEvidenceAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		op := operator(func(ctx context.Context, e runbook.Effect, p func(runbook.Progress)) (runbook.Evidence, error) {
			found := false
			for _, ev := range m.kept() {
				found = found || ev.Kind == runbook.EventIntended && ev.ID == e.ID
			}
			require.True(t, found, "%s", e.ID)
			return n.Perform(ctx, e, p)
		})
		_, err := newDriver(t, Options{Operator: op, Journal: m, Plan: unattended(n)}).Run(t.Context())
		require.NoError(t, err)
	})
}

func TestIndependentEffectsArePerformedAtTheSameTimeUpToTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		var mu sync.Mutex
		now, most := 0, 0
		op := operator(func(ctx context.Context, e runbook.Effect, p func(runbook.Progress)) (runbook.Evidence, error) {
			if e.Kind == runbook.SubmitUpdate {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Second) // of the bubble's clock: all that can begin have begun
				mu.Lock()
				now--
				mu.Unlock()
			}
			return n.Perform(ctx, e, p)
		})
		s, err := newDriver(t, Options{Operator: op, Journal: m, Plan: unattended(n), Parallel: 2}).Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, runbook.OutcomeMigrated, s.Outcome)
		require.Equal(t, 2, most)
	})
}

func TestARunWhoseContextEndsIsStoppedAndResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		ctx, stop := context.WithCancel(t.Context())
		op := operator(func(ctx context.Context, e runbook.Effect, p func(runbook.Progress)) (runbook.Evidence, error) {
			if e.Kind == runbook.SubmitUpdate && e.Channel == "ch2" {
				ev, err := n.Perform(ctx, e, p)
				stop() // while others of the wave are under way
				return ev, err
			}
			return n.Perform(ctx, e, p)
		})
		d := newDriver(t, Options{Operator: op, Journal: m, Plan: unattended(n)})
		s, err := d.Run(ctx)
		require.ErrorIs(t, err, ErrStopped)
		require.Empty(t, s.Outcome)
		late := d.Client()
		require.ErrorIs(t, late.Send(t.Context(), runbook.Command{Kind: runbook.EventAbort}), ErrEnded)
		require.NoError(t, late.Close())

		s, err = newDriver(t, Options{Operator: n, Journal: m, Events: m.kept()}).Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, runbook.OutcomeMigrated, s.Outcome)
		for _, c := range []string{runbooktest.SystemChannel, "ch1", "ch2", "ch3"} {
			require.Equal(t, 1, n.Submitted(c, runbook.ChangeEnterMaintenance))
		}
	})
}

func TestAJournalThatFailsEndsTheRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{fail: true}
		s, err := newDriver(t, Options{Operator: n, Journal: m, Plan: n.Plan()}).Run(t.Context())
		require.ErrorContains(t, err, "disk is full")
		require.Empty(t, s.Outcome)
		require.Zero(t, n.Submitted(runbooktest.SystemChannel, runbook.ChangeEnterMaintenance))
	})
}

func TestAPanicOfTheOperatorIsAFailureOfTheEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		op := operator(func(context.Context, runbook.Effect, func(runbook.Progress)) (runbook.Evidence, error) {
			panic("boom")
		})
		s, err := newDriver(t, Options{Operator: op, Journal: m, Plan: unattended(n)}).Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, runbook.OutcomeFailed, s.Outcome)
		require.Contains(t, s.Problem.Why, "boom")
	})
}

func TestAPanicOfAPreflightCheckIsAFailureOfTheEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		op := operator(func(ctx context.Context, e runbook.Effect, p func(runbook.Progress)) (runbook.Evidence, error) {
			ev, err := n.Perform(ctx, e, p)
			if e.Kind == runbook.GatherFacts {
				ev.Facts = &runbook.Facts{}
			}
			return ev, err
		})
		o := Options{Operator: op, Journal: m, Plan: unattended(n)}
		o.Judge = func(runbook.Facts) []runbook.Finding { panic("boom") }
		s, err := newDriver(t, o).Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, runbook.OutcomeFailed, s.Outcome)
		require.Contains(t, s.Problem.Why, "boom")
	})
}

func TestAnEffectThatTakesTooLongFailsWithAHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		op := operator(func(ctx context.Context, e runbook.Effect, p func(runbook.Progress)) (runbook.Evidence, error) {
			if e.Kind == runbook.ListChannels {
				<-ctx.Done()
				return runbook.Evidence{}, fmt.Errorf("listing: %w", ctx.Err())
			}
			return n.Perform(ctx, e, p)
		})
		s, err := newDriver(t, Options{Operator: op, Journal: m, Plan: unattended(n)}).Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, "list-channels took too long", s.Problem.What)
		require.NotEmpty(t, s.Problem.Hint)
	})
}
