package runbook_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// kafkaFaults are what happens to brokers and ZooKeeper nodes by itself.
var kafkaFaults = map[string][]string{
	"a broker":                     {"broker0"},
	"more brokers than M allows":   {"broker0", "broker1"},
	"all brokers":                  {"broker0", "broker1", "broker2", "broker3"},
	"a ZooKeeper node":             {"zookeeper0"},
	"the quorum of ZooKeeper":      {"zookeeper0", "zookeeper1"},
	"all brokers and ZooKeeper":    {"broker0", "broker1", "broker2", "broker3", "zookeeper0", "zookeeper1", "zookeeper2"},
	"a broker without any replica": {"broker3"},
}

// Whatever dies of Kafka before whichever effect of a run, forward or on its
// way back: an unattended run ends migrated or rolled back, or failed before it
// changed anything; never in between. It says what it saw, no rule is broken,
// and the network comes to no harm.
func TestKafkaFaultsAtEveryEffectEndMigratedOrRolledBack(t *testing.T) {
	for _, after := range []runbook.Phase{"", runbook.PhaseMaintenance, runbook.PhaseBackup, runbook.PhaseSwitch, runbook.PhaseRestart} {
		effects := 0
		for _, ev := range journalOf(t, func(p *runbook.Plan) { p.AbortAfter = after }) {
			if ev.Kind == runbook.EventIntended {
				effects++
			}
		}
		for fault, nodes := range kafkaFaults {
			for at := range effects {
				t.Run(fmt.Sprintf("abort after %q/%s/%d", after, fault, at), func(t *testing.T) {
					n := runbooktest.New(runbooktest.Options{ZooKeeper: 3, Channels: []string{"ch1", "ch2"}})
					p := n.Plan()
					p.Unattended, p.AbortAfter = true, after
					r, err := runbooktest.NewRun(n, p)
					require.NoError(t, err)
					requireEndsWell(t, r, at, nodes)
				})
			}
		}
	}
}

// The same on the way back from an exit that was refused on Raft.
func TestKafkaFaultsAfterARefusedExitEndRolledBack(t *testing.T) {
	for fault, nodes := range kafkaFaults {
		for at := range 80 {
			t.Run(fmt.Sprintf("%s/%d", fault, at), func(t *testing.T) {
				n := runbooktest.New(runbooktest.Options{ZooKeeper: 3, Channels: []string{"ch1", "ch2"}})
				n.RefuseExit(true)
				p := n.Plan()
				p.Unattended = true
				r, err := runbooktest.NewRun(n, p)
				require.NoError(t, err)
				requireEndsWell(t, r, at, nodes)
				require.NotEqual(t, runbook.OutcomeMigrated, r.Book.Snapshot().Outcome)
			})
		}
	}
}

// requireEndsWell performs effects, kills nodes before one of them, and looks
// at the end.
func requireEndsWell(t *testing.T, r *runbooktest.Run, at int, nodes []string) {
	t.Helper()
	step := runbook.StepID("")
	for done := 0; len(r.Active) > 0; done++ {
		if done == at {
			step = r.Active[0].Step
			for _, node := range nodes {
				r.Net.Kill(node)
			}
		}
		require.NoError(t, r.Complete(0))
		require.Less(t, done, 1000)
	}
	s := r.Book.Snapshot()
	require.Empty(t, runbook.Broken(r.Journal))
	require.Empty(t, r.Net.Faults())
	switch s.Outcome {
	case runbook.OutcomeMigrated:
		requireMigrated(t, r)
	case runbook.OutcomeRolledBack:
		requireRolledBack(t, r)
	default:
		require.Equal(t, runbook.OutcomeFailed, s.Outcome)
		require.Equal(t, "Nothing has been changed. Going back only ends the run.", lastUndo(s), "%s: it ended in between: %+v", step, s.Problem)
	}
	if s.Outcome != runbook.OutcomeMigrated && s.Plan.AbortAfter == "" {
		require.NotNil(t, s.Problem, "%s: it went back without saying why", step)
	}
}

func lastUndo(s runbook.Snapshot) string { return s.Steps[s.Current].Explain.Undo }
