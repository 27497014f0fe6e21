package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/report"
)

// requireUniform checks that every node of every channel says the same.
func requireUniform(t *testing.T, doc report.Document, channels, nodes int, consensusType string) {
	t.Helper()
	require.Len(t, doc.Channels, channels)
	for _, c := range doc.Channels {
		require.Len(t, c.Nodes, nodes, c.Name)
		first := c.Nodes[0]
		for _, n := range c.Nodes {
			where := c.Name + " on " + n.Node
			require.Empty(t, n.Error, where)
			require.Equal(t, consensusType, n.Type, where)
			require.Equal(t, "STATE_NORMAL", n.State, where)
			require.Equal(t, first.Height, n.Height, where)
			require.Equal(t, first.LastBlockHash, n.LastBlockHash, where)
			require.Equal(t, first.ConfigSequence, n.ConfigSequence, where)
			require.Equal(t, first.Leader, n.Leader, where)
			if consensusType == "etcdraft" {
				require.NotZero(t, n.Leader, where)
			}
		}
	}
}

func requireNothingLost(t *testing.T, doc report.Document, acknowledged int) {
	t.Helper()
	require.NotNil(t, doc.Transactions)
	require.Equal(t, report.Transactions{Acknowledged: acknowledged, Committed: acknowledged}, *doc.Transactions)
}

func TestRehearsalMigratesAndAnswersWithOneDocument(t *testing.T) {
	dir := netDir(t)
	r := run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--orderers", "3", "--channels", "3", "--transactions", "500")
	require.Zero(t, r.code, r.stderr)
	doc := r.document(t)
	require.Equal(t, "migrated", doc.Result)
	requireUniform(t, doc, 4, 3, "etcdraft")
	requireNothingLost(t, doc, 500)
	total := 0.0
	for _, phase := range runbook.Phases {
		require.Positive(t, doc.Seconds[string(phase)], phase)
		total += doc.Seconds[string(phase)]
	}
	require.Less(t, total, 60.0)
	for _, s := range doc.Steps {
		require.Equal(t, runbook.StatusDone, s.Status, s.ID)
		if !strings.HasSuffix(string(s.ID), ".confirm") {
			require.NotEmpty(t, s.Evidence, s.ID)
		}
	}
}

func TestRehearsalWithoutATerminalAsksNothing(t *testing.T) {
	r := run(t, []string{"TMPDIR=" + shortTemp(t)}, "rehearse", "--transactions", "20")
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, "migrated", r.document(t).Result)
}

// The way back from every phase, and then the whole way forward.
func TestRehearsalGoesBackFromEveryPhaseAndThenMigrates(t *testing.T) {
	for _, phase := range abortPhases {
		t.Run(string(phase), func(t *testing.T) {
			dir := netDir(t)
			r := run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--transactions", "50", "--abort-at", string(phase))
			require.Zero(t, r.code, r.stderr)
			doc := r.document(t)
			require.Equal(t, "rolled-back", doc.Result)
			requireUniform(t, doc, 3, 3, "kafka")
			requireNothingLost(t, doc, 50)

			r = run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--transactions", "60", "--resume")
			require.Zero(t, r.code, r.stderr)
			doc = r.document(t)
			require.Equal(t, "migrated", doc.Result)
			requireUniform(t, doc, 3, 3, "etcdraft")
			requireNothingLost(t, doc, 60)
		})
	}
}

// sequences maps channels to their config sequence.
func sequences(doc report.Document) map[string]uint64 {
	m := map[string]uint64{}
	for _, c := range doc.Channels {
		m[c.Name] = c.Nodes[0].ConfigSequence
	}
	return m
}

const killed = -1 // exit code of a process that a signal ended

