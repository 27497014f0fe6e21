package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// server describes this test binary in the role of a server.
func server(t *testing.T, env ...string) inventory.Process {
	t.Helper()
	dir := t.TempDir()
	address := freeAddress(t)
	return inventory.Process{
		Name:    "orderer0",
		Address: address,
		Log:     filepath.Join(dir, "orderer0.log"),
		Control: inventory.Control{
			Kind:         "process",
			Command:      []string{os.Args[0]},
			Env:          append([]string{"NODE_TEST_ROLE=server", "NODE_TEST_ADDR=" + address}, env...),
			PIDFile:      filepath.Join(dir, "orderer0.pid"),
			StartTimeout: 20 * time.Second,
			StopTimeout:  20 * time.Second,
		},
	}
}

func controller(t *testing.T, p inventory.Process) *process {
	t.Helper()
	c, err := New(p, Options{Tier: runbook.TierOrderers})
	require.NoError(t, err)
	pr := c.(*process)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = pr.Kill(ctx)
	})
	return pr
}

func TestStartIsReadyAndStopIsDown(t *testing.T) {
	ctx := t.Context()
	p := server(t)
	c := controller(t, p)
	s, err := c.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, runbook.ProcessState{Node: "orderer0", Tier: runbook.TierOrderers}, s)

	before := time.Now()
	require.NoError(t, c.Start(ctx))
	require.True(t, accepts(ctx, p.Address, false))
	s, err = c.Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Running)
	require.Positive(t, s.PID)
	require.WithinDuration(t, before, s.StartedAt, 20*time.Second)

	require.NoError(t, c.Start(ctx), "starting what is up changes nothing")
	again, err := c.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, s, again)

	require.NoError(t, c.Stop(ctx))
	require.False(t, accepts(ctx, p.Address, false))
	s, err = c.Status(ctx)
	require.NoError(t, err)
	require.False(t, s.Running)
	require.NoError(t, c.Stop(ctx), "stopping what is down changes nothing")
	log, err := os.ReadFile(p.Log)
	require.NoError(t, err)
	require.Contains(t, string(log), "bye")
	require.NoFileExists(t, p.Control.PIDFile)
}

func TestTheLogIsAppendedToAndOnlyItsNewPartCounts(t *testing.T) {
	ctx := t.Context()
	p := server(t)
	require.NoError(t, controller(t, p).Start(ctx))
	require.NoError(t, controller(t, p).Stop(ctx))
	p.Control.Env = append(p.Control.Env, "NODE_TEST_SILENT=1")
	p.Control.StartTimeout = 300 * time.Millisecond
	err := controller(t, p).Start(ctx)
	require.ErrorContains(t, err, `does not say "Beginning to serve requests"`)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	s, err := controller(t, p).Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Running, "it is left as it is")
	log, err := os.ReadFile(p.Log)
	require.NoError(t, err)
	require.Contains(t, string(log), "bye")
}

func TestAProcessThatEndsDuringStartIsStartedAgainAsOftenAsTheInventorySays(t *testing.T) {
	p := server(t)
	lives := filepath.Join(t.TempDir(), "lives")
	p.Control.Command = []string{"/bin/sh", "-c", `echo . >> "$0"; [ "$(wc -l < "$0")" -gt 2 ] || exit 3; exec "$1"`, lives, os.Args[0]}
	p.Control.Attempts = 2
	require.ErrorContains(t, controller(t, p).Start(t.Context()), "it ended during start")
	p.Control.Attempts = 3
	require.NoError(t, os.Remove(lives))
	require.NoError(t, controller(t, p).Start(t.Context()))
}

func TestReadinessIsAskedInTheProcesssOwnProtocol(t *testing.T) {
	p := server(t)
	require.NoError(t, controller(t, p).Start(t.Context()), "it runs, and is no ZooKeeper")
	p.Control.Ready, p.Control.StartTimeout = inventory.ReadyZooKeeper, time.Second
	err := controller(t, p).Start(t.Context())
	require.ErrorContains(t, err, "ZooKeeper at "+p.Address)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAProcessThatEndsDuringStartIsReportedWithItsLastWords(t *testing.T) {
	p := server(t)
	p.Control.Env[0] = "NODE_TEST_ROLE=dies"
	err := controller(t, p).Start(t.Context())
	require.ErrorContains(t, err, "it ended during start")
	require.ErrorContains(t, err, "cannot open the ledger")
	var problem *runbook.Problem
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "orderer0", problem.Where)
}

