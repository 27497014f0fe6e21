package runbook_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// awaiting begins an unattended run whose updates others sign.
func awaiting(t *testing.T, after runbook.Phase) *runbooktest.Run {
	t.Helper()
	n := network()
	n.RequireSignatures()
	p := n.Plan()
	p.Unattended, p.AwaitSignatures, p.AbortAfter = true, true, after
	r, err := runbooktest.NewRun(n, p)
	require.NoError(t, err)
	return r
}

// signed signs what the run stands still for, and retries; it returns for what.
func signed(t *testing.T, r *runbooktest.Run) (waited []string) {
	t.Helper()
	require.NoError(t, r.Continue())
	for s := r.Book.Snapshot(); len(s.Awaited) > 0; s = r.Book.Snapshot() {
		require.Equal(t, runbook.WaitsForSignatures, s.Problem.Waits)
		require.Empty(t, s.Outcome)
		what := string(s.Steps[s.Current].ID)
		for _, a := range s.Awaited {
			what += " " + a.Channel
			r.Net.Sign(a.Channel)
		}
		waited = append(waited, what)
		require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
		require.NoError(t, r.Continue())
	}
	return waited
}

func TestARunStandsStillOncePerRoundForSignatures(t *testing.T) {
	r := awaiting(t, "")
	require.Equal(t, []string{
		"maintenance.enter syschan ch1 ch2", "switch.type syschan ch1 ch2", "exit.normal syschan ch1 ch2",
	}, signed(t, r))
	requireMigrated(t, r)
	require.Nil(t, r.Book.Snapshot().Awaited)
}

// Between the look at the signatures and the submission a configuration may
// change: the orderers would refuse what was signed. That is no failure.
func TestAnUpdateThatWentStaleAfterItsSignatureIsSignedAnew(t *testing.T) {
	for _, channel := range []string{runbooktest.SystemChannel, "ch2"} {
		t.Run(channel, func(t *testing.T) {
			r := awaiting(t, "")
			require.NoError(t, r.Continue())
			r.Net.Sign()
			require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
			upTo(t, r, update(runbook.ChangeEnterMaintenance, channel))
			r.Net.ForeignUpdate(channel)
			require.NoError(t, r.Continue())
			p := r.Book.Snapshot().Problem
			require.Equal(t, channel, p.Where)
			require.Contains(t, p.Hint, "No administrator of Org2MSP has signed.")
			require.Contains(t, p.Hint, "The configuration of "+channel+" has changed since")
			require.Equal(t, "maintenance.enter "+channel, signed(t, r)[0])
			requireMigrated(t, r)
		})
	}
}

func TestAChannelThatWasCreatedMeanwhileIsSignedForToo(t *testing.T) {
	r := awaiting(t, "")
	require.NoError(t, r.Continue())
	require.NoError(t, r.Net.CreateChannel("new"))
	require.Equal(t, []string{
		"maintenance.enter syschan ch1 ch2", "maintenance.relist new",
		"switch.type syschan ch1 ch2 new", "exit.normal syschan ch1 ch2 new",
	}, signed(t, r))
	requireMigrated(t, r)
}

func TestTheWayBackWaitsForSignaturesOnce(t *testing.T) {
	r := awaiting(t, runbook.PhaseBackup)
	require.Equal(t, []string{"maintenance.enter syschan ch1 ch2", "rollback.normal syschan ch1 ch2"}, signed(t, r))
	requireRolledBack(t, r)
}

// Whoever waits for signatures can still ask for the way back, and what failed
// counts before what waits.
func TestAnAbortIsPossibleWhileSignaturesAreAwaited(t *testing.T) {
	r := awaiting(t, "")
	require.NoError(t, r.Continue())
	require.True(t, r.Book.Snapshot().AbortOffered)
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	require.Equal(t, runbook.OutcomeRolledBack, r.Book.Snapshot().Outcome)
}

func TestAFailureCountsBeforeAnUpdateThatWaits(t *testing.T) {
	r := awaiting(t, "")
	require.NoError(t, r.Continue())
	r.Net.Sign()
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	upTo(t, r, update(runbook.ChangeEnterMaintenance, "ch1"))
	r.Net.ForeignUpdate("ch1")
	breakTimes(r.Net, 1, runbooktest.Failure{Kind: runbook.SubmitUpdate, Channel: "ch2"})
	require.Equal(t, []string{"rollback.normal syschan"}, signed(t, r), "the run goes back; ch1 and ch2 never entered")
	requireRolledBack(t, r)
	require.Equal(t, "it broke", r.Book.Snapshot().Problem.What)
}

// Of many looks at who has signed only the newest is kept in the step.
func TestARunThatWaitsLongKeepsOneEvidenceOfIt(t *testing.T) {
	r := awaiting(t, "")
	require.NoError(t, r.Continue())
	for range 5 {
		require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
		require.NoError(t, r.Continue())
	}
	s := r.Book.Snapshot()
	require.Len(t, s.Steps[s.Current].Evidence, 1)
	require.Len(t, s.Steps[s.Current].Evidence[0].Signatures, 3)
}

func TestARunWithoutSignaturesFromElsewhereCollectsNone(t *testing.T) {
	r := start(t, nil)
	require.NoError(t, r.Finish())
	for _, ev := range r.Journal {
		require.False(t, ev.Effect != nil && ev.Effect.Kind == runbook.CollectSignatures)
	}
}

func TestTheStepsThatWaitForSignaturesSaySo(t *testing.T) {
	r := awaiting(t, runbook.PhaseRestart)
	signed(t, r)
	var say []runbook.StepID
	for _, s := range r.Book.Snapshot().Steps {
		if strings.Contains(s.Explain.What, "signed elsewhere") {
			say = append(say, s.ID)
		}
		for _, sentence := range strings.Split(s.Explain.What, ". ") {
			require.LessOrEqual(t, len(strings.Fields(sentence)), 35, s.ID)
		}
	}
	require.Equal(t, []runbook.StepID{runbook.StepEnterMaintenance, runbook.StepSwitchType, runbook.StepExitNormal, runbook.StepRollbackNormal}, say)
}
