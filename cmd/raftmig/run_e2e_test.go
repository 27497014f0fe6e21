package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/runbook/journal"
)

// upNet makes a network, starts it and returns its folder and description.
func upNet(t testing.TB, args ...string) (dir, file string) {
	t.Helper()
	dir = netDir(t)
	r := run(t, nil, append([]string{"testnet", "init", "--dir", dir}, args...)...)
	require.Zero(t, r.code, r.stderr)
	r = run(t, nil, "testnet", "up", "--dir", dir)
	require.Zero(t, r.code, r.stderr)
	return dir, filepath.Join(dir, "raftmig.yaml")
}

// statusOf is what raftmig status --json says.
func statusOf(t *testing.T, file string) state {
	t.Helper()
	r := run(t, nil, "status", "--json", "--network", file)
	require.Zero(t, r.code, r.stderr)
	var s state
	require.NoError(t, json.Unmarshal(r.stdout, &s))
	return s
}

// Status is what an operator asks when all seems lost: the run's process is
// dead, the orderers are down.
func TestStatusSaysHowToGoOnWhenNothingAnswers(t *testing.T) {
	dir, file := upNet(t, "--channels", "1")
	r := run(t, nil, "run", "--plain", "--network", file) // its input is empty
	require.NotZero(t, r.code)
	require.True(t, statusOf(t, file).Driven)

	lock, err := os.ReadFile(filepath.Join(dir, "raftmig-runs", "lock"))
	require.NoError(t, err)
	var owner journal.Owner
	require.NoError(t, json.Unmarshal(lock, &owner))
	require.NoError(t, syscall.Kill(owner.PID, syscall.SIGKILL))
	require.Eventually(t, func() bool { return !statusOf(t, file).Driven }, waitForBlock, tick)
	r = run(t, nil, "testnet", "down", "--dir", dir)
	require.Zero(t, r.code, r.stderr)

	r = run(t, nil, "status", "--json", "--network", file)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "connection refused")
	var s state
	require.NoError(t, json.Unmarshal(r.stdout, &s))
	require.Equal(t, runbook.StepConfirmPlan, s.Step)
	require.Equal(t, runbook.StatusWaiting, s.Status)
	require.Equal(t, "raftmig run --resume --network "+file, s.Next)
	require.Contains(t, s.Trouble, "connection refused")
	require.Len(t, s.Channels, 2, "as the run observed them last")
	require.False(t, s.ObservedAt.IsZero())
	require.Len(t, s.Processes, 4)
	for _, p := range s.Processes {
		require.False(t, p.Running, p.Node)
	}

	r = run(t, nil, "status", "--network", file)
	require.Contains(t, string(r.stdout), "go on:    raftmig run --resume --network "+file)
	require.Contains(t, string(r.stdout), "cannot be read now")
}

func TestWordsAreQuotedForAShellWhereTheyMustBe(t *testing.T) {
	require.Equal(t, "/net-1/raftmig.yaml", runner.Quote("/net-1/raftmig.yaml"))
	require.Equal(t, `'my net/it'\''s.yaml'`, runner.Quote("my net/it's.yaml"))
	require.Equal(t, "''", runner.Quote(""))
}

// The run of "raftmig run" is a process of its own: it waits at its gate after
// the terminal is gone, other terminals come and go, and one of them takes the
// network back.
func TestARunOutlivesItsTerminalAndIsAborted(t *testing.T) {
	dir, file := upNet(t, "--channels", "1")
	r := run(t, nil, "run", "--plain", "--network", file) // its input is empty
	require.NotZero(t, r.code)
	require.Contains(t, string(r.stdout)+r.stderr, "prepare.confirm")

	s := statusOf(t, file)
	require.True(t, s.Driven)
	require.Equal(t, runbook.PhasePrepare, s.Phase)

	r = run(t, nil, "run", "--plain", "--network", file)
	require.NotZero(t, r.code)
	require.Contains(t, r.stderr, "raftmig attach --network "+file+"\n", "a second run is refused and says what to do")

	r = run(t, nil, "attach", "--plain", "--read-only", "--network", file)
	require.Contains(t, string(r.stdout)+r.stderr, "prepare.confirm")

	r = run(t, nil, "abort", "--yes", "--plain", "--network", file)
	require.Zero(t, r.code, "%s\n%s", r.stdout, r.stderr)
	require.Contains(t, string(r.stdout)+r.stderr, "raftmig report --runs "+filepath.Join(dir, "raftmig-runs"))
	require.Eventually(t, func() bool { return !statusOf(t, file).Driven }, waitForBlock, tick)
	s = statusOf(t, file)
	require.Equal(t, runbook.OutcomeRolledBack, s.Outcome)
	for _, c := range s.Channels {
		for _, n := range c.Nodes {
			require.Equal(t, "kafka STATE_NORMAL", n.Type+" "+n.State, c.Name)
		}
	}

	r = run(t, nil, "abort", "--yes", "--network", file)
	require.Equal(t, exitUsage, r.code, "there is nothing left to abort")

	r = run(t, nil, "report", "--network", file)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, string(r.stdout), "rolled-back")
	require.DirExists(t, dir)
}

func TestCheckAndPlanChangeNothing(t *testing.T) {
	_, file := upNet(t, "--channels", "1")
	before := statusOf(t, file)
	r := run(t, nil, "check", "--json", "--network", file)
	require.Zero(t, r.code, "%s\n%s", r.stdout, r.stderr)
	var findings []runbook.Finding
	require.NoError(t, json.Unmarshal(r.stdout, &findings))
	require.Greater(t, len(findings), 20)
	r = run(t, nil, "plan", "--network", file)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, string(r.stdout), "for CH in syschannel ch1; do")
	require.Equal(t, before.Channels, statusOf(t, file).Channels)

	require.Zero(t, run(t, nil, "testnet", "fault", "stop", "orderer1", "--dir", filepath.Dir(file)).code)
	r = run(t, nil, "check", "--network", file)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, string(r.stdout), "orderer1")
}