// Killed again and again on the way, the run still ends, and every channel has
// taken exactly the three updates. The record at which it is killed moves on
// with every life, so that each life gets a little further.
func TestARunThatIsKilledOverAndOverStillMigrates(t *testing.T) {
	clean := run(t, nil, "rehearse", "--headless", "--json", "--dir", netDir(t), "--channels", "1", "--transactions", "20")
	require.Zero(t, clean.code, clean.stderr)
	want := sequences(clean.document(t))

	dir := netDir(t)
	r := run(t, []string{"RAFTMIG_CRASH_AFTER=1"}, "rehearse", "--headless", "--json", "--dir", dir, "--channels", "1", "--transactions", "20")
	lives := 1
	for ; r.code == killed; lives++ {
		require.Less(t, lives, 200, "the run makes no progress\n%s", r.stderr)
		hook := []string{"RAFTMIG_CRASH_AFTER", "RAFTMIG_CRASH_BEFORE"}[lives%2]
		at := journalLength(t, dir) + 4 + lives%3
		r = run(t, []string{fmt.Sprintf("%s=%d", hook, at)}, "rehearse", "--headless", "--json", "--dir", dir, "--transactions", "20", "--resume")
	}
	require.Zero(t, r.code, r.stderr)
	require.Greater(t, lives, 15)
	doc := r.document(t)
	require.Equal(t, "migrated", doc.Result)
	requireUniform(t, doc, 2, 3, "etcdraft")
	requireNothingLost(t, doc, 20)
	require.Equal(t, want, sequences(doc), "an update was submitted twice, or not at all")
}

func journalLength(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "raftmig-runs", "*", "journal"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	return strings.Count(string(b), "\n") - 1
}

// Killed behind the last record, a run is over: what is left is the proof.
func TestARehearsalThatHasMigratedIsOnlyProvenAgain(t *testing.T) {
	dir := netDir(t)
	args := []string{"rehearse", "--headless", "--json", "--channels", "1", "--transactions", "20", "--dir", dir}
	first := run(t, nil, args...)
	require.Zero(t, first.code, first.stderr)
	again := run(t, nil, append(args, "--resume")...)
	require.Zero(t, again.code, again.stderr)
	doc := again.document(t)
	require.Equal(t, "migrated", doc.Result)
	require.Equal(t, first.document(t).Run, doc.Run)
	requireUniform(t, doc, 2, 3, "etcdraft")
	requireNothingLost(t, doc, 20)
	require.Equal(t, sequences(first.document(t)), sequences(doc))

	r := run(t, nil, append(args, "--resume", "--abort-at", "switch")...)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "no way back to practise")
}

// The same at every single record of a run, before and after it is written,
// each on a network of its own. It takes about ten minutes: RAFTMIG_EVERY_RECORD=1.
func TestARunThatIsKilledAtAnyRecordStillMigrates(t *testing.T) {
	binary(t)
	if os.Getenv("RAFTMIG_EVERY_RECORD") == "" {
		t.Skip("takes about ten minutes: set RAFTMIG_EVERY_RECORD=1 (make torture)")
	}
	args := []string{"rehearse", "--headless", "--json", "--channels", "1", "--transactions", "20", "--dir"}
	dir := netDir(t)
	clean := run(t, nil, append(args, dir)...)
	require.Zero(t, clean.code, clean.stderr)
	want := sequences(clean.document(t))
	for record := 1; record <= journalLength(t, dir); record++ {
		for _, hook := range []string{"RAFTMIG_CRASH_AFTER", "RAFTMIG_CRASH_BEFORE"} {
			t.Run(fmt.Sprintf("%s=%d", hook, record), func(t *testing.T) {
				dir := netDir(t)
				r := run(t, []string{fmt.Sprintf("%s=%d", hook, record)}, append(args, dir)...)
				if r.code == 0 {
					return // this run took fewer records
				}
				require.Equal(t, killed, r.code, r.stderr)
				r = run(t, nil, append(args, dir, "--resume")...)
				require.Zero(t, r.code, r.stderr)
				doc := r.document(t)
				require.Equal(t, "migrated", doc.Result)
				requireUniform(t, doc, 2, 3, "etcdraft")
				requireNothingLost(t, doc, 20)
				require.Equal(t, want, sequences(doc), "an update was submitted twice, or not at all")
			})
		}
	}
}
