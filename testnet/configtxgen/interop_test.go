package configtxgen

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/fabrictest"
	"raftmig/orderer/protoutil"
)

func TestInteropInspectionPrintsWhatTheRealToolPrints(t *testing.T) {
	bin := fabrictest.Dir(t, "configtxgen")
	dir := realNet(t)
	run := func(args ...string) string {
		cmd := exec.Command(filepath.Join(bin, "configtxgen"), append([]string{"-configPath", dir}, args...)...)
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	var out bytes.Buffer
	data, err := os.ReadFile("testdata/net/genesis-2.5.block")
	require.NoError(t, err)
	require.NoError(t, InspectBlock(&out, data))
	require.Equal(t, run("-inspectBlock", "testdata/net/genesis-2.5.block"), out.String())
	out.Reset()
	f, err := Load(filepath.Join(dir, "configtx.yaml"), nil)
	require.NoError(t, err)
	org, err := f.Organization("Org1MSP")
	require.NoError(t, err)
	require.NoError(t, PrintOrg(&out, org, Options{}))
	require.Equal(t, run("-printOrg", "Org1MSP"), out.String())
}

func TestInteropRealToolReadsOurBlockAndMakesTheSameOne(t *testing.T) {
	bin := fabrictest.Dir(t, "configtxgen")
	dir := realNet(t)
	for _, name := range []string{"Genesis", "Rich", "RichChannel"} {
		t.Run(name, func(t *testing.T) { compareBlocks(t, bin, dir, name) })
	}
	t.Run("solo", func(t *testing.T) {
		fabrictest.Since(t, 2, 5, "2.2 reads no variables, 1.4 names them without the profile")
		const variable = "CONFIGTX_PROFILES_GENESIS_ORDERER_ORDERERTYPE"
		t.Setenv(variable, "solo")
		compareBlocks(t, bin, dir, "Genesis", variable+"=solo")
	})
}

// compareBlocks makes the block of a profile of the rich configuration with
// both tools.
func compareBlocks(t *testing.T, bin, dir, name string, env ...string) {
	copyFile(t, "testdata/rich-configtx.yaml", filepath.Join(dir, "configtx.yaml"))
	theirs := filepath.Join(t.TempDir(), "their.block")
	cmd := exec.Command(filepath.Join(bin, "configtxgen"), "-configPath", dir, "-profile", name, "-channelID", "sys", "-outputBlock", theirs)
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+dir) // 1.4 looks there all the same
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	want := readBlock(t, theirs)
	wantEnv, err := protoutil.EnvelopeAt(want, 0)
	require.NoError(t, err)
	got, err := GenesisBlock(profile(t, filepath.Join(dir, "configtx.yaml"), name, env...), "sys", likeIn(t, wantEnv))
	require.NoError(t, err)
	gotEnv, err := protoutil.EnvelopeAt(got, 0)
	require.NoError(t, err)
	requireSameEnvelope(t, wantEnv, gotEnv)
	ours := filepath.Join(t.TempDir(), "our.block")
	require.NoError(t, os.WriteFile(ours, protoutil.MustMarshal(got), 0o640))
	cmd = exec.Command(cmd.Path, "-inspectBlock", ours)
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+dir)
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
