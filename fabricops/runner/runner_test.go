package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// The test binary plays a runner that Detach begins.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "detached" {
		os.Exit(detached(os.Args[2]))
	}
	os.Exit(m.Run())
}

func detached(role string) int {
	switch role {
	case "starts":
		if err := Started("20261122T031500Z", nil); err != nil {
			fmt.Println(err)
			return 1
		}
	case "refuses":
		_ = Started("", &runbook.Problem{What: "another run is being driven", Hint: "attach"})
	case "fails":
		_ = Started("", errors.New("no such network"))
	case "dies":
		fmt.Println("panic: out of words")
		return 2
	case "hangs":
		time.Sleep(20 * time.Second) // it is killed, or ends
	}
	return 0
}

func TestDetachReturnsWhatTheRunnerSays(t *testing.T) {
	log := filepath.Join(t.TempDir(), "runner.log")
	require.NoError(t, os.WriteFile(log, []byte("words of an earlier runner\n"), 0o600))
	run, err := Detach(t.Context(), log, "detached", "starts")
	require.NoError(t, err)
	require.Equal(t, "20261122T031500Z", run)
	_, err = Detach(t.Context(), log, "detached", "refuses")
	require.Equal(t, &runbook.Problem{What: "another run is being driven", Hint: "attach"}, err)
	_, err = Detach(t.Context(), log, "detached", "fails")
	require.Equal(t, &runbook.Problem{What: "no such network"}, err)
	_, err = Detach(t.Context(), log, "detached", "dies")
	require.Equal(t, &runbook.Problem{
		What: "the runner ended before it had started", Why: "panic: out of words", Hint: "its log is " + log,
	}, err)
	_, err = Detach(t.Context(), log, "detached", "is silent")
	require.Equal(t, &runbook.Problem{What: "the runner ended before it had started", Hint: "its log is " + log}, err,
		"the words of others are not its own")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Detach(ctx, log, "detached", "hangs")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A run that could not be opened, as its administrator's key is missing, is not in
// the way of the next one.
func TestARunThatCouldNotBeOpenedIsTakenUpAgain(t *testing.T) {
	inv := fakenet.New(t, 3).Inventory()
	f := Folder(filepath.Join(t.TempDir(), "runs"))
	admins := inv.Admins
	inv.Admins = []inventory.Identity{{MSPID: "OrdererMSP", MSPDir: filepath.Join(t.TempDir(), "nothing")}}
	_, err := Open(Options{Network: inv, Folder: f})
	require.Error(t, err)
	inv.Admins = admins
	r, err := Open(Options{Network: inv, Folder: f})
	require.NoError(t, err)
	require.False(t, r.Resumed)
	runs, err := f.Runs()
	require.NoError(t, err)
	require.Equal(t, []string{r.Name}, runs)

	_, err = Open(Options{Network: inv, Folder: f, Arguments: net, Resume: true})
	var problem *runbook.Problem
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "another run of this network is being driven", problem.What)
	require.Contains(t, problem.Why, Who())
	require.Equal(t, "attach to it with: raftmig attach --network net/raftmig.yaml", problem.Hint)
	_, err = Attach(t.Context(), f, net)
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "the last run is not being driven", problem.What)
	require.NoError(t, r.Close())
	r, err = Open(Options{Network: inv, Folder: f})
	require.NoError(t, err, "its lock is free again")
	require.NoError(t, r.Close())
}

// Who waited for a detached runner is gone: the run does not begin, and its socket
// is removed.
func TestARunnerWhoseStarterIsGoneDoesNotBegin(t *testing.T) {
	inv := fakenet.New(t, 3).Inventory()
	f := Folder(t.TempDir())
	r, err := Open(Options{Network: inv, Folder: f})
	require.NoError(t, err)
	defer r.Close()
	gone := errors.New("broken pipe")
	var atServing error
	_, err = r.run(t.Context(), func(error) error {
		_, atServing = os.Stat(f.Socket(r.Name))
		return gone
	})
	require.ErrorIs(t, err, gone)
	require.NoError(t, atServing, "terminals can attach by then")
	require.NoFileExists(t, f.Socket(r.Name))
}

// looker answers effects.
type looker struct {
	runbook.Operator
	answer func(runbook.Effect) (runbook.Evidence, error)
	asked  []runbook.EffectKind
}

func (l *looker) Perform(_ context.Context, e runbook.Effect, _ func(runbook.Progress)) (runbook.Evidence, error) {
	l.asked = append(l.asked, e.Kind)
	return l.answer(e)
}

func TestAPreviewLooksAndStopsAtWhatItCannotSee(t *testing.T) {
	l := &looker{answer: func(runbook.Effect) (runbook.Evidence, error) {
		return runbook.Evidence{}, errors.New("no route to host")
	}}
	s, err := Preview(t.Context(), l, runbook.Plan{Network: "testnet", Orderers: []string{"orderer0"}, Unattended: true})
	require.NoError(t, err)
	require.NotNil(t, s.Problem)
	require.Contains(t, s.Problem.Error(), "no route to host")
	require.False(t, s.Plan.Unattended, "it would not ask then")
	require.NotEmpty(t, l.asked)
	for _, kind := range l.asked {
		require.False(t, kind.Mutating(), kind)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l.answer = func(runbook.Effect) (runbook.Evidence, error) { cancel(); return runbook.Evidence{}, nil }
	_, err = Preview(ctx, l, runbook.Plan{Network: "testnet", Orderers: []string{"orderer0"}})
	require.ErrorIs(t, err, context.Canceled)
}
