package runbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

func unattended(t *testing.T, after runbook.Phase) *runbooktest.Run {
	t.Helper()
	return start(t, func(p *runbook.Plan) { p.Unattended, p.AbortAfter = true, after })
}

func breakTimes(n *runbooktest.Network, times int, f runbooktest.Failure) {
	f.What = "it broke"
	for range times {
		n.Fail(f)
	}
}

func TestAnUnattendedRunGoesBackAtOnceWhileItCan(t *testing.T) {
	r := unattended(t, "")
	breakTimes(r.Net, 1, runbooktest.Failure{Kind: runbook.TakeBackup})
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
	require.Equal(t, "it broke", r.Book.Snapshot().Problem.What)
}

func TestAnUnattendedRunThatChangedNothingJustFails(t *testing.T) {
	r := unattended(t, "")
	breakTimes(r.Net, 1, runbooktest.Failure{Kind: runbook.GatherFacts})
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeFailed, s.Outcome)
	require.False(t, s.Resumable)
	require.ErrorIs(t, r.Step(runbook.Event{Kind: runbook.EventResumed}), runbook.ErrRefused)
}

func TestAnUnattendedWayBackTriesAStepThreeTimes(t *testing.T) {
	r := unattended(t, runbook.PhaseSwitch)
	breakTimes(r.Net, 2, runbooktest.Failure{Kind: runbook.RestoreBackup, After: true})
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
	require.Nil(t, r.Book.Snapshot().Problem)
}

func TestAnUnattendedWayBackThatFailsForGoodCanBeResumed(t *testing.T) {
	r := unattended(t, runbook.PhaseSwitch)
	breakTimes(r.Net, 3, runbooktest.Failure{Kind: runbook.RestoreBackup})
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeFailed, s.Outcome)
	require.True(t, s.Resumable)
	require.Equal(t, "it broke", s.Problem.What)

	require.NoError(t, r.Recover(len(r.Journal)))
	require.Empty(t, r.Book.Snapshot().Outcome)
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
}

func TestAnUnattendedRunPastThePointOfNoReturnTriesOnAndCanBeResumed(t *testing.T) {
	r := unattended(t, "")
	breakTimes(r.Net, 5, runbooktest.Failure{Kind: runbook.SendTransactions})
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeFailed, s.Outcome)
	require.True(t, s.Resumable)
	require.False(t, s.AbortOffered)

	require.NoError(t, r.Recover(len(r.Journal))) // the failures left are used up by its retries
	require.NoError(t, r.Continue())
	requireMigrated(t, r)
}

func TestARunThatTheOperatorGaveUpIsNotResumed(t *testing.T) {
	r := start(t, nil)
	breakTimes(r.Net, 1, runbooktest.Failure{Kind: runbook.TakeBackup})
	require.NoError(t, r.Finish())
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventGiveUp}))
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeFailed, s.Outcome)
	require.False(t, s.Resumable)
	require.ErrorIs(t, r.Step(runbook.Event{Kind: runbook.EventResumed}), runbook.ErrRefused)
}

func TestAnAbortCancelsABackupThatIsBeingTaken(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, of(runbook.TakeBackup, ""))
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
	last := r.Journal[len(r.Journal)-1]
	require.NotContains(t, last.ID, "backup.copy")
	for _, ev := range r.Journal {
		require.False(t, ev.Kind == runbook.EventDone && ev.ID == "backup.copy#1", "it was not waited for")
	}
}

func TestAnAbortWaitsForProcessesThatAreBeingStopped(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, of(runbook.StopNodes, runbook.StepBackupStopBrokers))
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	require.Len(t, r.Active, 1, "nothing new is begun before it ended")
	require.True(t, r.Book.Snapshot().AbortAsked)
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
}

func TestTheWayBackStartsAnOrdererThatDied(t *testing.T) {
	r := unattended(t, "")
	upTo(t, r, of(runbook.AwaitChannels, runbook.StepVerifyMaintenance))
	r.Net.Kill("orderer1")
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
	require.Equal(t, "cannot be read", r.Book.Snapshot().Problem.What)
}
