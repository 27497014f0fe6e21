package present

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// operating is a snapshot of a run that adds a consenter.
func operating(change func(*runbook.Snapshot)) *runbook.Snapshot {
	return snap(func(s *runbook.Snapshot) {
		s.Plan.Operation = &runbook.Operation{Kind: runbook.AddConsenter, Node: "orderer4"}
		change(s)
	})
}

// An operation on Raft is spoken of in its own words: nothing of it leads to Kafka.
func TestAnOperationIsToldInItsOwnWords(t *testing.T) {
	done := operating(func(s *runbook.Snapshot) {
		s.Outcome, s.Channels, s.EndedAt = runbook.OutcomeDone, make([]runbook.ChannelState, 2), s.StartedAt.Add(3*time.Second)
	})
	require.Equal(t, MoodDone, MoodOf(done, true))
	require.Equal(t, Good, MoodDone.Tone())
	require.Contains(t, Outcome(done), "add consenter orderer4, proven on 2 channels.")

	ended := operating(func(s *runbook.Snapshot) { s.Outcome = runbook.OutcomeRolledBack })
	require.Contains(t, Outcome(ended), "nothing was changed")
	require.Equal(t, "way back: taken - nothing was changed", WayBack(ended).String())

	open := operating(func(s *runbook.Snapshot) { s.AbortOffered, s.AbortNote = true, "Nothing has been changed." })
	for _, d := range []DialogText{AbortDialog(open, ""), ProblemDialog(open, "", "", ""), GiveUpDialog(open, "")} {
		require.Equal(t, "n", d.Choice[0].Key)
		for _, text := range append([]string{d.Title}, texts(d)...) {
			require.NotContains(t, text, "Kafka")
			require.NotContains(t, text, "aintenance")
		}
	}
	require.Equal(t, "Abort: end the run before anything is changed", AbortText(open))
	require.Equal(t, "handing over the newest config block", EffectText(runbook.Effect{Kind: runbook.HandOverBlock}))
	require.Equal(t, "add consenter on ch1", EffectText(runbook.Effect{Kind: runbook.SubmitUpdate, Change: runbook.ChangeAddConsenter, Channel: "ch1"}))
}

func texts(d DialogText) []string {
	var out []string
	for _, i := range d.Items {
		out = append(out, i.Line.String())
	}
	for _, c := range d.Choice {
		out = append(out, c.Text)
	}
	return out
}
