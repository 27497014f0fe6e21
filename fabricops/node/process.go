package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// markName is a variable in the environment of every process that we start.
// Its value is the path of the pid file.
const markName = "RAFTMIG_PID_FILE"

// process controls a child of raftmig. The child outlives its starter: it has
// a session of its own and writes to files only. Any later raftmig controls it
// through the pid file.
type process struct {
	common
	command []string
	env     []string
	dir     string
	pidFile string
	// attempts is how often it is started if it ends before it is ready.
	attempts int
	mu       sync.Mutex // one action at a time; the lock file does the same between processes
}

func newProcess(c common, ctl inventory.Control, base string) (*process, error) {
	if len(ctl.Command) == 0 {
		return nil, fmt.Errorf("%s: control kind process needs a command", c.name)
	}
	if ctl.PIDFile == "" {
		return nil, fmt.Errorf("%s: control kind process needs a pidFile", c.name)
	}
	if c.readyLine != "" && c.log == "" {
		return nil, fmt.Errorf("%s: control kind process needs a log", c.name)
	}
	pidFile, err := filepath.Abs(absolute(base, ctl.PIDFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return &process{common: c, command: ctl.Command, env: ctl.Env, dir: absolute(base, ctl.Dir), pidFile: pidFile, attempts: max(ctl.Attempts, 1)}, nil
}

// exclusive runs do while no other controller of this process acts.
func (p *process) exclusive(ctx context.Context, do func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(p.pidFile), 0o755); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	lock := flock.New(p.pidFile + ".lock")
	if _, err := lock.TryLockContext(ctx, pollInterval); err != nil {
		return fmt.Errorf("%s: waiting for another raftmig that acts on it: %w", p.name, err)
	}
	defer lock.Unlock() //nolint:errcheck // closing the file releases it in any case
	return do()
}

// find returns the record of the running process, nil if it does not run.
func (p *process) find() (*record, error) {
	r, err := readRecord(p.pidFile)
	if err != nil {
		return nil, err
	}
	if r != nil {
		alive, err := r.alive()
		if err != nil {
			return nil, err
		}
		if alive {
			return r, nil
		}
	}
	return findMarked(p.mark())
}

func (p *process) mark() string { return markName + "=" + p.pidFile }

// Status tells whether the process runs, by pid file and start time.
func (p *process) Status(context.Context) (runbook.ProcessState, error) {
	r, err := p.find()
	if err != nil {
		return p.state(false), fmt.Errorf("%s: %w", p.name, err)
	}
	s := p.state(r != nil)
	if r != nil {
		s.PID, s.StartedAt = r.PID, r.StartedAt
	}
	return s, nil
}

// Start starts the process, unless it runs, and waits until it is ready. A
// paused process goes on. One that does not get ready is left as it is, so that
// it can be looked at; if it ended, it is started again if the inventory says
// so (Attempts), and at last the error has the end of its log.
func (p *process) Start(ctx context.Context) error {
	return p.exclusive(ctx, func() error {
		var err error
		for range p.attempts {
			if err = p.start(ctx); !errors.Is(err, errEnded) {
				return err
			}
		}
		return err
	})
}

// start is one attempt of Start.
func (p *process) start(ctx context.Context) error {
	r, err := p.find()
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if r == nil {
		r, err = p.launch(ctx)
	} else {
		err = r.signal(syscall.SIGCONT) // it may be paused
	}
	if err != nil {
		return err
	}
	err = p.awaitReady(ctx, r.LogOffset, func() error {
		alive, err := r.alive()
		if err == nil && !alive {
			err = errEnded
		}
		return err
	})
	if err == nil {
		return nil
	}
	hint := "look at its log: " + p.log
	if errors.Is(err, errEnded) {
		if lines := p.lastLines(r.LogOffset, 5); lines != "" {
			err = fmt.Errorf("%w; its last words: %s", err, lines)
		}
	}
	return &startError{problem: p.problem("the process does not get ready", err, hint), cause: err}
}

var errEnded = errors.New("it ended during start")

// startError is a problem that keeps its cause for errors.Is.
type startError struct {
	problem *runbook.Problem
	cause   error
}

func (e *startError) Error() string { return e.problem.Error() }

func (e *startError) Unwrap() []error { return []error{e.problem, e.cause} }

// launch starts the child and writes the pid file.
func (p *process) launch(ctx context.Context) (*record, error) {
	if a, err := p.openAddress(ctx); err != nil {
		return nil, p.problem("cannot start", err, "")
	} else if a != "" {
		return nil, p.problem("cannot start", fmt.Errorf("%s is in use by another process", a), "stop what listens there, or give this node another port")
	}
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Dir = p.dir
	cmd.Env = append(append(minimalEnv(), p.env...), p.mark())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if p.log != "" {
		if err := os.MkdirAll(filepath.Dir(p.log), 0o755); err != nil {
			return nil, p.problem("cannot start", err, "")
		}
		f, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, p.problem("cannot start", err, "")
		}
		defer f.Close()
		cmd.Stdout, cmd.Stderr = f, f
	}
	offset := p.logSize()
	if err := cmd.Start(); err != nil {
		return nil, p.problem("cannot start", err, "")
	}
	// Only one that was not reaped yet can still be looked at if it has ended.
	birth, _, err := birthOf(cmd.Process.Pid)
	// The child is reaped whenever it ends, for as long as we live.
	go func() { _ = cmd.Wait() }()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.name, err), cmd.Process.Kill())
	}
	r := &record{PID: cmd.Process.Pid, Birth: birth, StartedAt: time.Now().UTC(), LogOffset: offset}
	if err := r.write(p.pidFile); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.name, err), cmd.Process.Kill())
	}
	return r, nil
}

// minimalEnv keeps a node independent of the shell that started raftmig.
func minimalEnv() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "TZ", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
