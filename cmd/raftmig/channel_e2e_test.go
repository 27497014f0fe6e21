package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/channels"
	"raftmig/fabricops/configfile"
	"raftmig/fabricops/inventory"
)

// described is what sign, update and submit say with --json.
func described(t *testing.T, args ...string) channels.Description {
	t.Helper()
	r := run(t, nil, append(args, "--json")...)
	require.Zero(t, r.code, "%v\n%s%s", args, r.stdout, r.stderr)
	var d channels.Description
	require.NoError(t, json.Unmarshal(r.stdout, &d))
	return d
}

// commandIn runs raftmig in a folder and returns its standard output.
func commandIn(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	require.NoError(t, err, "raftmig %v", args)
	return out
}

// Three organizations, each key on a machine of its own: a file travels from
// one administrator to the next, and Fabric's peer can stand at any stop.
func TestAnUpdateTravelsBetweenAdministrators(t *testing.T) {
	dir, file := upNet(t, "--channels", "1", "--orderer-orgs", "3")
	all, err := inventory.Load(file)
	require.NoError(t, err)
	admins := all.Administrators()
	var nets []string // the network as each administrator has it
	for i, a := range admins {
		own := *all
		own.Admin, own.Admins = a, nil
		nets = append(nets, filepath.Join(dir, "admin"+string(rune('1'+i))+".yaml"))
		require.NoError(t, inventory.Save(nets[i], &own))
	}
	at := func(name string) string { return filepath.Join(dir, name) }

	t.Run("with raftmig alone", func(t *testing.T) {
		tx := at("enter.tx")
		d := described(t, "channel", "update", "ch1", "enter-maintenance", "-o", tx, "--network", nets[0])
		require.Empty(t, d.Signers)
		require.Equal(t, "Orderer.values.ConsensusType", d.Changes[0].Path)
		r := run(t, nil, "channel", "update", "ch1", "enter-maintenance", "-o", tx, "--network", nets[0])
		require.Equal(t, exitUsage, r.code, "a file that may have signatures is not replaced")

		r = run(t, nil, "channel", "submit", tx, "--network", nets[0])
		require.Equal(t, exitFailed, r.code)
		require.Contains(t, r.stderr, "'Admins' sub-policies")
		require.Contains(t, r.stderr, "hint: It has those of Orderer1MSP.")

		d = described(t, "sign", tx, "--msp-id", admins[1].MSPID, "--msp-dir", admins[1].MSPDir)
		require.Len(t, d.Signers, 1)
		d = described(t, "sign", tx, "--network", nets[1])
		require.Len(t, d.Signers, 1, "who has signed does not sign again")
		r = run(t, nil, "sign", tx, "--look")
		require.Contains(t, string(r.stdout), "signed by  Orderer2MSP")

		d = described(t, "channel", "submit", tx, "--network", nets[0])
		require.Len(t, d.Signers, 2)
		require.Equal(t, "SUCCESS", d.Receipt.Status)
		d = described(t, "channel", "submit", tx, "--network", nets[0])
		require.True(t, d.AlreadyDone)
	})

	t.Run("edited, compared, and taken back", func(t *testing.T) {
		require.Zero(t, run(t, nil, "channel", "fetch", "ch1", "-o", at("ch1.block"), "--network", nets[0]).code)
		r := run(t, nil, "channel", "decode", at("ch1.block"), "--config")
		require.Zero(t, r.code, r.stderr)
		edited := strings.Replace(string(r.stdout), "STATE_MAINTENANCE", "STATE_NORMAL", 1)
		require.NoError(t, os.WriteFile(at("edited.json"), []byte(edited), 0o600))
		r = run(t, nil, "channel", "diff", at("ch1.block"), at("edited.json"), "--json")
		require.Equal(t, exitFailed, r.code, "they differ")
		var changes []configfile.Change
		require.NoError(t, json.Unmarshal(r.stdout, &changes))
		require.Equal(t, []configfile.Change{{Path: "Orderer.values.ConsensusType.value.state", Before: "STATE_MAINTENANCE", After: "STATE_NORMAL"}}, changes)

		described(t, "channel", "update", "ch1", "--config", at("edited.json"), "--block", at("ch1.block"), "-o", at("a.tx"))
		described(t, "sign", at("a.tx"), "-o", at("b.tx"), "--network", nets[1])
		described(t, "sign", at("a.tx"), "-o", at("c.tx"), "--network", nets[2])
		d := described(t, "channel", "submit", "--as-is", at("b.tx"), at("c.tx"), "--network", nets[0])
		require.Len(t, d.Signers, 2, "the signatures of both files")
		require.Equal(t, "Orderer3MSP", d.Signers[1].MSPID)
		for _, c := range statusOf(t, file).Channels {
			require.Equal(t, "STATE_NORMAL", c.Nodes[0].State, c.Name)
		}
		require.Equal(t, exitOK, run(t, nil, "channel", "diff", at("ch1.block"), at("ch1.block")).code)
	})

	t.Run("with Fabric's peer on the way", func(t *testing.T) {
		peers := make([]*peerCLI, len(admins))
		for i := range admins {
			n, err := inventory.Load(nets[i])
			require.NoError(t, err)
			peers[i] = newPeerCLI(t, n)
		}
		tx := at("peer1.tx")
		described(t, "channel", "update", "ch1", "enter-maintenance", "-o", tx, "--network", nets[0])
		peers[1].channel("signconfigtx", "-f", tx)
		d := described(t, "channel", "submit", tx, "--network", nets[0])
		require.Equal(t, "Orderer2MSP", d.Signers[0].MSPID, "peer's signature is kept")
		require.Equal(t, "SUCCESS", d.Receipt.Status)

		tx = at("peer2.tx")
		described(t, "channel", "update", "ch1", "exit-maintenance", "-o", tx, "--network", nets[0])
		described(t, "sign", tx, "--network", nets[2])
		require.Contains(t, peers[1].channel("update", "-f", tx, "-c", "ch1", "-o", all.Orderers[0].Address), "Successfully submitted channel update")
		require.Eventually(t, func() bool {
			d := described(t, "channel", "submit", "--as-is", tx, "--network", nets[0])
			return d.AlreadyDone
		}, waitForBlock, tick)
	})

	t.Run("every node is asked", func(t *testing.T) {
		out := commandIn(t, dir, "channel", "fetch", "ch1", "--every-node", "--json", "--network", nets[0])
		var got []channels.Fetched
		require.NoError(t, json.Unmarshal(out, &got))
		require.Len(t, got, 3)
		for _, f := range got {
			require.Equal(t, "ch1."+f.Node+".block", f.File)
			require.FileExists(t, at(f.File))
			require.Equal(t, got[0].Hash, f.Hash)
		}
	})
}
