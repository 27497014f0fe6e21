package runner

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"raftmig/runbook"
)

// startedFD is the file descriptor on which a detached runner says that it has
// started, or why it has not.
const startedFD = 3

// started is the one message of a detached runner to the process that began it.
type started struct {
	Run     string           `json:"run,omitempty"`
	Problem *runbook.Problem `json:"problem,omitempty"`
}

// Detach begins a runner in a process and session of its own, so that it
// outlives this terminal: this program with args, its output going to logFile.
// It returns when the runner serves its socket, with the name of the run.
func Detach(ctx context.Context, logFile string, args ...string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return "", fmt.Errorf("opening the runner's log: %w", err)
	}
	defer log.Close()
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return "", fmt.Errorf("looking at the runner's log: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("making a pipe: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(exe, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{w} // becomes startedFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return "", errors.Join(fmt.Errorf("starting the runner: %w", err), w.Close())
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("closing the pipe: %w", err)
	}
	// Reaped when it ends, should this process live longer.
	go func() { _ = cmd.Wait() }()
	stop := context.AfterFunc(ctx, func() { _ = r.Close() })
	defer stop()
	line, err := bufio.NewReader(r).ReadString('\n')
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	var msg started
	if err != nil && !errors.Is(err, io.EOF) || json.Unmarshal([]byte(line), &msg) != nil {
		return "", &runbook.Problem{
			What: "the runner ended before it had started", Why: lastLines(logFile, before), Hint: "its log is " + logFile,
		}
	}
	if msg.Problem != nil {
		return "", msg.Problem
	}
	return msg.Run, nil
}

// lastLines returns the end of a small log file, for an error text; what was in
// it before is of other runners.
func lastLines(file string, before int64) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	if before <= int64(len(b)) {
		b = b[before:]
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// Started tells the process that began this one, if Detach did, that the run is
// under way or why it is not.
func Started(run string, err error) error {
	f := os.NewFile(startedFD, "started")
	if f == nil {
		return nil
	}
	defer f.Close()
	msg := started{Run: run}
	if err != nil {
		msg = started{Problem: asProblem(err)}
	}
	b, err := json.Marshal(msg)
	if err != nil {
		return fmt.Errorf("encoding the start message: %w", err)
	}
	if _, err := f.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("telling that the run has started: %w", err)
	}
	return nil
}

func asProblem(err error) *runbook.Problem {
	var p *runbook.Problem
	if errors.As(err, &p) {
		return p
	}
	return &runbook.Problem{What: err.Error()}
}
