package runner

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/runbook/journal"
)

// A run that waits for its operator and whose folder is deleted has nobody to
// wait for: it ends.
func TestARunWhoseFolderIsDeletedEnds(t *testing.T) {
	defer func(every time.Duration) { goneEvery = every }(goneEvery)
	goneEvery = 10 * time.Millisecond
	f := Folder(filepath.Join(t.TempDir(), "runs"))
	r, err := Open(Options{Network: fakenet.New(t, 3).Inventory(), Folder: f})
	require.NoError(t, err)
	client := r.Client()
	ended := make(chan error, 1)
	go func() {
		_, err := r.Run(t.Context())
		ended <- err
	}()
	for u := range client.Updates() {
		if u.Snapshot != nil && (u.Snapshot.Problem != nil || u.Snapshot.Gate != nil) { // it stands still
			break
		}
	}
	require.Empty(t, ended)
	require.NoError(t, os.RemoveAll(string(f)))
	err = <-ended
	require.ErrorIs(t, err, journal.ErrGone)
	require.ErrorContains(t, err, f.RunDir(r.Name))
	_ = client.Close()
	_ = r.Close()
}
