package fabricops_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops"
	"raftmig/fabricops/channels"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// Where the administrators here are not enough, the effect ends with a problem
// that names the file to be signed, and goes on when a signed one has come back.
func TestAnUpdateWaitsForSignaturesFromElsewhere(t *testing.T) {
	net := fakenet.New(t, 1)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel))
	inv := awaiting(net)
	dir := t.TempDir()
	op, err := fabricops.New(inv, fabricops.Options{RunDir: dir, Controller: net.Controller})
	require.NoError(t, err)
	defer op.Close()
	perform := func(change runbook.Change) (runbook.Evidence, error) {
		return op.Perform(t.Context(), runbook.Effect{Kind: runbook.SubmitUpdate, Channel: fakenet.Channel, Change: change}, nil)
	}
	waits := func(change runbook.Change) (file string, p *runbook.Problem) {
		_, err := perform(change)
		require.ErrorAs(t, err, &p)
		require.Contains(t, p.What, "waits for signatures")
		require.Contains(t, p.Why, "'Admins' sub-policies")
		require.Contains(t, p.Hint, "No administrator of OrdererMSP has signed.")
		file = filepath.Join(dir, "signatures", "ch1."+string(change)+".tx")
		require.Contains(t, p.Hint, file)
		return file, p
	}
	sign := func(file, as string) {
		u, err := channels.ReadUpdates(file)
		require.NoError(t, err)
		_, err = channels.Sign(u, []inventory.Identity{net.Crypto.Admin()})
		require.NoError(t, err)
		require.NoError(t, channels.WriteUpdate(filepath.Join(filepath.Dir(file), as), u))
	}
	before := len(net.Blocks(fakenet.Channel))
	file, _ := waits(runbook.ChangeEnterMaintenance)
	again, p := waits(runbook.ChangeEnterMaintenance)
	require.Equal(t, file, again)
	require.NotContains(t, p.Hint, "counts no more")
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "half.tx"), []byte("copying"), 0o600))
	sign(file, "from-org2.tx")
	require.Len(t, net.Blocks(fakenet.Channel), before)
	ev, err := perform(runbook.ChangeEnterMaintenance)
	require.NoError(t, err)
	require.Equal(t, runbook.ChangeEnterMaintenance, ev.Update.Change)
	require.False(t, ev.AlreadyDone)
	ev, err = perform(runbook.ChangeEnterMaintenance)
	require.NoError(t, err)
	require.True(t, ev.AlreadyDone)

	// A file that was signed for an older configuration is of no use.
	file, _ = waits(runbook.ChangeExitMaintenance)
	sign(file, filepath.Base(file))
	_, err = perform(runbook.ChangeExitMaintenance)
	require.NoError(t, err)
	_, p = waits(runbook.ChangeEnterMaintenance)
	require.Contains(t, p.Hint, "what was signed before counts no more")
	require.Len(t, net.Blocks(fakenet.Channel), before+2)
}

// The updates of a round lie there together; whoever signs them may put them
// into a folder of his own, and one whose channel has moved on is exported anew.
func TestTheUpdatesOfARoundAreExportedTogether(t *testing.T) {
	net := fakenet.New(t, 1)
	names := []string{fakenet.SystemChannel, fakenet.Channel}
	for _, c := range names {
		net.Add(t, c, fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, c))
	}
	inv := awaiting(net)
	dir := t.TempDir()
	box := filepath.Join(dir, "signatures")
	first, err := fabricops.New(inv, fabricops.Options{RunDir: dir, Controller: net.Controller})
	require.NoError(t, err)
	defer first.Close()
	op := first
	require.True(t, op.Plan("run").AwaitSignatures)
	collect := func(waiting ...string) []runbook.SignatureState {
		t.Helper()
		ev, err := op.Perform(t.Context(), runbook.Effect{Kind: runbook.CollectSignatures, Channels: names, Change: runbook.ChangeEnterMaintenance}, nil)
		require.NoError(t, err)
		var open []runbook.SignatureState
		for _, s := range ev.Signatures {
			if s.Why != "" {
				require.Equal(t, filepath.Join(box, s.Channel+".enter-maintenance.tx"), s.File)
				require.Equal(t, []string{"OrdererMSP"}, s.Missing)
				open = append(open, s)
			}
		}
		var noted []runbook.SignatureState
		if data, err := os.ReadFile(filepath.Join(box, channels.AwaitedFile)); len(waiting) > 0 {
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &noted))
		} else {
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
		require.Equal(t, open, noted)
		var which []string
		for _, s := range open {
			which = append(which, s.Channel)
		}
		require.Equal(t, waiting, which)
		return open
	}
	sign := func(s runbook.SignatureState) {
		u, err := channels.ReadUpdates(s.File)
		require.NoError(t, err)
		_, err = channels.Sign(u, []inventory.Identity{net.Crypto.Admin()})
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(box, "org2"), 0o700))
		require.NoError(t, channels.WriteUpdate(filepath.Join(box, "org2", filepath.Base(s.File)), u))
	}
	looks := func(states []runbook.SignatureState) []runbook.SignatureState {
		now, err := op.Signatures(t.Context(), states)
		require.NoError(t, err)
		return now
	}
	open := collect(names...)
	require.Equal(t, open, looks(open), "nothing is new")
	sign(open[0])
	now := looks(open)
	require.Empty(t, now[0].Why)
	require.Equal(t, []string{"OrdererMSP", "OrdererMSP"}, now[0].SignedBy)
	require.Equal(t, open[1], now[1])

	// Another process finds the same files; another update makes one of them stale.
	again, err := fabricops.New(inv, fabricops.Options{RunDir: dir, Controller: net.Controller})
	require.NoError(t, err)
	defer again.Close()
	op = again
	open = collect(fakenet.Channel)
	sign(open[0])
	enter := runbook.Effect{Kind: runbook.SubmitUpdate, Channel: fakenet.Channel, Change: runbook.ChangeEnterMaintenance}
	_, err = op.Perform(t.Context(), enter, nil)
	require.NoError(t, err)
	signer := *inv
	signer.Admin, signer.AwaitSignatures = net.Crypto.Admin(), false
	alone, err := fabricops.New(&signer, fabricops.Options{RunDir: t.TempDir(), Controller: net.Controller})
	require.NoError(t, err)
	defer alone.Close()
	enter.Change = runbook.ChangeExitMaintenance
	_, err = alone.Perform(t.Context(), enter, nil)
	require.NoError(t, err)
	require.NotEqual(t, open, looks(open), "the channel has moved on")
	open = collect(fakenet.Channel)
	require.True(t, open[0].Renewed)
	require.NoError(t, os.Remove(open[0].File))
	require.NotEqual(t, open, looks(open), "a file that is lost is exported again")
	last := collect(fakenet.Channel)[0]
	sign(last)
	require.NoError(t, os.Remove(last.File))
	require.Empty(t, collect(), "the signed copy is enough")
}

// awaiting describes the network to an administrator whose signature is not
// enough: the orderer's own.
func awaiting(net *fakenet.Network) *inventory.Network {
	inv := net.Inventory()
	inv.Admin = inventory.Identity{MSPID: "OrdererMSP", MSPDir: filepath.Join(net.Crypto.OrdererTLS(0), "../msp")}
	inv.AwaitSignatures = true
	return inv
}
