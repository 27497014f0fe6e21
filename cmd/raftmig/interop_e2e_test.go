package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/fabrictest"
)

// The runbook migrates Fabric's own orderers exactly as it migrates ours.
func TestInteropFabricsOwnOrderersAreMigratedAndRolledBack(t *testing.T) {
	orderer := fabrictest.Bin(t, "orderer")
	dir := netDir(t)
	r := run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--orderer-bin", orderer, "--transactions", "50", "--abort-at", "restart")
	require.Zero(t, r.code, r.stderr)
	requireUniform(t, r.document(t), 3, 3, "kafka")

	r = run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--transactions", "60", "--resume")
	require.Zero(t, r.code, r.stderr)
	doc := r.document(t)
	require.Equal(t, "migrated", doc.Result)
	requireUniform(t, doc, 3, 3, "etcdraft")
	requireNothingLost(t, doc, 60)
}

// peerCLI runs Fabric's peer command as the network's admin.
type peerCLI struct {
	t    testing.TB
	peer string
	env  []string
	tls  []string
}

func newPeerCLI(t testing.TB, n *inventory.Network) *peerCLI {
	t.Helper()
	core := filepath.Join(t.TempDir(), "core.yaml")
	require.NoError(t, os.WriteFile(core, []byte("peer:\n  BCCSP:\n    Default: SW\n    SW: {Hash: SHA2, Security: 256}\n"), 0o600))
	return &peerCLI{
		t: t, peer: fabrictest.Bin(t, "peer"),
		env: append(os.Environ(), "FABRIC_CFG_PATH="+filepath.Dir(core),
			"CORE_PEER_LOCALMSPID="+n.Admin.MSPID, "CORE_PEER_MSPCONFIGPATH="+n.Admin.MSPDir),
		tls: []string{"--tls", "--cafile", n.Orderers[0].TLSRootCAs[0]},
	}
}

// as is the command run by another identity.
func (p *peerCLI) as(mspID, dir string) *peerCLI {
	other := *p
	other.env = append(slices.Clone(p.env), "CORE_PEER_LOCALMSPID="+mspID, "CORE_PEER_MSPCONFIGPATH="+dir)
	return &other
}

// channel runs "peer channel" with the TLS flags, offline without them.
func (p *peerCLI) channel(args ...string) string { return p.offline(append(args, p.tls...)...) }

func (p *peerCLI) offline(args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.peer, append([]string{"channel"}, args...)...)
	cmd.Env, cmd.Dir = p.env, p.t.TempDir()
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "peer channel %v\n%s", args, out)
	return string(out)
}

func TestInteropFabricsPeerCommandWorksAgainstAMigratedNetwork(t *testing.T) {
	fabrictest.Bin(t, "peer")
	translator := fabrictest.Bin(t, "configtxlator")
	dir := netDir(t)
	r := run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--channels", "1", "--transactions", "20", "--keep")
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, "peer channel fetch config")
	n, err := inventory.Load(filepath.Join(dir, "raftmig.yaml"))
	require.NoError(t, err)
	peer := newPeerCLI(t, n)
	work := t.TempDir()
	at := func(name string) string { return filepath.Join(work, name) }
	translate := func(args ...string) {
		out, err := exec.Command(translator, args...).CombinedOutput()
		require.NoError(t, err, "configtxlator %v\n%s", args, out)
	}

	peer.channel("fetch", "config", at("config.block"), "-o", n.Orderers[1].Address, "-c", "ch1")
	translate("proto_decode", "--type", "common.Block", "--input", at("config.block"), "--output", at("block.json"))
	before := configIn(t, at("block.json"))
	writeFile(t, at("before.json"), before)
	after := regexp.MustCompile(`"timeout":\s*"[^"]+"`).ReplaceAll(before, []byte(`"timeout":"321ms"`))
	require.NotEqual(t, before, after)
	writeFile(t, at("after.json"), after)
	translate("proto_encode", "--type", "common.Config", "--input", at("before.json"), "--output", at("before.pb"))
	translate("proto_encode", "--type", "common.Config", "--input", at("after.json"), "--output", at("after.pb"))
	translate("compute_update", "--channel_id", "ch1", "--original", at("before.pb"), "--updated", at("after.pb"), "--output", at("update.pb"))
	translate("proto_decode", "--type", "common.ConfigUpdate", "--input", at("update.pb"), "--output", at("update.json"))
	update, err := os.ReadFile(at("update.json"))
	require.NoError(t, err)
	writeFile(t, at("envelope.json"), []byte(`{"payload":{"header":{"channel_header":{"channel_id":"ch1","type":2}},"data":{"config_update":`+string(update)+`}}}`))
	translate("proto_encode", "--type", "common.Envelope", "--input", at("envelope.json"), "--output", at("envelope.pb"))

	// Signed by the orderers' admin, submitted by that of an application organization.
	peer.offline("signconfigtx", "-f", at("envelope.pb"))
	submitter := peer.as(n.Clients["*"].MSPID, strings.Replace(n.Clients["*"].MSPDir, "User1@", "Admin@", 1))
	out := submitter.channel("update", "-f", at("envelope.pb"), "-o", n.Orderers[2].Address, "-c", "ch1")
	require.Contains(t, out, "Successfully submitted channel update")
	require.Eventually(t, func() bool {
		peer.channel("fetch", "config", at("new.block"), "-o", n.Orderers[0].Address, "-c", "ch1")
		translate("proto_decode", "--type", "common.Block", "--input", at("new.block"), "--output", at("new.json"))
		return regexp.MustCompile(`"timeout":\s*"321ms"`).Match(configIn(t, at("new.json")))
	}, waitForBlock, tick)
}

// configIn returns the configuration in a config block decoded by configtxlator.
func configIn(t *testing.T, file string) []byte {
	t.Helper()
	var block struct {
		Data struct {
			Data []struct {
				Payload struct {
					Data struct {
						Config json.RawMessage `json:"config"`
					} `json:"data"`
				} `json:"payload"`
			} `json:"data"`
		} `json:"data"`
	}
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &block))
	require.Len(t, block.Data.Data, 1)
	return block.Data.Data[0].Payload.Data.Config
}

func writeFile(t *testing.T, file string, b []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, b, 0o600))
}
