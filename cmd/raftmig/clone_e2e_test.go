package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/configfile"
	"raftmig/testnet"
)

// edited changes a configuration as JSON by hand: blocks of seven transactions,
// and a policy of the channel's own.
func edited(t *testing.T, config []byte) []byte {
	t.Helper()
	var c map[string]any
	require.NoError(t, json.Unmarshal(config, &c))
	at := func(keys ...string) map[string]any {
		m := c
		for _, k := range keys {
			m = m[k].(map[string]any)
		}
		return m
	}
	at("channel_group", "groups", "Orderer", "values", "BatchSize", "value")["max_message_count"] = 7
	policies := at("channel_group", "policies")
	policies["Auditors"] = policies["Admins"]
	out, err := json.Marshal(c)
	require.NoError(t, err)
	return out
}

// A network of two orderer organizations whose channel has gone its own way is
// cloned while it runs, and the clone is rehearsed on.
func TestACloneOfARunningNetworkIsMigrated(t *testing.T) {
	dir := testnetUp(t, "--orderers", "4", "--orderer-orgs", "2", "--app-orgs", "2", "--brokers", "3", "--channel-names", "alpha,beta")
	n, err := testnet.Open(dir)
	require.NoError(t, err)
	at := func(name string) string { return filepath.Join(dir, name) }
	network := []string{"--network", n.InventoryFile()}
	ok := func(args ...string) result {
		r := run(t, nil, args...)
		require.Zero(t, r.code, "%v\n%s", args, r.stderr)
		return r
	}
	ok(append([]string{"channel", "fetch", "alpha", "-o", at("alpha.block")}, network...)...)
	r := ok("channel", "decode", at("alpha.block"), "--config")
	require.NoError(t, os.WriteFile(at("alpha.json"), edited(t, r.stdout), 0o600))
	ok(append([]string{"channel", "update", "alpha", "--config", at("alpha.json"), "-o", at("alpha.tx")}, network...)...)
	for _, org := range []string{"1", "2"} {
		ok("sign", at("alpha.tx"), "--msp-id", "Org"+org+"MSP",
			"--msp-dir", at("crypto-config/peerOrganizations/org"+org+".example.com/users/Admin@org"+org+".example.com/msp"))
	}
	ok(append([]string{"channel", "submit", at("alpha.tx")}, network...)...)
	ok(append([]string{"channel", "fetch", "alpha", "-o", at("alpha.block")}, network...)...)

	twin := netDir(t)
	m := decode[testnet.Manifest](t, ok("testnet", "clone", "--config", n.InventoryFile(), "--dir", twin, "--json"))
	require.Equal(t, []string{"orderer0", "orderer1", "orderer2", "orderer3"}, []string{m.Orderers[0].Name, m.Orderers[1].Name, m.Orderers[2].Name, m.Orderers[3].Name})
	for i, o := range n.Manifest.Orderers {
		require.Equal(t, o.MSPID, m.Orderers[i].MSPID, o.Name)
	}
	require.Len(t, m.Brokers, 3)
	require.NotEmpty(t, m.Clone.NotKept)
	ok("testnet", "down", "--dir", dir)

	r = run(t, nil, "rehearse", "--dir", twin, "--orderers", "5")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "holds a network already, which --orderers cannot change")
	r = ok("rehearse", "--headless", "--json", "--keep", "--dir", twin, "--transactions", "50")
	doc := r.document(t)
	require.Equal(t, "migrated", doc.Result)
	requireUniform(t, doc, 3, 4, "etcdraft")
	requireNothingLost(t, doc, 50)

	// What differs now is what a clone has of its own, and the migration.
	ok("channel", "fetch", "alpha", "-o", at("twin.block"), "--network", filepath.Join(twin, "raftmig.yaml"))
	r = run(t, nil, "channel", "diff", at("alpha.block"), at("twin.block"), "--json")
	var changes []configfile.Change
	require.NoError(t, json.Unmarshal(r.stdout, &changes))
	for _, c := range changes {
		mine := strings.Contains(c.Path, ".MSP.") || strings.Contains(c.Path, "OrdererAddresses") || strings.Contains(c.Path, "KafkaBrokers") || strings.Contains(c.Path, "ConsensusType")
		require.True(t, mine, "%+v", c)
	}
	r = run(t, nil, "rehearse", "--dir", twin)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "--resume goes on")
}
