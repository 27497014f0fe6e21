package runbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// tampered runs up to a step of which the evidence of one effect is changed
// once, and returns why the run stands still there.
func tampered(t *testing.T, step runbook.StepID, kind runbook.EffectKind, tamper func(*runbook.ChannelState)) *runbook.Problem {
	t.Helper()
	r := start(t, nil)
	done := false
	r.Tamper = func(e runbook.Effect, ev *runbook.Evidence) {
		if !done && e.Step == step && e.Kind == kind {
			done = true
			tamper(&ev.Channels[min(1, len(ev.Channels)-1)])
		}
	}
	require.NoError(t, r.Finish())
	s := r.Book.Snapshot()
	require.NotNil(t, s.Problem)
	require.Equal(t, step, s.Steps[s.Current].ID)
	return s.Problem
}

// unread makes a node's view one that could not be read.
func unread(n *runbook.NodeState) { *n = runbook.NodeState{Node: n.Node, Error: "it took too long"} }

func TestANodeThatCannotBeReadIsNoReasonToAbort(t *testing.T) {
	p := tampered(t, runbook.StepSwitchGate, runbook.ReadChannels, func(c *runbook.ChannelState) { unread(&c.Nodes[0]) })
	require.Equal(t, "ch1 on orderer0: cannot be read: it took too long", p.Error())
	require.NotContains(t, p.Hint, "Abort")
	require.Contains(t, p.Hint, "retry")

	p = stoppedBy(t, runbook.StepRestartLeaders, runbook.AwaitChannels, unread)
	require.Contains(t, p.Hint, "its TLS certificate", "a node may not be there because of what the step looks for")
}

func TestANodeThatCannotBeReadIsNotSaidToBeBehind(t *testing.T) {
	for _, step := range []runbook.StepID{
		runbook.StepEnterMaintenance, runbook.StepVerifyMaintenance, runbook.StepBackupRecheck, runbook.StepSwitchVerify, runbook.StepRestartLeaders,
	} {
		p := stoppedBy(t, step, runbook.AwaitChannels, unread)
		require.Equal(t, "cannot be read", p.What, step)
		require.Contains(t, p.Hint, "See that the node runs and can be reached", step)
		require.NotContains(t, p.Hint, "behind", step)
	}
}

// stoppedBy is tampered for the first node of the last channel.
func stoppedBy(t *testing.T, step runbook.StepID, kind runbook.EffectKind, tamper func(*runbook.NodeState)) *runbook.Problem {
	t.Helper()
	return tampered(t, step, kind, func(c *runbook.ChannelState) { tamper(&c.Nodes[0]) })
}

func TestWhatWasSeenComesBeforeWhatCouldNotBeRead(t *testing.T) {
	p := tampered(t, runbook.StepSwitchGate, runbook.ReadChannels, func(c *runbook.ChannelState) {
		unread(&c.Nodes[0])
		c.Nodes[1].LastBlockIsConfig = false
	})
	require.Equal(t, "last block is not the type change", p.What)
	require.Contains(t, p.Hint, "Abort")
}

func TestAForkIsSaidFirst(t *testing.T) {
	p := tampered(t, runbook.StepVerifyMaintenance, runbook.AwaitChannels, func(c *runbook.ChannelState) {
		unread(&c.Nodes[0])
		c.Nodes[1].LastBlockHash = "other"
	})
	require.Equal(t, "nodes have different last blocks at the same height", p.What)
	require.Contains(t, p.Hint, "keep all data")
	require.Contains(t, p.Why, "and 1 more")
}

// The screens tell one failure from the next by the time at which the step
// ended, and may never see it run in between.
func TestAStepThatFailsHasEndedAndEachTryAnew(t *testing.T) {
	r := start(t, nil)
	r.Net.Fail(runbooktest.Failure{Kind: runbook.ListChannels, What: "it broke"})
	r.Net.Fail(runbooktest.Failure{Kind: runbook.ListChannels, What: "it broke"})
	require.NoError(t, r.Finish())
	step := func() runbook.StepView { s := r.Book.Snapshot(); return s.Steps[s.Current] }
	first := step()
	require.Equal(t, runbook.StatusFailed, first.Status)
	require.False(t, first.EndedAt.IsZero())

	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	require.Equal(t, runbook.StatusRunning, step().Status)
	require.Zero(t, step().EndedAt, "it is under way again")
	require.NoError(t, r.Finish())
	second := step()
	require.Equal(t, runbook.StatusFailed, second.Status)
	require.True(t, second.EndedAt.After(first.EndedAt))
}

// What going back costs changes while a step runs: it must not be told as of
// the step's start beside what the run offers now.
func TestTheUndoOfTheStepInHandIsThatOfNow(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, of(runbook.AwaitChannels, runbook.StepEnterMaintenance))
	s := r.Book.Snapshot()
	require.Contains(t, s.AbortNote, "one update per channel")
	require.Equal(t, s.AbortNote, s.Steps[s.Current].Explain.Undo)
}
