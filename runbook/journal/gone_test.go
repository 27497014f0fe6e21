package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/journal"
)

// What is written into a file that nobody will find again is not durable.
func TestAJournalThatWasDeletedTakesNothingMore(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, path string){
		"its folder is deleted": func(t *testing.T, path string) { require.NoError(t, os.RemoveAll(filepath.Dir(path))) },
		"another file is in its place": func(t *testing.T, path string) {
			require.NoError(t, os.Rename(path, path+".old"))
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "run", "journal")
			j, _, err := journal.Open(path)
			require.NoError(t, err)
			defer j.Close()
			ev := runbook.Event{Kind: runbook.EventRetry}
			require.NoError(t, j.Append(ev))
			require.NoError(t, j.Gone())
			lose(t, path)
			require.ErrorIs(t, j.Gone(), journal.ErrGone)
			require.ErrorIs(t, j.Append(ev), journal.ErrGone)
		})
	}
}
