package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"raftmig/orderer/fabrictest"
)

// command runs raftmig with args and returns exit code and outputs.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	code = execute(root)
	return code, out.String(), errs.String()
}

// seedFolder has the key material and the configtx.yaml of the Kafka guide.
func seedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	code, out, errs := command(t, "cryptogen", "generate", "--config=../../testnet/cryptogen/testdata/seed-crypto-config.yaml", "--output="+filepath.Join(dir, "crypto-config"))
	require.Zero(t, code, errs)
	require.Equal(t, "org1.example.com\norg2.example.com\norg3.example.com\nexample.com\n", out)
	data, err := os.ReadFile("../../testnet/configtxgen/testdata/seed-configtx.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "configtx.yaml"), data, 0o644))
	return dir
}

func TestTheCommandsOfTheKafkaGuideWork(t *testing.T) {
	dir := seedFolder(t)
	t.Setenv("FABRIC_CFG_PATH", dir)
	artifacts := filepath.Join(dir, "channel-artifacts")
	for _, args := range [][]string{
		{"-profile", "ThreeOrgsOrdererGenesis", "-channelID", "syschannel", "-outputBlock", filepath.Join(artifacts, "genesis.block")},
		{"-profile", "Orgs1Channel", "-outputCreateChannelTx", filepath.Join(artifacts, "channel1.tx"), "-channelID", "channel1"},
		{"-profile=Orgs1Channel", "--outputAnchorPeersUpdate", filepath.Join(artifacts, "Org1MSPanchors.tx"), "-channelID", "channel1", "-asOrg", "Org1MSP"},
	} {
		code, _, errs := command(t, append([]string{"configtxgen"}, args...)...)
		require.Zero(t, code, errs)
	}
	code, out, _ := command(t, "configtxgen", "-inspectBlock", filepath.Join(artifacts, "genesis.block"))
	require.Zero(t, code)
	require.Contains(t, out, `"kafka4:9092"`)
	code, out, _ = command(t, "configtxgen", "-inspectChannelCreateTx", filepath.Join(artifacts, "channel1.tx"))
	require.Zero(t, code)
	require.Contains(t, out, `"channel_id": "channel1"`)
	code, out, errs := command(t, "configtxgen", "-configPath", dir, "-printOrg", "Org2MSP")
	require.Zero(t, code, errs)
	require.Contains(t, out, `"mod_policy": "Admins"`)
	require.Contains(t, errs, "warning: /Channel/Orderer/Org2MSP: no policy given")
	info, err := os.Stat(filepath.Join(artifacts, "channel1.tx"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
}

func TestBadUseOfFabricsToolsIsExplained(t *testing.T) {
	dir := seedFolder(t)
	out := filepath.Join(t.TempDir(), "out")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no channel":       {[]string{"configtxgen", "-configPath", dir, "-profile", "Orgs1Channel", "-outputCreateChannelTx", out}, "Missing channelID, please specify it with '-channelID'"},
		"no profile":       {[]string{"configtxgen", "-configPath", dir, "-channelID", "a", "-outputBlock", out}, "The '-profile' is required"},
		"unknown profile":  {[]string{"configtxgen", "-configPath", dir, "-profile", "X", "-channelID", "a", "-outputBlock", out}, "Could not find profile: X"},
		"bad channel":      {[]string{"configtxgen", "-configPath", dir, "-profile", "Orgs1Channel", "-channelID", "A", "-outputCreateChannelTx", out}, "bad channel ID: 'A'"},
		"no configuration": {[]string{"configtxgen", "-configPath", t.TempDir(), "-profile", "X", "-channelID", "a", "-outputBlock", out}, "there is no configtx.yaml in"},
		"unknown flag":     {[]string{"configtxgen", "-outputBlok", out}, "flag provided but not defined: -outputBlok"},
		"nothing to do":    {[]string{"configtxgen"}, "nothing to do"},
		"an argument":      {[]string{"configtxgen", "block"}, `unexpected argument "block"`},
		"not a block":      {[]string{"configtxgen", "-inspectBlock", filepath.Join(dir, "configtx.yaml")}, "error unmarshalling to block"},
		"existing keys":    {[]string{"cryptogen", "generate", "--config=../../testnet/cryptogen/testdata/seed-crypto-config.yaml", "--output", filepath.Join(dir, "crypto-config")}, "it exists already; nothing was changed"},
		"no such config":   {[]string{"cryptogen", "generate", "--config", out, "--output", out}, "no such file"},
		"nothing there":    {[]string{"cryptogen", "extend", "--input", out}, "there is nothing to extend"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := command(t, tc.args...)
			require.Equal(t, exitUsage, code)
			require.Contains(t, errs, tc.want)
			require.NoFileExists(t, out)
		})
	}
}

func TestFabricsToolsTellTheirFlagsAndVersion(t *testing.T) {
	for _, args := range [][]string{{"configtxgen", "-help"}, {"configtxgen", "--help"}, {"help", "configtxgen"}} {
		code, out, errs := command(t, args...)
		require.Zero(t, code)
		require.Contains(t, out+errs, "-outputCreateChannelTx")
	}
	for _, tool := range []string{"configtxgen", "cryptogen"} {
		args := []string{tool, "version"}
		if tool == "configtxgen" {
			args[1] = "-version"
		}
		code, out, _ := command(t, args...)
		require.Zero(t, code)
		require.Contains(t, out, tool+":\n Version: ")
	}
	code, out, _ := command(t, "cryptogen", "showtemplate")
	require.Zero(t, code)
	require.Contains(t, out, "OrdererOrgs:")
}

func TestInteropRealPeerToolsReadOurFiles(t *testing.T) {
	bin := fabrictest.Dir(t, "configtxgen")
	dir := seedFolder(t)
	tx := filepath.Join(dir, "ch.tx")
	code, _, errs := command(t, "configtxgen", "-configPath", dir, "-profile", "Orgs1Channel", "-channelID", "ch", "-outputCreateChannelTx", tx)
	require.Zero(t, code, errs)
	cmd := exec.Command(filepath.Join(bin, "configtxgen"), "-inspectChannelCreateTx", tx)
	// 1.4 wants to see a configuration, and does not understand that of the guide.
	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "configtx.yaml"), []byte("Profiles: {}\n"), 0o600))
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+other)
	out, err := cmd.Output()
	require.NoError(t, err)
	_, ours, _ := command(t, "configtxgen", "-inspectChannelCreateTx", tx)
	require.Equal(t, string(out), ours)
}
