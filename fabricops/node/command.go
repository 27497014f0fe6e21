package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// command controls a process through the operator's own commands, run without
// a shell. Without a status command, a process runs if one of its addresses
// accepts connections, and is down if all of them refuse.
type command struct {
	common
	start, stop, status []string
	dir                 string
	env                 []string
}

func newCommand(c common, ctl inventory.Control, base string) (*command, error) {
	if len(ctl.Start) == 0 || len(ctl.Stop) == 0 {
		return nil, fmt.Errorf("%s: control kind command needs start and stop", c.name)
	}
	if len(ctl.Status) == 0 && len(c.addresses) == 0 {
		return nil, fmt.Errorf("%s: control kind command needs a status command or an address", c.name)
	}
	return &command{common: c, start: ctl.Start, stop: ctl.Stop, status: ctl.Status, dir: absolute(base, ctl.Dir), env: ctl.Env}, nil
}

// run runs a command to its end. Its output goes to a file: a daemon that it
// leaves behind may keep its output open for ever. It has a session of its own,
// so that an interrupt at raftmig's terminal does not reach that daemon.
func (c *command) run(ctx context.Context, argv []string) error {
	out, err := os.CreateTemp("", "raftmig-command-*")
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	defer func() { _, _ = out.Close(), os.Remove(out.Name()) }()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(cmd.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Run()
	if err == nil {
		return nil
	}
	if text := lastBytes(out, 500); text != "" {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, text)
	}
	return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
}

// lastBytes returns the end of a file, without blanks around it.
func lastBytes(f *os.File, n int64) string {
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(0, info.Size()-n)
	buf := make([]byte, info.Size()-from)
	read, err := f.ReadAt(buf, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(buf[:read])), "")
}

// hintStatus says what to do where the state cannot be told.
func (c *command) hintStatus() string {
	if len(c.status) == 0 {
		return "see that its address can be reached from here, or give it a status command in raftmig.yaml"
	}
	return "check the status command in raftmig.yaml"
}

// running asks the status command. Without one the error is a silentError where
// an address neither accepts nor refuses connections.
func (c *command) running(ctx context.Context) (bool, error) {
	if len(c.status) == 0 {
		open, err := c.listening(ctx)
		return open != "", err
	}
	err := c.run(ctx, c.status)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &exit) && ctx.Err() == nil && looked(exit.ExitCode()):
		return false, nil
	default:
		return false, err
	}
}

// looked tells whether the exit code of a status command is its answer. These
// are not: it was ended by a signal, or it is a shell or ssh that could not run
// what it was to run.
func looked(code int) bool {
	const bySignal, notExecutable, notFound, noConnection = -1, 126, 127, 255
	return !slices.Contains([]int{bySignal, notExecutable, notFound, noConnection}, code)
}

// Status runs the status command; exit code 0 means that the process runs. One
// that is said to be down and accepts connections is an error: what follows from
// being down, such as a copy of its data, must not.
func (c *command) Status(ctx context.Context) (runbook.ProcessState, error) {
	running, err := c.running(ctx)
	if err == nil && !running && len(c.status) > 0 {
		var open string
		if open, err = c.openAddress(ctx); open != "" {
			err = fmt.Errorf("its status command says that it is down, but %s accepts connections", open)
		}
	}
	if err != nil {
		return c.state(false), c.problem("its state cannot be read", err, c.hintStatus())
	}
	return c.state(running), nil
}

// Start runs the start command, unless the process runs, and waits until it is
// ready. Its log is looked at if raftmig can read it.
func (c *command) Start(ctx context.Context) error {
	running, err := c.running(ctx)
	if silent := (*silentError)(nil); errors.As(err, &silent) {
		running, err = false, nil // then to start it is what helps
	}
	if err != nil {
		return c.problem("its state cannot be read", err, c.hintStatus())
	}
	ready := c.common
	offset := c.logSize()
	if running {
		ready.readyLine = "" // it may have been said long ago
	} else if err := c.runStart(ctx); err != nil {
		return c.problem("the start command failed", err, "check the start command in raftmig.yaml")
	}
	if err := ready.awaitReady(ctx, offset, func() error { return nil }); err != nil {
		return &startError{problem: c.problem("the process does not get ready", err, "look at its log"), cause: err}
	}
	return nil
}

func (c *command) runStart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.startTimeout)
	defer cancel()
	return c.run(ctx, c.start)
}

// Stop runs the stop command, unless the process is down, and waits until it
// is proven down.
func (c *command) Stop(ctx context.Context) error {
	running, err := c.running(ctx)
	if err != nil {
		return c.problem("its state cannot be read", err, c.hintStatus())
	}
	ctx, cancel := context.WithTimeout(ctx, c.stopTimeout)
	defer cancel()
	if running {
		if err := c.run(ctx, c.stop); err != nil {
			return c.problem("the stop command failed", err, "check the stop command in raftmig.yaml")
		}
	}
	why := "its status command says that it runs"
	err = poll(ctx, 5*pollInterval, func() (bool, error) {
		if open, err := c.openAddress(ctx); open != "" || err != nil {
			if open != "" {
				why = open + " still accepts connections"
			}
			return false, err
		}
		up, err := c.running(ctx)
		if silent := (*silentError)(nil); ctx.Err() == nil && errors.As(err, &silent) {
			why = silent.Error()
			return false, nil
		}
		return !up, err
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil:
		return c.problem("its state cannot be read", err, c.hintStatus())
	default:
		return c.problem(fmt.Sprintf("it does not end (waited %v)", c.stopTimeout), errors.New(why), "stop it by hand and retry")
	}
}
