// Package node stops, starts and watches the processes of a network.
package node

import (
	"context"
	"errors"

	"raftmig/runbook"
)

// ErrNotRunning is returned by operations that need a running process.
var ErrNotRunning = errors.New("process is not running")

// Controller controls one process. Calls are idempotent: stopping what is
// down and starting what is up succeed and change nothing.
type Controller interface {
	// Start starts the process and returns when it is ready to serve: its
	// addresses accept connections and its log, if it is an orderer's, says so.
	Start(ctx context.Context) error
	// Stop asks the process to end and returns when it is proven down.
	Stop(ctx context.Context) error
	// Status tells whether it runs, and since when.
	Status(ctx context.Context) (runbook.ProcessState, error)
}

// Faulter is implemented by controllers that can hurt their process; used by
// the testnet.
type Faulter interface {
	// Kill ends the process at once (SIGKILL) and returns when it is gone.
	Kill(ctx context.Context) error
	// Pause and Resume stop and continue it (SIGSTOP, SIGCONT).
	Pause() error
	Resume() error
}
