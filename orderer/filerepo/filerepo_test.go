package filerepo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilesAreThereWholeOrNotAtAll(t *testing.T) {
	parent := t.TempDir()
	r, err := New(parent, "join")
	require.NoError(t, err)
	require.NoError(t, r.Save("ch2", []byte("two")))
	require.NoError(t, r.Save("ch1", []byte("one")))
	require.ErrorIs(t, r.Save("ch1", []byte("again")), os.ErrExist)
	// what a crash leaves, and what is no business of ours
	for _, name := range []string{"ch3.join~", "ch4.remove", ".join"} {
		require.NoError(t, os.WriteFile(filepath.Join(parent, "join", name), []byte("x"), 0o600))
	}
	r, err = New(parent, "join")
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(parent, "join", "ch3.join~"))
	names, err := r.Names()
	require.NoError(t, err)
	require.Equal(t, []string{"ch1", "ch2"}, names)
	b, err := r.Read("ch1")
	require.NoError(t, err)
	require.Equal(t, "one", string(b))
	require.FileExists(t, filepath.Join(parent, "join", "ch1.join"), "where Fabric looks for it")

	require.NoError(t, r.Remove("ch1"))
	require.NoError(t, r.Remove("ch1"), "removing twice")
	_, err = r.Read("ch1")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, r.Save("ch1", []byte("new")))
}

func TestBadFolders(t *testing.T) {
	for _, kind := range []string{"", "a/b"} {
		_, err := New(t.TempDir(), kind)
		require.ErrorContains(t, err, "cannot be the kind")
	}
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := New(file, "join")
	require.Error(t, err)
}
