package rehearsal

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/driver"
	"raftmig/runbook/journal"
	"raftmig/runbook/report"
	"raftmig/runbook/runbooktest"
	"raftmig/testnet"
	"raftmig/testnet/validate"
)

// made is a network that nobody has started.
func made(t *testing.T, s testnet.Spec) *testnet.Network {
	t.Helper()
	n, err := testnet.Init(filepath.Join(t.TempDir(), "net"), s)
	require.NoError(t, err)
	return n
}

func small() testnet.Spec { return testnet.Spec{Orderers: 1, Channels: []string{"ch1"}} }

// of is a rehearsal on n, as Prepare makes one.
func of(n *testnet.Network, o Options) *Rehearsal {
	o.Dir = n.Dir
	return &Rehearsal{Net: n, opts: o}
}

// written drives a run of a simulated network and leaves its journal where the
// runs of n are. With records the run is broken off there, as by a crash.
func written(t *testing.T, n *testnet.Network, abortAfter runbook.Phase, records int) {
	t.Helper()
	file := filepath.Join(of(n, Options{}).Folder().RunDir("20261125T100000Z"), "journal")
	synctest.Test(t, func(t *testing.T) {
		ctx, crash := context.WithCancel(t.Context())
		defer crash()
		j, contents, err := journal.Open(file)
		require.NoError(t, err)
		sim := runbooktest.New(runbooktest.Options{Channels: []string{"ch1"}})
		o := driver.Options{Operator: sim, Journal: j, Events: contents.Events, Plan: sim.Plan()}
		o.Plan.Unattended, o.Plan.AbortAfter = true, abortAfter
		if records > 0 {
			o.AfterAppend = func(i int) {
				if i == records {
					crash()
				}
			}
		}
		d, err := driver.New(o)
		require.NoError(t, err)
		_, err = d.Run(ctx)
		require.Equal(t, records > 0, err != nil, "%v", err)
		require.NoError(t, j.Close())
	})
}

func TestWhatIsLeftToDoFollowsFromTheLastRun(t *testing.T) {
	for _, c := range []struct {
		name              string
		last              *runbook.Snapshot
		abortAfter        runbook.Phase
		ongoing, migrated bool
		refused           string
	}{
		{name: "broken off", last: &runbook.Snapshot{}, ongoing: true},
		{name: "failed, with the network changed", last: &runbook.Snapshot{Outcome: runbook.OutcomeFailed, Resumable: true}, ongoing: true},
		{name: "failed before anything was changed", last: &runbook.Snapshot{Outcome: runbook.OutcomeFailed}},
		{name: "rolled back", last: &runbook.Snapshot{Outcome: runbook.OutcomeRolledBack}},
		{name: "rolled back, and once more", last: &runbook.Snapshot{Outcome: runbook.OutcomeRolledBack, Plan: runbook.Plan{AbortAfter: runbook.PhaseBackup}}, abortAfter: runbook.PhaseSwitch},
		{name: "migrated", last: &runbook.Snapshot{Outcome: runbook.OutcomeMigrated}, migrated: true},
		{name: "migrated, and back", last: &runbook.Snapshot{Outcome: runbook.OutcomeMigrated}, abortAfter: runbook.PhaseSwitch, migrated: true, refused: "is on Raft: there is no way back to practise"},
		{name: "broken off on the way back", last: &runbook.Snapshot{Plan: runbook.Plan{AbortAfter: runbook.PhaseBackup}}, ongoing: true},
		{name: "the same again", last: &runbook.Snapshot{Plan: runbook.Plan{AbortAfter: runbook.PhaseBackup}}, abortAfter: runbook.PhaseBackup, ongoing: true},
		{name: "another way back", last: &runbook.Snapshot{Plan: runbook.Plan{AbortAfter: runbook.PhaseBackup}}, abortAfter: runbook.PhaseSwitch, ongoing: true, refused: "was begun with --abort-at backup"},
		{name: "a way back that was not planned", last: &runbook.Snapshot{}, abortAfter: runbook.PhaseSwitch, ongoing: true, refused: "would migrate the network; raftmig abort --network net/raftmig.yaml takes it back"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Rehearsal{Net: &testnet.Network{Dir: "net"}, opts: Options{AbortAfter: c.abortAfter}}
			err := r.goOn(c.last)
			require.Equal(t, c.ongoing, r.ongoing)
			require.Equal(t, c.migrated, r.Migrated != nil)
			if c.refused == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.refused)
			}
		})
	}
}

func TestTheLastRunIsReadFromItsJournal(t *testing.T) {
	for _, c := range []struct {
		name       string
		abortAfter runbook.Phase
		records    int
		outcome    runbook.Outcome
		ongoing    bool
	}{
		{"to its end", "", 0, runbook.OutcomeMigrated, false},
		{"back from the switch", runbook.PhaseSwitch, 0, runbook.OutcomeRolledBack, false},
		{"killed", "", 30, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := made(t, small())
			written(t, n, c.abortAfter, c.records)
			s, err := lastRun(of(n, Options{}).Folder())
			require.NoError(t, err)
			require.Equal(t, c.outcome, s.Outcome)
			require.Equal(t, c.abortAfter, s.Plan.AbortAfter)
			r := of(n, Options{})
			require.NoError(t, r.resume())
			require.Equal(t, c.ongoing, r.ongoing)
			require.Equal(t, c.outcome == runbook.OutcomeMigrated, r.Migrated != nil)
			require.ErrorContains(t, r.fresh(), "has been rehearsed on: --resume goes on")
		})
	}
}

