package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/journal"
	"raftmig/runbook/runbooktest"
)

// abortedRun writes the journal of a run of which the way back was asked for
// while processes were being stopped; over lets it go on from there to the
// first step of the way back.
func abortedRun(t *testing.T, over bool) (folder string) {
	n := runbooktest.New(runbooktest.Options{})
	r, err := runbooktest.NewRun(n, n.Plan())
	require.NoError(t, err)
	stopping := func(e runbook.Effect) bool {
		return e.Kind == runbook.StopNodes && e.Step == runbook.StepRestartStopOrderers
	}
	for !slices.ContainsFunc(r.Active, stopping) {
		if r.Book.Snapshot().Gate != nil {
			require.NoError(t, r.Pass())
			continue
		}
		require.NoError(t, r.Complete(0))
	}
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	if over {
		require.NoError(t, r.Complete(0))
	}
	folder = t.TempDir()
	j, _, err := journal.Open(filepath.Join(folder, "20261126T000000Z", "journal"))
	require.NoError(t, err)
	require.NoError(t, j.Append(r.Journal...))
	require.NoError(t, j.Close())
	return folder
}

func TestAbortSaysThatTheWayBackWasAskedForAlready(t *testing.T) {
	for name, over := range map[string]bool{"what was being done has not ended": false, "on the way back": true} {
		t.Run(name, func(t *testing.T) {
			folder := abortedRun(t, over)
			file := filepath.Join(folder, "raftmig.yaml")
			require.NoError(t, os.WriteFile(file, nil, 0o600))
			code, _, errs := command(t, "abort", "--network", file, "--runs", folder, "--yes")
			require.NotZero(t, code)
			require.NotContains(t, errs, "no way back")
			require.Contains(t, errs, "on its way back already")
			require.Contains(t, errs, "raftmig attach --network "+file+" --runs "+folder)
			require.Contains(t, errs, "raftmig run --resume --network "+file+" --runs "+folder)
		})
	}
}
