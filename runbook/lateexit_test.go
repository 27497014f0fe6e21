package runbook_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// exitTimesOut makes the update that leaves maintenance on the system channel
// time out, and arrive only as the orderers stop.
func exitTimesOut(r *runbooktest.Run) {
	r.Net.Fail(runbooktest.Failure{
		Kind: runbook.SubmitUpdate, Change: runbook.ChangeExitMaintenance, Late: true, What: "no answer in time",
	})
}

// An exit that timed out, and that every node was seen not to have, is
// committed between that look and the stop of the orderers: nothing may be
// restored over it. The run goes forward instead.
func TestAnExitThatIsCommittedAsTheOrderersStopIsNotRestoredOver(t *testing.T) {
	r := start(t, func(p *runbook.Plan) { p.Unattended = true })
	exitTimesOut(r)
	require.NoError(t, r.Continue())
	require.Empty(t, r.Net.Faults())
	requireMigrated(t, r)
}

// As above, wherever the process dies.
func TestAnExitThatIsCommittedLateIsNotRestoredOverWhereverTheRunDies(t *testing.T) {
	late := start(t, func(p *runbook.Plan) { p.Unattended = true })
	exitTimesOut(late)
	require.NoError(t, late.Continue())
	everyCrashOn(t, len(late.Journal), exitTimesOut, nil, func(t *testing.T, r *runbooktest.Run) {
		require.Empty(t, r.Net.Faults())
		requireMigrated(t, r)
	})
}

// toTheStop drives an attended run to the stop of the orderers on its way back
// from an exit that failed.
func toTheStop(t *testing.T, hurt func(*runbooktest.Network)) *runbooktest.Run {
	t.Helper()
	r := start(t, nil)
	hurt(r.Net)
	require.NoError(t, r.Finish())
	require.True(t, r.Book.Snapshot().AbortOffered, "%+v", r.Book.Snapshot().Problem)
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	require.Equal(t, runbook.ReadChannels, r.Active[0].Kind)
	require.NoError(t, r.Complete(0))
	require.Equal(t, runbook.StopNodes, r.Active[0].Kind)
	return r
}

func refusesExit(n *runbooktest.Network) { n.RefuseExit(true) }

func TestAWayBackThatIsClosedAgainGoesForwardWhenRetried(t *testing.T) {
	for name, test := range map[string]struct {
		hurt func(*runbooktest.Network) // before the exit
		late func(*runbooktest.Run)     // at the stop of the orderers
		what string
		why  string
	}{
		"the exit is committed after all": {
			hurt: func(n *runbooktest.Network) { exitTimesOut(&runbooktest.Run{Net: n}) },
			late: func(*runbooktest.Run) {},
			what: "no way back: the channel has left maintenance mode on Raft after all",
			why:  "was committed, by height 5: clients may have written since",
		},
		"another administrator updates a channel": {
			hurt: refusesExit,
			late: func(r *runbooktest.Run) { r.Net.ForeignUpdate(runbooktest.SystemChannel) },
			what: "no way back: the channel has grown after it was last seen in maintenance mode",
			why:  "its height is 5, it was 4",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := toTheStop(t, test.hurt)
			test.late(r)
			require.NoError(t, r.Continue())

			s := r.Book.Snapshot()
			require.Equal(t, runbook.StepExitNormal, s.Steps[s.Current].ID)
			require.Equal(t, runbook.StatusFailed, s.Steps[s.Current].Status)
			require.Equal(t, test.what, s.Problem.What)
			require.Equal(t, "syschan on orderer0", s.Problem.Where)
			require.Contains(t, s.Problem.Why, test.why)
			require.Contains(t, s.Problem.Hint, "goes forward")
			require.False(t, s.AbortOffered)
			require.Contains(t, s.AbortNote, "No way back: an update that leaves maintenance mode on Raft was submitted")
			require.ErrorIs(t, r.Step(runbook.Event{Kind: runbook.EventAbort}), runbook.ErrRefused)
			require.Equal(t, runbook.StatusPending, s.Steps[s.Current+1].Status)
			require.Contains(t, s.Steps[s.Current].Evidence[len(s.Steps[s.Current].Evidence)-1].Summary, "ledgers read")

			r.Net.RefuseExit(false)
			require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
			require.NoError(t, r.Continue())
			require.Empty(t, r.Net.Faults())
			requireMigrated(t, r)
			again, err := runbook.Replay(r.Journal)
			require.NoError(t, err)
			require.Equal(t, r.Book.Snapshot(), again.Snapshot())
		})
	}
}

