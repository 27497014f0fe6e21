package driver

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/internal/feed"
)

// until reads updates until a snapshot satisfies the condition.
func until(t *testing.T, c runbook.Client, holds func(runbook.Snapshot) bool) runbook.Snapshot {
	t.Helper()
	for u := range c.Updates() {
		if u.Snapshot != nil && holds(*u.Snapshot) {
			return *u.Snapshot
		}
	}
	t.Fatal("the updates ended first")
	return runbook.Snapshot{}
}

func atGate(step runbook.StepID) func(runbook.Snapshot) bool {
	return func(s runbook.Snapshot) bool { return s.Gate != nil && s.Gate.Step == step }
}

func TestAClientPassesTheGatesAndIsToldWhyItIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		d := newDriver(t, Options{Operator: n, Journal: m, Plan: n.Plan()})
		c := d.Client()
		done := make(chan runbook.Snapshot, 1)
		go func() {
			s, err := d.Run(t.Context())
			require.NoError(t, err)
			done <- s
		}()
		until(t, c, atGate(runbook.StepConfirmPlan))
		err := c.Send(t.Context(), runbook.Command{Kind: runbook.EventRetry})
		require.ErrorIs(t, err, runbook.ErrRefused)
		err = c.Send(t.Context(), runbook.Command{Kind: runbook.EventDone})
		require.ErrorIs(t, err, runbook.ErrRefused)
		require.NoError(t, c.Send(t.Context(), runbook.Command{Kind: runbook.EventConfirmed, Step: runbook.StepConfirmPlan}))
		require.Equal(t, runbook.EventConfirmed, confirmedIn(m), "a granted command is in the journal")

		until(t, c, atGate(runbook.StepExitConfirm))
		err = c.Send(t.Context(), runbook.Command{Kind: runbook.EventConfirmed, Step: runbook.StepExitConfirm, Text: "wrong"})
		require.ErrorContains(t, err, `type "testnet"`)
		require.NoError(t, c.Send(t.Context(), runbook.Command{Kind: runbook.EventConfirmed, Step: runbook.StepExitConfirm, Text: "testnet"}))
		until(t, c, func(s runbook.Snapshot) bool { return s.Outcome == runbook.OutcomeMigrated })
		for u := range c.Updates() { // they end with the run
			require.True(t, u.Snapshot == nil || u.Snapshot.Outcome == runbook.OutcomeMigrated)
		}
		require.Equal(t, runbook.OutcomeMigrated, (<-done).Outcome)
		require.ErrorIs(t, c.Send(t.Context(), runbook.Command{Kind: runbook.EventAbort}), ErrEnded)
	})
}

func confirmedIn(m *memory) runbook.EventKind {
	for _, ev := range m.kept() {
		if ev.Kind == runbook.EventConfirmed {
			return ev.Kind
		}
	}
	return ""
}

func TestAClientThatFetchesNothingHoldsNothingUpAndFindsTheNewestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		logs := make(chan runbook.LogLine)
		d := newDriver(t, Options{Operator: n, Journal: m, Plan: n.Plan(), Logs: logs})
		slow := d.Client()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := d.Run(ctx); ended <- err }()
		for i := range 3 * feed.LogsKept {
			logs <- runbook.LogLine{Text: fmt.Sprint(i)}
		}
		time.Sleep(2 * interval) // of the bubble's clock
		synctest.Wait()
		stop()
		require.ErrorIs(t, <-ended, ErrStopped)
		var snapshots, lines int
		var last runbook.Update
		for u := range slow.Updates() {
			if u.Snapshot != nil {
				snapshots++
				last.Snapshot = u.Snapshot
			}
			lines += len(u.Log)
			if len(u.Log) > 0 {
				last.Log = u.Log
			}
		}
		require.LessOrEqual(t, snapshots, 2, "what was not fetched is replaced")
		require.Equal(t, runbook.StepConfirmPlan, last.Snapshot.Gate.Step)
		require.LessOrEqual(t, lines, 2*feed.LogsKept)
		require.Equal(t, fmt.Sprint(3*feed.LogsKept-1), last.Log[len(last.Log)-1].Text)
	})
}

func TestAClientThatComesLateFindsStateAndLogAndTheNumberOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		logs := make(chan runbook.LogLine)
		d := newDriver(t, Options{Operator: n, Journal: m, Plan: n.Plan(), Logs: logs})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := d.Run(ctx); ended <- err }()
		logs <- runbook.LogLine{Text: "Raft leader changed: 0 -> 1"}
		time.Sleep(2 * interval) // of the bubble's clock
		synctest.Wait()

		first, second := d.Client(), d.Client()
		synctest.Wait()
		u := <-second.Updates()
		require.Equal(t, runbook.StepConfirmPlan, u.Snapshot.Gate.Step)
		require.Equal(t, "Raft leader changed: 0 -> 1", u.Log[0].Text)
		require.Equal(t, 2, u.Clients)
		require.NoError(t, first.Close())
		require.NoError(t, first.Close(), "closing twice is harmless")
		require.Equal(t, 1, (<-second.Updates()).Clients)
		require.NoError(t, second.Close())
		stop()
		require.ErrorIs(t, <-ended, ErrStopped)
	})
}

// Snapshots come every tenth of a second at most, but not after a command.
func TestWhoConnectsAfterTheAnswerToACommandSeesWhatItDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m := network(), &memory{}
		d := newDriver(t, Options{Operator: n, Journal: m, Plan: n.Plan()})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		c := d.Client()
		go func() { _, err := d.Run(ctx); ended <- err }()
		until(t, c, atGate(runbook.StepConfirmPlan))
		require.NoError(t, c.Send(ctx, runbook.Command{Kind: runbook.EventConfirmed, Step: runbook.StepConfirmPlan}))
		late := d.Client()
		first := <-late.Updates()
		require.False(t, atGate(runbook.StepConfirmPlan)(*first.Snapshot))
		require.NoError(t, late.Close())
		require.NoError(t, c.Close())
		stop()
		require.ErrorIs(t, <-ended, ErrStopped)
	})
}
