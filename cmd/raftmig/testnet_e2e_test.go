package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/fabrictest"
	"raftmig/testnet"
	"raftmig/testnet/load"
	"raftmig/testnet/validate"
)

// decode reads the one JSON document of a command that must succeed.
func decode[T any](t *testing.T, r result) T {
	t.Helper()
	require.Zero(t, r.code, r.stderr)
	var v T
	require.NoError(t, json.Unmarshal(r.stdout, &v), string(r.stdout))
	return v
}

// testnetUp makes and starts a network with the command and takes it down at the end.
func testnetUp(t *testing.T, flags ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net")
	decode[testnet.Manifest](t, run(t, nil, append([]string{"testnet", "init", "--dir", dir, "--json"}, flags...)...))
	t.Cleanup(func() {
		r := run(t, nil, "testnet", "down", "--dir", dir)
		require.Zero(t, r.code, r.stderr)
	})
	s := decode[testnet.Status](t, run(t, nil, "testnet", "up", "--dir", dir, "--json"))
	require.True(t, s.Up("orderers") && s.Up("brokers"))
	return dir
}

func TestTestnetCommandsCarryANetworkThroughItsLife(t *testing.T) {
	dir := testnetUp(t, "--orderers", "3", "--channel-names", "alpha,beta")
	sent := decode[load.Result](t, run(t, nil, "testnet", "load", "--dir", dir, "--transactions", "60", "--json"))
	require.Equal(t, map[string]int{"alpha": 30, "beta": 30}, sent.PerChannel)
	report := decode[validate.Report](t, run(t, nil, "testnet", "validate", "--dir", dir, "--json"))
	require.Equal(t, 60, report.Committed)

	r := run(t, nil, "testnet", "fault", "kill", "orderer2", "--dir", dir)
	require.Zero(t, r.code, r.stderr)
	s := decode[testnet.Status](t, run(t, nil, "testnet", "status", "--dir", dir, "--json"))
	require.False(t, s.Up("orderers"))
	r = run(t, nil, "testnet", "up", "--dir", dir)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, string(r.stdout), "alpha")

	r = run(t, nil, "testnet", "fault", "melt", "orderer2", "--dir", dir)
	require.NotZero(t, r.code)
	require.Contains(t, r.stderr, `there is no fault "melt"`)
	r = run(t, nil, "testnet", "load", "--dir", dir, "--channel-names", "gamma")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, `no channel "gamma"`)
	r = run(t, nil, "testnet", "init", "--dir", dir)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "is not empty; nothing was changed")
}

// await waits until transactions on a channel are accepted: its Kafka chain may
// still be starting, and until then Deliver refuses those who want no old blocks.
func await(t *testing.T, dir, channel string) {
	t.Helper()
	decode[load.Result](t, run(t, nil, "testnet", "load", "--dir", dir, "--channel-names", channel, "--transactions", "1", "--json"))
}

func TestInteropFabricsPeerReadsAndUpdatesATestnet(t *testing.T) {
	bin := fabrictest.Dir(t, "peer")
	dir := testnetUp(t, "--orderers", "1", "--channel-names", "ch1")
	n, err := testnet.Open(dir)
	require.NoError(t, err)
	core := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(core, "core.yaml"), []byte("peer:\n  BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}\n"), 0o644))
	peer := func(args ...string) string {
		creator := n.Manifest.Channels[0].Creator
		o := n.Inventory.Orderers[0]
		cmd := exec.Command(filepath.Join(bin, "peer"), append([]string{"channel"}, args...)...)
		cmd.Args = append(cmd.Args, "-o", o.Address, "--tls", "--cafile", o.TLSRootCAs[0])
		cmd.Dir = core
		cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+core, "CORE_PEER_LOCALMSPID="+creator.MSPID, "CORE_PEER_MSPCONFIGPATH="+filepath.Join(dir, creator.MSPDir))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	await(t, dir, "ch1")
	block := filepath.Join(core, "config.block")
	require.Contains(t, peer("fetch", "config", block, "-c", "ch1"), "Received block: 0")
	require.FileExists(t, block)

	tx := filepath.Join(core, "ch2.tx")
	r := run(t, nil, "configtxgen", "-configPath", dir, "-profile", "Channel", "-channelID", "ch2", "-outputCreateChannelTx", tx)
	require.Zero(t, r.code, r.stderr)
	peer("create", "-c", "ch2", "-f", tx, "--outputBlock", filepath.Join(core, "ch2.block"))
	require.FileExists(t, filepath.Join(core, "ch2.block"))
}
