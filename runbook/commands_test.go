package runbook_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/fabrictest"
	"raftmig/runbook"
)

// TestInteropTheCommandsShownMakeTheUpdateTheyClaim runs the commands of the update
// steps with Fabric's own configtxlator. Only peer is replaced: it fetches a
// config block from a file, and shows what it is told to submit.
func TestInteropTheCommandsShownMakeTheUpdateTheyClaim(t *testing.T) {
	bin := fabrictest.Dir(t, "configtxlator")
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is not installed")
	}
	block, err := filepath.Abs("testdata/genesis.block")
	require.NoError(t, err)
	const prelude = `set -eu -o pipefail
ORDERER=localhost:7050 CA=ca.pem
peer() {
  case "$2" in
  fetch) cp "$BLOCK" "$4" ;;
  update) configtxlator proto_decode --type common.Envelope --input "$4" |
    jq -c '.payload.data.config_update.write_set.groups.Orderer.values' ;;
  esac
}
`
	const metadata = `{"options":{"tick_interval":"500ms","election_tick":10,"heartbeat_tick":1,
"max_inflight_blocks":5,"snapshot_interval_size":16777216},
"consenters":[{"host":"o","port":7050,"client_tls_cert":"YQ==","server_tls_cert":"Yg=="}]}`
	want := map[runbook.StepID]string{
		runbook.StepEnterMaintenance: `"state":"STATE_MAINTENANCE","type":"kafka"`,
		runbook.StepSwitchType:       `"type":"etcdraft"`,
	}
	r := start(t, nil)
	require.NoError(t, r.Finish())
	for _, s := range r.Book.Snapshot().Steps {
		expected, ok := want[s.ID]
		if !ok {
			continue
		}
		t.Run(string(s.ID), func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "metadata.json"), []byte(metadata), 0o600))
			cmd := exec.Command("bash", "-c", prelude+strings.Join(s.Explain.Commands, "\n"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "BLOCK="+block, "PATH="+bin+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, 3, strings.Count(string(out), expected), "%s", out)
			require.NotContains(t, string(out), "BatchSize", "nothing else changes")
		})
	}
}
