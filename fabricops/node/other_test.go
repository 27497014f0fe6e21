package node

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

func TestCommandsOfTheOperatorStartAndStop(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	flag := filepath.Join(dir, "up")
	c, err := New(inventory.Process{Name: "kafka0", Control: inventory.Control{
		Kind: "command", Start: []string{"touch", flag}, Stop: []string{"rm", flag}, Status: []string{"test", "-e", flag},
		StopTimeout: 20 * time.Second,
	}}, Options{Tier: runbook.TierBrokers})
	require.NoError(t, err)
	running := func() bool {
		s, err := c.Status(ctx)
		require.NoError(t, err)
		return s.Running
	}
	require.False(t, running())
	require.NoError(t, c.Stop(ctx))
	require.NoError(t, c.Start(ctx))
	require.True(t, running())
	require.NoError(t, c.Start(ctx))
	require.NoError(t, c.Stop(ctx))
	require.False(t, running())
}

func TestCommandsThatFailAreReportedWithTheirOutput(t *testing.T) {
	ctx := t.Context()
	mk := func(ctl inventory.Control) Controller {
		ctl.Kind, ctl.StopTimeout = "command", 200*time.Millisecond
		c, err := New(inventory.Process{Name: "kafka0", Control: ctl}, Options{})
		require.NoError(t, err)
		return c
	}
	fails := []string{"ls", "/does-not-exist"}
	err := mk(inventory.Control{Start: fails, Stop: fails, Status: []string{"false"}}).Start(ctx)
	require.ErrorContains(t, err, "the start command failed: ls /does-not-exist")
	require.ErrorContains(t, err, "does-not-exist")
	err = mk(inventory.Control{Start: fails, Stop: fails, Status: []string{"true"}}).Stop(ctx)
	require.ErrorContains(t, err, "the stop command failed")
	err = mk(inventory.Control{Start: fails, Stop: []string{"true"}, Status: []string{"true"}}).Stop(ctx)
	require.ErrorContains(t, err, "it does not end (waited 200ms): its status command says that it runs")
	_, err = mk(inventory.Control{Start: fails, Stop: fails, Status: []string{"/no/such/program"}}).Status(ctx)
	require.ErrorContains(t, err, "its state cannot be read")
}

// A command that could not look, as ssh to a host that does not answer (255),
// has not seen the process down: data would be copied under its hands.
func TestAStatusThatCouldNotBeToldIsNotDown(t *testing.T) {
	mk := func(address, script string) Controller {
		c, err := New(inventory.Process{Name: "o0", Address: address, Control: inventory.Control{
			Kind: "command", Start: []string{"true"}, Stop: []string{"true"}, Status: []string{"sh", "-c", script}, StopTimeout: time.Second,
		}}, Options{})
		require.NoError(t, err)
		return c
	}
	closed := freeAddress(t)
	for _, script := range []string{"exit 1", "exit 3"} {
		s, err := mk(closed, script).Status(t.Context())
		require.NoError(t, err, script)
		require.False(t, s.Running, script)
	}
	for _, script := range []string{"exit 255", "exit 127", "exit 126", "kill -9 $$"} {
		_, err := mk(closed, script).Status(t.Context())
		require.ErrorContains(t, err, "its state cannot be read", script)
		require.ErrorContains(t, mk(closed, script).Stop(t.Context()), "its state cannot be read", script)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = mk(l.Addr().String(), "exit 3").Status(t.Context())
	require.ErrorContains(t, err, "its status command says that it is down, but "+l.Addr().String()+" accepts connections")
}

// When the time is over nothing has been looked at: that is not down.
func TestAnAddressThatWasNotTriedIsNotClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, control := range []inventory.Control{
		{Kind: "manual"},
		{Kind: "command", Start: []string{"true"}, Stop: []string{"true"}},
		{Kind: "process", Command: []string{"true"}, PIDFile: filepath.Join(t.TempDir(), "pid")},
	} {
		c, err := New(inventory.Process{Name: "o0", Address: l.Addr().String(), Control: control}, Options{})
		require.NoError(t, err)
		require.ErrorContains(t, c.Stop(over), "context canceled", control.Kind)
		if control.Kind != "process" { // which has no need of the address
			_, err = c.Status(over)
			require.ErrorContains(t, err, "context canceled", control.Kind)
		}
	}
}

func TestAStartCommandMayLeaveADaemonBehind(t *testing.T) {
	ctx := t.Context()
	pid := filepath.Join(t.TempDir(), "pid")
	c, err := New(inventory.Process{Name: "kafka0", Control: inventory.Control{
		Kind:        "command",
		Start:       []string{"sh", "-c", "sleep 300 & echo $! > " + pid},
		Stop:        []string{"sh", "-c", "kill $(cat " + pid + "); rm " + pid},
		Status:      []string{"test", "-e", pid},
		StopTimeout: 20 * time.Second,
	}}, Options{})
	require.NoError(t, err)
	began := time.Now()
	require.NoError(t, c.Start(ctx))
	require.Less(t, time.Since(began), 60*time.Second, "it does not wait for the daemon's output")
	s, err := c.Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Running)
	require.NoError(t, c.Stop(ctx))
}

func TestManualProcessesWaitForTheOperator(t *testing.T) {
	ctx := t.Context()
	address := freeAddress(t)
	told := make(chan string, 2)
	c, err := New(inventory.Process{Name: "kafka0", Address: address, Control: inventory.Control{Kind: "manual", StartTimeout: 20 * time.Second, StopTimeout: 20 * time.Second}},
		Options{Tell: func(text string) { told <- text }})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- c.Start(ctx) }()
	require.Contains(t, <-told, "please start kafka0 now")
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	require.NoError(t, <-done)
	s, err := c.Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Running)

	go func() { done <- c.Stop(ctx) }()
	require.Contains(t, <-told, "please stop kafka0 now")
	require.NoError(t, l.Close())
	require.NoError(t, <-done)
	require.NoError(t, c.Stop(ctx))
}

func TestAnOperatorWhoDoesNotComeIsAnErrorThatSaysWhatToDo(t *testing.T) {
	c, err := New(inventory.Process{Name: "kafka0", Address: freeAddress(t), Control: inventory.Control{Kind: "manual", StartTimeout: 50 * time.Millisecond}}, Options{})
	require.NoError(t, err)
	var need *OperatorNeeded
	require.ErrorAs(t, c.Start(t.Context()), &need)
	require.Equal(t, "start", need.Action)
}

func TestTheLogIsScannedAcrossReadsAndRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	s := &logScanner{path: file, want: "ready"}
	scan := func() bool {
		ok, err := s.scan()
		require.NoError(t, err)
		return ok
	}
	appendTo := func(text string) {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	require.False(t, scan(), "no log yet")
	appendTo("a line without end that is rea")
	require.False(t, scan())
	require.NoError(t, os.Truncate(file, 0))
	appendTo("x\nrea")
	require.False(t, scan())
	appendTo("dy\n")
	require.True(t, scan())
	require.True(t, scan())
}