func TestAPortInUseIsAnError(t *testing.T) {
	p := server(t)
	l, err := net.Listen("tcp", p.Address)
	require.NoError(t, err)
	defer l.Close()
	err = controller(t, p).Start(t.Context())
	require.ErrorContains(t, err, p.Address+" is in use by another process")
	require.NoFileExists(t, p.Control.PIDFile)
}

func TestStopNeverKills(t *testing.T) {
	ctx := t.Context()
	p := server(t, "NODE_TEST_STUBBORN=1")
	p.Control.StopTimeout = 300 * time.Millisecond
	c := controller(t, p)
	require.NoError(t, c.Start(ctx))
	require.ErrorContains(t, c.Stop(ctx), "does not end (waited 300ms)")
	s, err := c.Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Running)
	require.NoError(t, c.Kill(ctx))
	s, err = c.Status(ctx)
	require.NoError(t, err)
	require.False(t, s.Running)
}

func TestAPIDFileOfAnotherProcessIsNeverFollowed(t *testing.T) {
	ctx := t.Context()
	p := server(t)
	c := controller(t, p)
	victim := exec.Command(os.Args[0])
	address := freeAddress(t)
	victim.Env = []string{"NODE_TEST_ROLE=server", "NODE_TEST_ADDR=" + address}
	require.NoError(t, victim.Start())
	ended := make(chan error, 1)
	go func() { ended <- victim.Wait() }()
	defer func() { _ = victim.Process.Kill(); <-ended }()
	waitFor(t, "victim serves", func() bool { return accepts(ctx, address, false) })

	for name, r := range map[string]string{
		"another birth": fmt.Sprintf(`{"pid":%d,"birth":"x/1"}`, victim.Process.Pid),
		"no birth":      fmt.Sprintf(`{"pid":%d}`, victim.Process.Pid),
		"damaged":       fmt.Sprint(victim.Process.Pid),
		"empty":         "",
		"init":          `{"pid":1,"birth":"x/1"}`,
	} {
		require.NoError(t, os.WriteFile(p.Control.PIDFile, []byte(r), 0o644))
		s, err := c.Status(ctx)
		require.NoError(t, err, name)
		require.False(t, s.Running, name)
		require.NoError(t, c.Stop(ctx), name)
		require.NoError(t, os.WriteFile(p.Control.PIDFile, []byte(r), 0o644))
		require.NoError(t, c.Kill(ctx), name)
	}
	require.True(t, accepts(ctx, address, false), "the other process lives")
	require.NoError(t, os.WriteFile(p.Control.PIDFile, []byte(fmt.Sprintf(`{"pid":%d,"birth":"x/1"}`, victim.Process.Pid)), 0o644))
	require.NoError(t, c.Start(ctx))
	require.True(t, accepts(ctx, p.Address, false))
}

func TestAProcessIsFoundThoughItsPIDFileWasNotWritten(t *testing.T) {
	ctx := t.Context()
	p := server(t)
	c := controller(t, p)
	require.NoError(t, c.Start(ctx))
	was, err := c.Status(ctx)
	require.NoError(t, err)
	require.NoError(t, os.Remove(p.Control.PIDFile))
	s, err := controller(t, p).Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Running)
	require.Equal(t, was.PID, s.PID)
	require.WithinDuration(t, was.StartedAt, s.StartedAt, 2*time.Second)
	require.NoError(t, controller(t, p).Start(ctx))
	require.NoError(t, controller(t, p).Stop(ctx))
	require.False(t, accepts(ctx, p.Address, false))
}

