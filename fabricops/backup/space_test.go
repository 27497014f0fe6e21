package backup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
)

// A place whose space cannot be told is not one without space: the hint would be
// to free some.
func TestSpaceThatCannotBeToldIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	f := Space(&inventory.Network{}, filepath.Join(file, "backup"))
	require.Contains(t, f.Error, "reading the free space of "+filepath.Join(file, "backup"))
}
