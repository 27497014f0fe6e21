package remote

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/driver"
	"raftmig/runbook/runbooktest"
)

type memory struct{}

func (memory) Append(...runbook.Event) error { return nil }

// serve drives an attended run and serves it. stop ends the run.
func serve(t *testing.T) (path string, s *Server, stop func(), logs chan runbook.LogLine) {
	t.Helper()
	n := runbooktest.New(runbooktest.Options{Channels: []string{"ch1"}})
	logs = make(chan runbook.LogLine)
	d, err := driver.New(driver.Options{Operator: n, Journal: memory{}, Plan: n.Plan(), Logs: logs})
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "r") // t.TempDir is too long for a socket
	require.NoError(t, err)
	path = filepath.Join(dir, "socket")
	s, err = Listen(path, d.Client)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _, _ = d.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(func() {
		stop()
		_ = s.Close()
		_ = os.RemoveAll(dir)
	})
	return path, s, stop, logs
}

func dial(t *testing.T, path string) runbook.Client {
	t.Helper()
	c, err := Dial(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func until(t *testing.T, c runbook.Client, holds func(runbook.Update) bool) {
	t.Helper()
	for u := range c.Updates() {
		if holds(u) {
			return
		}
	}
	t.Fatal("the updates ended first")
}

func atGate(step runbook.StepID) func(runbook.Update) bool {
	return func(u runbook.Update) bool {
		return u.Snapshot != nil && u.Snapshot.Gate != nil && u.Snapshot.Gate.Step == step
	}
}

func TestTwoTerminalsSeeOneRunAndEitherMayCommandIt(t *testing.T) {
	path, _, _, _ := serve(t)
	a, b := dial(t, path), dial(t, path)
	until(t, a, atGate(runbook.StepConfirmPlan))
	until(t, b, func(u runbook.Update) bool { return u.Clients == 2 })
	require.NoError(t, a.Send(t.Context(), runbook.Command{Kind: runbook.EventConfirmed, Step: runbook.StepConfirmPlan}))
	until(t, b, atGate(runbook.StepExitConfirm))

	err := b.Send(t.Context(), runbook.Command{Kind: runbook.EventConfirmed, Step: runbook.StepExitConfirm, Text: "no"})
	require.ErrorIs(t, err, runbook.ErrRefused)
	require.ErrorContains(t, err, `type "testnet"`)
	require.NoError(t, b.Send(t.Context(), runbook.Command{Kind: runbook.EventConfirmed, Step: runbook.StepExitConfirm, Text: "testnet"}))
	until(t, a, func(u runbook.Update) bool {
		return u.Snapshot != nil && u.Snapshot.Outcome == runbook.OutcomeMigrated
	})
}

// ending is a run that ends while it answers a command.
type ending struct {
	updates chan runbook.Update
	asked   chan struct{}
	answer  chan struct{}
}

func (e *ending) Updates() <-chan runbook.Update { return e.updates }

func (e *ending) Send(context.Context, runbook.Command) error {
	close(e.asked)
	<-e.answer
	return nil
}

func (e *ending) Close() error { return nil }

func TestTheAnswerToTheLastCommandComesBeforeTheEnd(t *testing.T) {
	run := &ending{updates: make(chan runbook.Update), asked: make(chan struct{}), answer: make(chan struct{})}
	dir, err := os.MkdirTemp("", "r")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	s, err := Listen(filepath.Join(dir, "socket"), func() runbook.Client { return run })
	require.NoError(t, err)
	defer s.Close()
	c := dial(t, filepath.Join(dir, "socket"))
	sent := make(chan error, 1)
	go func() { sent <- c.Send(t.Context(), runbook.Command{Kind: runbook.EventAbort}) }()
	<-run.asked
	close(run.updates)
	select {
	case err := <-sent:
		close(run.answer)
		t.Fatalf("the end came before the answer: %v", err)
	case <-time.After(100 * time.Millisecond): // nothing must come
	}
	close(run.answer)
	require.NoError(t, <-sent)
	for range c.Updates() { // they end
	}
}

func TestTheEndOfTheRunReachesEveryTerminal(t *testing.T) {
	path, s, stop, _ := serve(t)
	c := dial(t, path)
	until(t, c, atGate(runbook.StepConfirmPlan))
	stop()
	require.NoError(t, s.Close())
	for range c.Updates() { // they end
	}
	err := c.Send(t.Context(), runbook.Command{Kind: runbook.EventAbort})
	require.ErrorIs(t, err, ErrLost)
}

func TestATerminalThatReadsNothingHoldsNothingUp(t *testing.T) {
	path, _, _, logs := serve(t)
	deaf, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer deaf.Close()
	idle := dial(t, path) // reads its socket, but nobody fetches its updates
	c := dial(t, path)
	until(t, c, atGate(runbook.StepConfirmPlan))
	text := make([]byte, 10_000)
	for range 200 { // far more than a socket holds
		logs <- runbook.LogLine{Text: string(text)}
	}
	require.NoError(t, idle.Send(t.Context(), runbook.Command{Kind: runbook.EventConfirmed, Step: runbook.StepConfirmPlan}))
	until(t, c, atGate(runbook.StepExitConfirm))
}

func TestTheServerClosesAlthoughATerminalReadsNothing(t *testing.T) {
	path, s, _, logs := serve(t)
	deaf, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer deaf.Close()
	text := make([]byte, 10_000)
	for range 100 {
		logs <- runbook.LogLine{Text: string(text)}
	}
	s.patience = 10 * time.Millisecond
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("it does not close")
	}
}

func TestTheSocketBelongsToItsOwnerAndIsRemovedAtTheEnd(t *testing.T) {
	path, s, _, _ := serve(t)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, info.Mode())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else is left behind")

	_, err = Listen(path, nil)
	require.ErrorContains(t, err, "being served by another process")
	require.NoError(t, s.Close())
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestASocketThatADeadProcessLeftIsReplaced(t *testing.T) {
	dir, err := os.MkdirTemp("", "r")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "socket")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	_, err = Dial(t.Context(), path)
	require.Error(t, err)

	s, err := Listen(path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestACommandThatNobodyAnswersEndsWithItsContext(t *testing.T) {
	dir, err := os.MkdirTemp("", "r")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "socket")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	c := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.Send(ctx, runbook.Command{Kind: runbook.EventAbort}), context.Canceled)
}