func startAndLeave() {
	c, err := New(inventory.Process{
		Name: "orderer0", Address: os.Getenv("NODE_TEST_ADDR"), Log: os.Getenv("NODE_TEST_LOG"),
		Control: inventory.Control{
			Kind: "process", Command: []string{os.Args[0]}, PIDFile: os.Getenv("NODE_TEST_PID"),
			Env: []string{"NODE_TEST_ROLE=server", "NODE_TEST_ADDR=" + os.Getenv("NODE_TEST_ADDR")},
		},
	}, Options{Tier: runbook.TierOrderers})
	if err == nil {
		err = c.Start(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func TestAProcessOutlivesItsStarterAndIsControlledByTheNext(t *testing.T) {
	ctx := t.Context()
	p := server(t)
	starter := exec.Command(os.Args[0])
	starter.Env = []string{"NODE_TEST_ROLE=starter", "NODE_TEST_ADDR=" + p.Address, "NODE_TEST_LOG=" + p.Log, "NODE_TEST_PID=" + p.Control.PIDFile}
	out, err := starter.CombinedOutput()
	require.NoError(t, err, string(out))
	c := controller(t, p)
	s, err := c.Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Running)
	pgid, err := syscall.Getpgid(s.PID)
	require.NoError(t, err)
	require.Equal(t, s.PID, pgid, "it has a process group of its own")
	require.NoError(t, c.Stop(ctx))
}

func TestControllersOfOneProcessActOneAfterTheOther(t *testing.T) {
	ctx := t.Context()
	p := server(t)
	errs := make(chan error, 8)
	for range cap(errs) {
		c := controller(t, p)
		go func() { errs <- c.Start(ctx) }()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	log, err := os.ReadFile(p.Log)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(log), OrdererReady), "it was started once")
}

func TestTheEnvironmentIsMinimal(t *testing.T) {
	t.Setenv("ORDERER_GENERAL_LISTENPORT", "1")
	for _, e := range minimalEnv() {
		require.False(t, strings.HasPrefix(e, "ORDERER_"), e)
	}
}

func TestBadControlsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		control inventory.Control
		address string
		want    string
	}{
		"unknown kind":            {inventory.Control{Kind: "docker"}, "a:1", `control kind "docker" is none of`},
		"process without command": {inventory.Control{Kind: "process", PIDFile: "x"}, "a:1", "needs a command"},
		"process without pidFile": {inventory.Control{Kind: "process", Command: []string{"x"}}, "a:1", "needs a pidFile"},
		"command without stop":    {inventory.Control{Kind: "command", Start: []string{"x"}}, "a:1", "needs start and stop"},
		"command without proof":   {inventory.Control{Kind: "command", Start: []string{"x"}, Stop: []string{"y"}}, "", "needs a status command or an address"},
		"manual without address":  {inventory.Control{Kind: "manual"}, "", "needs an address to watch"},
		"address without port":    {inventory.Control{Kind: "manual"}, "host", `address "host" is not host:port`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(inventory.Process{Name: "n", Address: tc.address, Control: tc.control}, Options{})
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestARecordKnowsAProcessThatWaitsToBeReaped(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^$")
	require.NoError(t, child.Start())
	birth, _, err := birthOf(child.Process.Pid)
	require.NoError(t, err)
	r := &record{PID: child.Process.Pid, Birth: birth}
	waitFor(t, "the child ended", func() bool {
		alive, err := r.alive()
		return err == nil && !alive
	})
	require.NoError(t, r.signal(syscall.SIGTERM), "an ended process is not signalled")
	require.NoError(t, child.Wait())
	alive, err := (&record{PID: child.Process.Pid}).alive()
	require.NoError(t, err)
	require.False(t, alive, "it had ended before its birth was asked for")
}

var _ interface {
	Controller
	Faulter
} = (*process)(nil)

func TestProblemsKeepTheirCause(t *testing.T) {
	cause := errors.New("cause")
	err := error(&startError{problem: &runbook.Problem{What: "w", Hint: "h"}, cause: cause})
	require.ErrorIs(t, err, cause)
	var p *runbook.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, "h", p.Hint)
}

// A child can end before its starter looks at it, as on a busy machine. It has
// ended then; what has no birth is no process.
func TestAProcessThatHasEndedBeforeItWasLookedAtIsNotAlive(t *testing.T) {
	gone := exec.Command("/bin/sh", "-c", "exit 3")
	require.Error(t, gone.Run())
	alive, err := (&record{PID: gone.Process.Pid}).alive()
	require.NoError(t, err)
	require.False(t, alive)

	p := server(t)
	p.Control.Command = []string{"/bin/sh", "-c", "exit 3"}
	p.Control.StartTimeout = time.Hour // that is not what ends the wait
	c := controller(t, p)
	for range 50 {
		require.ErrorIs(t, c.Start(t.Context()), errEnded)
	}
}
