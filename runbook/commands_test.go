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
ORDERER=localhost:7050 CA=ca.pem CERTS=.
peer() {
  case "$2" in
  fetch) cp "$BLOCK" "$4" ;;
  signconfigtx) echo "signed as $CORE_PEER_LOCALMSPID" ;;
  update) configtxlator proto_decode --type common.Envelope --input "$4" |
    jq -c '.payload.data.config_update.write_set.groups.Orderer.values' ;;
  esac
}
`
	want := map[runbook.StepID]string{
		runbook.StepEnterMaintenance: `"state":"STATE_MAINTENANCE","type":"kafka"`,
		runbook.StepSwitchType:       `"server_tls_cert":"cy9vcmRlcmVyMgo="}],"options":`,
	}
	r := start(t, func(p *runbook.Plan) { p.Admins = []runbook.Admin{{"Org1MSP", "msp1"}, {"Org2MSP", "msp2"}} })
	require.NoError(t, r.Finish())
	for _, s := range r.Book.Snapshot().Steps {
		expected, ok := want[s.ID]
		if !ok {
			continue
		}
		t.Run(string(s.ID), func(t *testing.T) {
			dir := t.TempDir()
			for _, node := range []string{"orderer0", "orderer1", "orderer2"} {
				require.NoError(t, os.Mkdir(filepath.Join(dir, node), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(dir, node, "server.crt"), []byte("s/"+node+"\n"), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, node, "client.crt"), []byte("c/"+node+"\n"), 0o600))
			}
			cmd := exec.Command("bash", "-c", prelude+strings.Join(s.Explain.Commands, "\n"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "BLOCK="+block, "PATH="+bin+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, 3, strings.Count(string(out), expected), "%s", out)
			require.Equal(t, 3, strings.Count(string(out), "signed as Org2MSP"), "%s", out)
			require.NotContains(t, string(out), "BatchSize", "nothing else changes")
		})
	}
}
