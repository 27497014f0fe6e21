package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/journal"
)

var moment = time.Date(2026, 11, 22, 3, 15, 0, 0, time.UTC)

func TestRunsAreListedByTimeAndNamedOnce(t *testing.T) {
	f := Folder(filepath.Join(t.TempDir(), "raftmig-runs"))
	runs, err := f.Runs()
	require.NoError(t, err)
	require.Empty(t, runs)
	_, err = f.Latest()
	require.ErrorIs(t, err, ErrNoRun)
	for _, want := range []string{"20261122T031500Z", "20261122T031501Z", "20261122T031502Z"} {
		name, err := f.newRun(moment.In(time.FixedZone("elsewhere", 7200)))
		require.NoError(t, err)
		require.Equal(t, want, name)
		require.NoError(t, os.MkdirAll(f.RunDir(name), 0o700))
	}
	require.NoError(t, os.MkdirAll(f.RunDir("20261121T235959Z"), 0o700))
	require.NoError(t, os.MkdirAll(f.RunDir("20261399T000000Z"), 0o700)) // no time
	require.NoError(t, os.WriteFile(f.RunDir("20271122T031500Z"), nil, 0o600))
	require.NoError(t, os.WriteFile(f.RunnerLog(), nil, 0o600))
	runs, err = f.Runs()
	require.NoError(t, err)
	require.Equal(t, []string{"20261121T235959Z", "20261122T031500Z", "20261122T031501Z", "20261122T031502Z"}, runs)
	last, err := f.Latest()
	require.NoError(t, err)
	require.Equal(t, "20261122T031502Z", last)
	require.Equal(t, Folder("net/raftmig-runs"), DefaultFolder("net/raftmig.yaml"))
}

func TestASocketFitsIntoItsPath(t *testing.T) {
	short := Folder("/runs")
	require.Equal(t, "/runs/20261122T031500Z/socket", short.Socket("20261122T031500Z"))
	require.NoError(t, short.trusted(short.Socket("20261122T031500Z")))
	long := Folder("/" + strings.Repeat("long/", 30))
	a, b := long.Socket("20261122T031500Z"), long.Socket("20261122T031501Z")
	require.LessOrEqual(t, len(a), maxSocketPath)
	require.NotEqual(t, a, b)
	require.Equal(t, a, long.Socket("20261122T031500Z"))
	require.Equal(t, filepath.Clean(os.TempDir()), filepath.Dir(filepath.Dir(a)))
}

// The folder for temporary files is everybody's: a folder there that is not ours
// could hold the socket of somebody who wants to be confirmed.
func TestAFolderThatOthersCanWriteToHoldsNoSocket(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	f := Folder("/" + strings.Repeat("long/", 30))
	socket := f.Socket("20261122T031500Z")
	dir := filepath.Dir(socket)
	require.ErrorIs(t, f.trusted(socket), os.ErrNotExist)
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, f.trusted(socket))
	require.NoError(t, os.Chmod(dir, 0o770))
	require.ErrorContains(t, f.trusted(socket), "is not a folder of ours")
	_, err := (&Runner{Name: "20261122T031500Z", folder: f}).listen()
	require.ErrorContains(t, err, "is not a folder of ours")
	require.NoError(t, os.Remove(dir))
	elsewhere := t.TempDir()
	require.NoError(t, os.Symlink(elsewhere, dir))
	require.ErrorContains(t, f.trusted(socket), "is not a folder of ours")
}

// run makes a run with a journal of the events given; none is one that was opened
// and not begun.
func (f Folder) run(t *testing.T, name string, events ...runbook.Event) {
	t.Helper()
	j, _, err := journal.Open(f.journal(name))
	require.NoError(t, err)
	if len(events) > 0 {
		require.NoError(t, j.Append(events...))
	}
	require.NoError(t, j.Close())
}

func TestWhichRunIsDriven(t *testing.T) {
	started := runbook.Event{At: moment, Kind: runbook.EventStarted, Plan: &runbook.Plan{Network: "testnet", Orderers: []string{"orderer0"}}}
	aborted := runbook.Event{At: moment, Kind: runbook.EventAbort}
	const first, second = "20261122T031400Z", "20261122T031500Z"
	for _, tc := range []struct {
		name    string
		setUp   func(t *testing.T, f Folder)
		resume  bool
		run     string
		resumed bool
		err     string
	}{
		{name: "the first", run: second},
		{name: "the first, to be resumed", resume: true, run: second},
		{name: "one that stands", setUp: func(t *testing.T, f Folder) { f.run(t, first, started) }, err: ErrUnfinished.Error()},
		{name: "one that stands is resumed", setUp: func(t *testing.T, f Folder) { f.run(t, first, started) }, resume: true, run: first, resumed: true},
		{name: "after one that has ended", setUp: func(t *testing.T, f Folder) { f.run(t, first, started, aborted) }, run: second},
		{name: "the one that has ended is not resumed", setUp: func(t *testing.T, f Folder) { f.run(t, first, started, aborted) }, resume: true, run: second},
		{name: "one that was never begun is taken", setUp: func(t *testing.T, f Folder) { f.run(t, first) }, run: first},
		{name: "one that was never begun is not resumed either", setUp: func(t *testing.T, f Folder) { f.run(t, first) }, resume: true, run: first},
		{name: "an empty folder", setUp: func(t *testing.T, f Folder) { require.NoError(t, os.MkdirAll(f.RunDir(first), 0o700)) }, run: first},
		{name: "a run without its journal", setUp: func(t *testing.T, f Folder) {
			require.NoError(t, os.MkdirAll(filepath.Join(f.RunDir(first), "backup"), 0o700))
		}, resume: true, err: "has files and no journal"},
		{name: "a damaged journal", setUp: func(t *testing.T, f Folder) {
			require.NoError(t, os.MkdirAll(f.RunDir(first), 0o700))
			require.NoError(t, os.WriteFile(f.journal(first), []byte("something else altogether\n"), 0o600))
		}, resume: true, err: journal.ErrForeign.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := Folder(t.TempDir())
			if tc.setUp != nil {
				tc.setUp(t, f)
			}
			run, resumed, err := choose(Options{Folder: f, Resume: tc.resume}, moment)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.run, run)
			require.Equal(t, tc.resumed, resumed)
		})
	}
}
