package runbook_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// TestRulesHoldWhateverHappens lets operators decide, effects fail, processes
// die and networks misbehave at random, and demands after every event that no
// rule is broken, that a replay of the journal gives the same state, and that
// the network never came to harm.
func TestRulesHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := runbooktest.New(runbooktest.Options{
			Channels:  []string{"ch1", "ch2"},
			ZooKeeper: rapid.SampledFrom([]int{0, 3}).Draw(t, "zookeeper"),
		})
		p := n.Plan()
		p.Unattended = rapid.Bool().Draw(t, "unattended")
		p.AbortAfter = rapid.SampledFrom([]runbook.Phase{"", "", "", runbook.PhaseMaintenance, runbook.PhaseBackup, runbook.PhaseSwitch, runbook.PhaseRestart}).Draw(t, "abort after")
		if p.AwaitSignatures = rapid.IntRange(0, 3).Draw(t, "await signatures") == 0; p.AwaitSignatures {
			n.RequireSignatures()
		}
		run, err := runbooktest.NewRun(n, p)
		require.NoError(t, err)
		w := &world{Run: run, exitRefused: rapid.IntRange(0, 9).Draw(t, "refuse exit") == 0}
		n.RefuseExit(w.exitRefused)
		for range 400 {
			s := run.Book.Snapshot()
			if s.Outcome != "" && s.Resumable && rapid.Bool().Draw(t, "resume") {
				w.must(t, w.Recover(len(w.Journal)))
			} else if s.Outcome != "" {
				break
			}
			w.step(t)
			w.check(t)
		}
		w.checkEnd(t)
	})
}

// world is a run and what goes on around it.
type world struct {
	*runbooktest.Run
	exitRefused bool
	foreign     int
}

// step lets one thing happen. Most of the time an effect is simply completed,
// so that runs get far.
func (w *world) step(t *rapid.T) {
	s := w.Book.Snapshot()
	what := rapid.IntRange(0, 99).Draw(t, "what")
	switch {
	case what < 6:
		w.crash(t)
	case what < 9:
		_ = w.Step(runbook.Event{Kind: runbook.EventAbort, Text: "because"})
	case what < 10:
		_ = w.Net.CreateChannel(rapid.SampledFrom([]string{"new1", "new2"}).Draw(t, "new channel"))
	case what < 11 && w.foreign < 1:
		w.foreign++
		w.Net.ForeignUpdate(rapid.SampledFrom([]string{runbooktest.SystemChannel, "ch1"}).Draw(t, "foreign update"))
	case what < 17 && len(w.Active) > 0:
		e := w.Active[0]
		w.Net.Fail(runbooktest.Failure{Kind: e.Kind, Channel: e.Channel, Tier: e.Tier,
			After: rapid.Bool().Draw(t, "after"), Late: e.Kind == runbook.SubmitUpdate && rapid.Bool().Draw(t, "late"), What: "it broke"})
		w.must(t, w.Complete(0))
	case what < 18:
		_ = w.Step(runbook.Event{Kind: runbook.EventGiveUp})
	case what < 20:
		w.Net.Kill(rapid.SampledFrom(append(w.Net.Plan().Brokers, w.Net.Plan().ZooKeeper...)).Draw(t, "dies"))
	case len(w.Active) > 0:
		w.must(t, w.Complete(rapid.IntRange(0, len(w.Active)-1).Draw(t, "which")))
	case s.Gate != nil:
		w.must(t, w.Pass())
	case s.Problem != nil:
		if len(s.Awaited) > 0 { // one of them, or all
			w.Net.Sign(s.Awaited[0].Channel)
			if rapid.Bool().Draw(t, "sign all") {
				w.Net.Sign()
			}
		}
		_ = w.Step(runbook.Event{Kind: rapid.SampledFrom([]runbook.EventKind{runbook.EventRetry, runbook.EventRetry, runbook.EventAbort}).Draw(t, "decision")})
	default:
		require.NotEmpty(t, s.Outcome, "nothing is done, and nobody is asked: %+v", s.Steps[max(0, s.Current)])
	}
}

func (w *world) must(t *rapid.T, err error) { require.NoError(t, err) }

// crash ends the process: of what it was doing each part has happened, has not,
// or is still under way. The journal may lack the records of the last Ready
// whose effects had not been begun, which is the same as not having happened.
func (w *world) crash(t *rapid.T) {
	for _, e := range w.Active {
		switch rapid.IntRange(0, 2).Draw(t, "fate of "+string(e.ID)) {
		case 1:
			_, _ = w.Net.Perform(t.Context(), e, nil)
		case 2:
			w.Net.PerformLater(e)
		}
	}
	w.must(t, w.Recover(len(w.Journal)))
}

func (w *world) check(t *rapid.T) {
	require.Empty(t, runbook.Broken(w.Journal))
	require.Empty(t, w.Net.Faults())
	again, err := runbook.Replay(w.Journal)
	require.NoError(t, err)
	require.Equal(t, w.Book.Snapshot(), again.Snapshot())
	s := w.Book.Snapshot()
	if exited := slices.ContainsFunc(w.Net.States(), leftOnRaft); exited {
		require.False(t, s.AbortOffered, "the way back is closed once a channel has left maintenance on Raft")
	}
}

// leftOnRaft reports whether a channel is in normal operation on Raft.
func leftOnRaft(c runbook.ChannelState) bool {
	return slices.ContainsFunc(c.Nodes, func(n runbook.NodeState) bool {
		return n.Type == runbook.TypeRaft && n.State == runbook.StateNormal
	})
}

// checkEnd demands that an outcome is what it says.
func (w *world) checkEnd(t *rapid.T) {
	s := w.Book.Snapshot()
	switch s.Outcome {
	case runbook.OutcomeMigrated:
		x := runbook.Expectation{Type: runbook.TypeRaft, State: runbook.StateNormal, MetadataHash: runbooktest.MetadataHash(), Leader: true, Agreement: true}
		require.Empty(t, x.Judge(w.Net.States()))
		for _, c := range w.Net.States() {
			for _, change := range []runbook.Change{runbook.ChangeEnterMaintenance, runbook.ChangeSwitchType, runbook.ChangeExitMaintenance} {
				require.Equal(t, 1, w.Net.Submitted(c.Name, change), "%s on %s", change, c.Name)
			}
		}
	case runbook.OutcomeRolledBack:
		x := runbook.Expectation{Type: runbook.TypeKafka, State: runbook.StateNormal, NoMetadata: true, Agreement: true}
		require.Empty(t, x.Judge(w.Net.States()))
	case runbook.OutcomeFailed:
		require.NotNil(t, s.Problem)
	}
}