func TestAnOngoingRunKeepsItsNodesAsTheyAre(t *testing.T) {
	n := made(t, small())
	written(t, n, "", 30)
	var said []string
	r, err := Prepare(t.Context(), Options{Dir: n.Dir, Resume: true, Transactions: 100}, func(text string) { said = append(said, text) })
	require.NoError(t, err)
	require.True(t, r.ongoing)
	require.Equal(t, []string{"note: " + n.Manifest.Notes[0]}, said, "nothing else is done")
	s, err := r.Net.Status(t.Context())
	require.NoError(t, err)
	for _, node := range s.Nodes {
		require.False(t, node.Running, node.Name)
	}
}

func TestWhatCannotBeRehearsedOnIsRefusedBeforeAnythingStarts(t *testing.T) {
	never := func(text string) { t.Errorf("said %q", text) }
	quiet := func(string) {}
	prepare := func(o Options, say Say) error {
		r, err := Prepare(t.Context(), o, say)
		require.Nil(t, r)
		return err
	}
	empty := t.TempDir()
	require.ErrorContains(t, prepare(Options{Dir: empty, Resume: true}, never), "is no rehearsal network")

	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "thesis.txt"), nil, 0o600))
	require.ErrorContains(t, prepare(Options{Dir: full}, quiet), "is not empty; nothing was changed")

	raft := made(t, testnet.Spec{Orderers: 1, Consensus: testnet.ConsensusRaft})
	require.ErrorContains(t, prepare(Options{Dir: raft.Dir}, quiet), "begins on Raft: there is nothing to migrate")

	migrated := made(t, small())
	written(t, migrated, "", 0)
	require.ErrorContains(t, prepare(Options{Dir: migrated.Dir}, quiet), "--resume goes on with it")
	require.ErrorContains(t, prepare(Options{Dir: migrated.Dir, Resume: true, AbortAfter: runbook.PhaseSwitch}, never), "no way back to practise")

	damaged := made(t, small())
	written(t, damaged, "", 0)
	folder := of(damaged, Options{}).Folder()
	file := filepath.Join(folder.RunDir("20261125T100000Z"), "journal")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(file, data, 0o600))
	require.ErrorIs(t, prepare(Options{Dir: damaged.Dir, Resume: true}, never), journal.ErrDamaged)
	require.ErrorIs(t, prepare(Options{Dir: damaged.Dir}, quiet), journal.ErrDamaged)
}

func TestANetworkWithoutARunIsTakenAsItIs(t *testing.T) {
	n := made(t, small())
	r := of(n, Options{})
	require.NoError(t, r.fresh())
	require.NoError(t, r.resume(), "nor is there anything to go on with")
	require.False(t, r.ongoing)
	require.Nil(t, r.Migrated)
}

// sent writes a history of count transactions that were refused, so that no
// ledger has to hold them.
func sent(t *testing.T, n *testnet.Network, count int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(n.HistoryFile()), 0o755))
	f, err := os.Create(n.HistoryFile())
	require.NoError(t, err)
	for i := range count {
		line, err := json.Marshal(validate.Record{TxID: string(rune('a' + i)), Channel: "ch1", Status: validate.Refused})
		require.NoError(t, err)
		_, err = f.Write(append(line, '\n'))
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
}

func TestOnlyMissingTransactionsAreSent(t *testing.T) {
	n := made(t, small())
	sent(t, n, 5)
	never := func(text string) { t.Errorf("said %q", text) }
	r := of(n, Options{})
	require.NoError(t, r.load(t.Context(), 0, never))
	require.NoError(t, r.load(t.Context(), 5, never))

	var said []string
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody is there to take it
	_ = r.load(ctx, 7, func(text string) { said = append(said, text) })
	require.Equal(t, []string{"sending 2 transactions"}, said)

	require.NoError(t, os.WriteFile(n.HistoryFile(), []byte("{}\n{}\n"), 0o600))
	require.ErrorContains(t, r.load(t.Context(), 7, never), "line 1: it lacks tx_id")

	bare := of(made(t, testnet.Spec{Orderers: 1, Channels: []string{}}), Options{})
	said = nil
	require.NoError(t, bare.load(t.Context(), 7, func(text string) { said = append(said, text) }))
	require.Equal(t, []string{"no transactions: there is no application channel"}, said)
}

func TestAProofWithoutTransactionsReadsTheLedgersAlone(t *testing.T) {
	r := of(made(t, small()), Options{})
	var said []string
	rep, err := r.Prove(t.Context(), func(text string) { said = append(said, text) })
	require.NoError(t, err)
	require.True(t, rep.OK())
	require.Equal(t, []string{"reading the ledgers of all nodes"}, said)
	require.Nil(t, Transactions(nil))
	require.Equal(t, &report.Transactions{Acknowledged: 4, Committed: 3, Missing: 2, Duplicated: 1},
		Transactions(&validate.Report{Counts: validate.Counts{Sent: 9, Acknowledged: 4, Committed: 3, Missing: 2, Duplicated: 1}}))
}

func TestRemoveLeavesNothing(t *testing.T) {
	r := of(made(t, small()), Options{})
	require.NoError(t, r.Remove(t.Context()))
	require.NoDirExists(t, r.Net.Dir)
}
