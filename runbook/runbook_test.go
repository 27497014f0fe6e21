package runbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

func network() *runbooktest.Network {
	return runbooktest.New(runbooktest.Options{Channels: []string{"ch1", "ch2"}, ZooKeeper: 3})
}

// start begins an attended run on a new network.
func start(t *testing.T, change func(*runbook.Plan)) *runbooktest.Run {
	t.Helper()
	n := network()
	p := n.Plan()
	if change != nil {
		change(&p)
	}
	r, err := runbooktest.NewRun(n, p)
	require.NoError(t, err)
	return r
}

func requireMigrated(t *testing.T, r *runbooktest.Run) {
	t.Helper()
	s := r.Book.Snapshot()
	require.Nil(t, s.Problem)
	require.Equal(t, runbook.OutcomeMigrated, s.Outcome)
	x := runbook.Expectation{Type: runbook.TypeRaft, State: runbook.StateNormal, MetadataHash: runbooktest.MetadataHash(), Agreement: true, Leader: true}
	require.Empty(t, x.Judge(r.Net.States()))
	require.Empty(t, r.Net.Faults())
	for _, c := range r.Net.States() {
		for _, change := range []runbook.Change{runbook.ChangeEnterMaintenance, runbook.ChangeSwitchType, runbook.ChangeExitMaintenance} {
			require.Equal(t, 1, r.Net.Submitted(c.Name, change), "%s on %s", change, c.Name)
		}
	}
	require.Empty(t, runbook.Broken(r.Journal))
}

func requireRolledBack(t *testing.T, r *runbooktest.Run) {
	t.Helper()
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeRolledBack, s.Outcome, "%+v", s.Problem)
	x := runbook.Expectation{Type: runbook.TypeKafka, State: runbook.StateNormal, NoMetadata: true, Agreement: true}
	require.Empty(t, x.Judge(r.Net.States()))
	require.Empty(t, r.Net.Faults())
	require.Empty(t, runbook.Broken(r.Journal))
}

func TestAnAttendedRunMigratesEveryChannel(t *testing.T) {
	r := start(t, nil)
	require.NoError(t, r.Finish())
	requireMigrated(t, r)
}

func TestAnUnattendedRunMigratesWithoutAsking(t *testing.T) {
	r := start(t, func(p *runbook.Plan) { p.Unattended = true })
	require.NoError(t, r.Continue())
	requireMigrated(t, r)
}

func TestARehearsalRollsBackAfterThePhaseItNames(t *testing.T) {
	for _, phase := range []runbook.Phase{runbook.PhasePrepare, runbook.PhaseMaintenance, runbook.PhaseBackup, runbook.PhaseSwitch, runbook.PhaseRestart} {
		t.Run(string(phase), func(t *testing.T) {
			r := start(t, func(p *runbook.Plan) { p.Unattended, p.AbortAfter = true, phase })
			require.NoError(t, r.Continue())
			requireRolledBack(t, r)

			again, err := runbooktest.NewRun(r.Net, r.Net.Plan())
			require.NoError(t, err)
			require.NoError(t, again.Finish())
			require.Equal(t, runbook.OutcomeMigrated, again.Book.Snapshot().Outcome)
			require.Empty(t, r.Net.Faults())
		})
	}
}

func TestARunThatDiesAtAnyRecordIsResumedAndSubmitsNothingTwice(t *testing.T) {
	plain := start(t, func(p *runbook.Plan) { p.Unattended = true })
	require.NoError(t, plain.Continue())
	everyCrash(t, len(plain.Journal), func(p *runbook.Plan) {}, requireMigrated)
}

func TestARollbackThatDiesAtAnyRecordIsResumed(t *testing.T) {
	for _, phase := range []runbook.Phase{runbook.PhaseMaintenance, runbook.PhaseBackup, runbook.PhaseSwitch, runbook.PhaseRestart} {
		t.Run(string(phase), func(t *testing.T) {
			abort := func(p *runbook.Plan) { p.AbortAfter = phase }
			plain := start(t, func(p *runbook.Plan) { p.Unattended = true; abort(p) })
			require.NoError(t, plain.Continue())
			everyCrash(t, len(plain.Journal), abort, requireRolledBack)
		})
	}
}

// everyCrash crashes a run after each journal record: before anything that was
// intended was performed, after all of it was, and with updates under way.
func everyCrash(t *testing.T, records int, change func(*runbook.Plan), check func(*testing.T, *runbooktest.Run)) {
	everyCrashOn(t, records, func(*runbooktest.Run) {}, change, check)
}

// everyCrashOn is everyCrash on a network that was hurt before.
func everyCrashOn(t *testing.T, records int, hurt func(*runbooktest.Run), change func(*runbook.Plan), check func(*testing.T, *runbooktest.Run)) {
	performed := map[string]func(r *runbooktest.Run, e runbook.Effect){
		"before":    func(*runbooktest.Run, runbook.Effect) {},
		"after":     func(r *runbooktest.Run, e runbook.Effect) { _, _ = r.Net.Perform(t.Context(), e, nil) },
		"under way": func(r *runbooktest.Run, e runbook.Effect) { r.Net.PerformLater(e) },
	}
	for name, perform := range performed {
		for at := 1; at <= records; at++ {
			r := start(t, func(p *runbook.Plan) {
				p.Unattended = true
				if change != nil {
					change(p)
				}
			})
			hurt(r)
			// A crash point that lies within the first Ready has passed already.
			if at > len(r.Journal) {
				r.CrashAt = at
				require.ErrorIs(t, r.Continue(), runbooktest.ErrCrashed)
			}
			for _, e := range openEffects(r.Journal[:at]) {
				perform(r, e)
			}
			require.NoError(t, r.Recover(at), "%s record %d", name, at)
			require.NoError(t, r.Continue(), "%s record %d", name, at)
			check(t, r)
		}
	}
}

// openEffects returns the effects that were intended and have no result.
func openEffects(journal []runbook.Event) []runbook.Effect {
	var out []runbook.Effect
	for i, ev := range journal {
		if ev.Kind != runbook.EventIntended {
			continue
		}
		open := true
		for _, later := range journal[i:] {
			if (later.Kind == runbook.EventDone || later.Kind == runbook.EventFailed) && later.ID == ev.ID {
				open = false
			}
		}
		if open {
			out = append(out, *ev.Effect)
		}
	}
	return out
}

func TestReplayGivesTheSameStateAtEveryRecord(t *testing.T) {
	r := start(t, func(p *runbook.Plan) { p.Unattended = true; p.AbortAfter = runbook.PhaseRestart })
	for len(r.Active) > 0 {
		again, err := runbook.Replay(r.Journal)
		require.NoError(t, err)
		require.Equal(t, r.Book.Snapshot(), again.Snapshot())
		require.NoError(t, r.Complete(len(r.Active)-1))
	}
	again, err := runbook.Replay(r.Journal)
	require.NoError(t, err)
	require.Equal(t, r.Book.Snapshot(), again.Snapshot())
	require.Equal(t, runbook.OutcomeRolledBack, again.Snapshot().Outcome)
}
