package facts

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestADataFolderTellsWhoseItIs(t *testing.T) {
	for name, c := range map[string]struct {
		meta string
		id   int32
	}{
		"Kafka with ZooKeeper": {"#Wed Nov 25 2026\nbroker.id=3\nversion=0\ncluster.id=x\n", 3},
		"KRaft":                {"version=1\nnode.id = 7\n", 7},
		"damaged":              {"broker.id=\n", -1},
		"empty":                {"", -1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "meta.properties"), []byte(c.meta), 0o600))
			d := dataFolder(dir)
			require.Empty(t, d.Error)
			require.Equal(t, c.id, d.Broker)
			require.Positive(t, d.Free)
		})
	}
	d := dataFolder(t.TempDir())
	require.Empty(t, d.Error)
	require.EqualValues(t, -1, d.Broker, "it is no log directory")
	d = dataFolder(filepath.Join(t.TempDir(), "none"))
	require.NotEmpty(t, d.Error)
	require.EqualValues(t, -1, d.Broker)
}