// The exit that is refused is refused again after the way forward: then the way
// back is open again, and nothing stands in its way.
func TestAWayBackThatWasClosedAgainMayOpenOnceMore(t *testing.T) {
	r := toTheStop(t, refusesExit)
	r.Net.ForeignUpdate(runbooktest.SystemChannel)
	require.NoError(t, r.Continue())
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	require.NoError(t, r.Continue())
	require.True(t, r.Book.Snapshot().AbortOffered)
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	require.NoError(t, r.Continue())
	require.Empty(t, r.Net.Faults())
	requireRolledBack(t, r)
}

// What the last look before the stop finds closes the way back as well, with
// the orderers up.
func TestAnExitThatTheLastLookFindsClosesTheWayBack(t *testing.T) {
	r := start(t, nil)
	r.Net.RefuseExit(true)
	require.NoError(t, r.Finish())
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	r.Net.RefuseExit(false)
	_, err := r.Net.Perform(t.Context(), runbook.Effect{Kind: runbook.SubmitUpdate, Channel: runbooktest.SystemChannel, Change: runbook.ChangeExitMaintenance}, nil)
	require.NoError(t, err)
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.Equal(t, runbook.StepExitNormal, s.Steps[s.Current].ID)
	require.False(t, s.AbortOffered)
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	require.NoError(t, r.Continue())
	requireMigrated(t, r)
}

// A ledger that cannot be read proves nothing: the run stands still on its way
// back, and goes on with it once the ledger can be read.
func TestALedgerAtRestThatCannotBeReadStopsTheWayBack(t *testing.T) {
	r := toTheStop(t, refusesExit)
	r.Tamper = func(e runbook.Effect, ev *runbook.Evidence) {
		if e.Kind == runbook.ReadLedgers {
			ev.Channels[1].Nodes[2] = runbook.NodeState{Node: "orderer2", Error: "input/output error"}
		}
	}
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.Equal(t, runbook.StepRollbackRestore, s.Steps[s.Current].ID)
	require.Equal(t, "ch1 on orderer2", s.Problem.Where)
	require.Contains(t, s.Problem.Hint, "retry")
	r.Tamper = nil
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	require.NoError(t, r.Continue())
	require.Empty(t, r.Net.Faults())
	requireRolledBack(t, r)
}

// TestR9FindsWhatIsRestoredOver tampers with the journal of a good way back.
func TestR9FindsWhatIsRestoredOver(t *testing.T) {
	r := start(t, func(p *runbook.Plan) { p.Unattended = true })
	r.Net.RefuseExit(true)
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
	first := of(runbook.ReadLedgers, "")
	good := without(r.Journal, func(e runbook.Effect) bool { return e.ID == "rollback.restore#3" }) // one of the two looks
	require.Empty(t, runbook.Broken(good))
	for name, tampered := range map[string][]runbook.Event{
		"nobody looks":    without(good, first),
		"a channel left":  observed(t, good, first, func(n *runbook.NodeState) { n.State = runbook.StateNormal }),
		"a channel grew":  observed(t, good, first, func(n *runbook.NodeState) { n.Height++ }),
		"one is not read": observed(t, good, first, func(n *runbook.NodeState) { n.Error = "input/output error" }),
		"it is looked at before the orderers are down": without(good, func(e runbook.Effect) bool {
			return e.Kind == runbook.StopNodes && e.Step == runbook.StepRollbackStopOrderers
		}),
	} {
		require.Contains(t, strings.Join(runbook.Broken(tampered), "\n"), "R9: ", name)
	}
}

// The same for a way back that nothing closes again.
func TestAWayBackFromARefusedExitThatDiesAtAnyRecordIsResumed(t *testing.T) {
	refused := start(t, func(p *runbook.Plan) { p.Unattended = true })
	refused.Net.RefuseExit(true)
	require.NoError(t, refused.Continue())
	everyCrashOn(t, len(refused.Journal), func(r *runbooktest.Run) { r.Net.RefuseExit(true) }, nil, requireRolledBack)
}
