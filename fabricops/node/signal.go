package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// signal sends signals to the process of r. The handle is taken before the
// identity is checked, so that they cannot reach a process that got the same
// number later.
func (r *record) signal(signals ...syscall.Signal) error {
	h, err := os.FindProcess(r.PID)
	if err != nil {
		return err
	}
	defer h.Release() //nolint:errcheck // nothing to do about it
	alive, err := r.alive()
	if err != nil || !alive {
		return err
	}
	for _, s := range signals {
		if err := h.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("sending %v to process %d: %w", s, r.PID, err)
		}
	}
	return nil
}

// Stop sends SIGTERM and waits until the process is gone and its addresses are
// closed. It never kills: a process that does not end in time is an error.
func (p *process) Stop(ctx context.Context) error {
	return p.end(ctx, p.stopTimeout, syscall.SIGTERM)
}

// Kill sends SIGKILL and waits until the process is gone.
func (p *process) Kill(ctx context.Context) error {
	return p.end(ctx, 10*time.Second, syscall.SIGKILL)
}

func (p *process) end(ctx context.Context, timeout time.Duration, s syscall.Signal) error {
	return p.exclusive(ctx, func() error {
		r, err := p.find()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if r != nil {
			if err := p.endOne(ctx, r, s); err != nil {
				hint := "look at its log: " + p.log + "; as a last resort end it by hand: kill -9 " + fmt.Sprint(r.PID)
				return p.problem(fmt.Sprintf("process %d does not end (waited %v)", r.PID, timeout), err, hint)
			}
		}
		if err := os.Remove(p.pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: removing the pid file: %w", p.name, err)
		}
		why := errors.New("its addresses could not be tried")
		err = poll(ctx, pollInterval, func() (bool, error) {
			open, err := p.openAddress(ctx)
			if open != "" {
				why = fmt.Errorf("%s still accepts connections: another process listens there", open)
			}
			return open == "", err
		})
		if err != nil {
			return p.problem("it is not down", why, "find out which process listens there and stop it")
		}
		return nil
	})
}

func (p *process) endOne(ctx context.Context, r *record, s syscall.Signal) error {
	// A paused process sees SIGTERM only when it goes on.
	if err := r.signal(s, syscall.SIGCONT); err != nil {
		return err
	}
	return poll(ctx, pollInterval, func() (bool, error) {
		alive, err := r.alive()
		return !alive, err
	})
}

// Pause stops the process (SIGSTOP).
func (p *process) Pause() error { return p.tell(syscall.SIGSTOP) }

// Resume lets a paused process go on (SIGCONT).
func (p *process) Resume() error { return p.tell(syscall.SIGCONT) }

func (p *process) tell(s syscall.Signal) error {
	r, err := p.find()
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if r == nil {
		return fmt.Errorf("%s: %w", p.name, ErrNotRunning)
	}
	if err := r.signal(s); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}
