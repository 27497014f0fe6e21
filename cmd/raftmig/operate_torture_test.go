package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
)

// Every operation in turn, killed at every record of its journal, before and
// after it is written, and resumed: each takes exactly its updates. It takes
// about three minutes: RAFTMIG_EVERY_RECORD=1 (make torture).
func TestARunThatIsKilledAtAnyRecordStillOperates(t *testing.T) {
	binary(t)
	if os.Getenv("RAFTMIG_EVERY_RECORD") == "" {
		t.Skip("takes about three minutes: set RAFTMIG_EVERY_RECORD=1 (make torture)")
	}
	n := &raftNet{}
	n.dir, n.file = upNet(t, "--name", "net", "--batch-timeout", "50ms", "--consensus", "etcdraft", "--orderers", "4", "--channels", "0")
	n.change(t, func(*inventory.Network) {})
	n.forget(t, 3) // it begins with a block from the beginning
	require.Zero(t, run(t, nil, "testnet", "fault", "kill", "orderer3", "--dir", n.dir).code)
	require.Zero(t, run(t, nil, "testnet", "fault", "start", "orderer3", "--dir", n.dir).code)

	last := sequence(n.operate(t, "options", "set", "--election-tick", "11"))
	// once runs an operation, killed at a record; it returns false where the run has fewer.
	once := func(hook string, record int, updates uint64, args ...string) bool {
		args = append(args, "--network", n.file, "--headless", "--yes", "--json")
		r := run(t, []string{fmt.Sprintf("%s=%d", hook, record)}, args...)
		died := r.code == killed
		if died {
			r = run(t, nil, append(args, "--resume")...)
		}
		require.Zero(t, r.code, "%v, %s=%d: %s", args, hook, record, r.stderr)
		now := sequence(r.document(t))
		require.Equal(t, last+updates, now, "%v, %s=%d: an update was submitted twice, or not at all", args, hook, record)
		last = now
		return died
	}
	kills := 0
	for record, alive := 1, true; alive; record++ {
		alive = false
		for _, hook := range []string{"RAFTMIG_CRASH_AFTER", "RAFTMIG_CRASH_BEFORE"} {
			cert, key := n.issue(t, "orderer1")
			died := []bool{
				once(hook, record, 1, "options", "set", "--election-tick", fmt.Sprint(20+last)),
				once(hook, record, 1, "consenter", "rotate-tls", "orderer1", "--server-cert", cert, "--server-key", key),
				once(hook, record, 1, "consenter", "remove", "orderer3"),
			}
			for _, dir := range []string{n.inv.Orderers[3].LedgerDir, filepath.Dir(n.inv.Orderers[3].WALDir)} {
				require.NoError(t, os.RemoveAll(dir))
			}
			died = append(died, once(hook, record, 2, "consenter", "add", "orderer3"))
			for _, d := range died {
				if d {
					alive = true
					kills++
				}
			}
		}
	}
	t.Logf("killed %d times", kills)
	require.Greater(t, kills, 100)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}
