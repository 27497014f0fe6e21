package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The example in the documentation is a network that raftmig takes.
func TestTheDocumentedExampleIsValid(t *testing.T) {
	doc, err := os.ReadFile("../../docs/raftmig-yaml.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(doc), "```yaml\n")
	require.True(t, found)
	example, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	file := filepath.Join(t.TempDir(), "raftmig.yaml")
	require.NoError(t, os.WriteFile(file, []byte(example), 0o600))
	n, err := Read(file)
	require.NoError(t, err)
	require.NoError(t, n.Validate())
	require.Equal(t, "paynet", n.Name)
	require.Len(t, n.Administrators(), 2)
	require.Equal(t, ControlManual, n.ZooKeeper[0].Control.Kind)
}
