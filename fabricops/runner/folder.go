package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"time"

	"raftmig/runbook"
	"raftmig/runbook/journal"
)

// ErrNoRun is returned where a network has no run yet.
var ErrNoRun = errors.New("there is no run of this network yet")

// Folder is where the runs of one network are kept.
type Folder string

// DefaultFolder is the folder of the network that file (raftmig.yaml) describes.
func DefaultFolder(file string) Folder {
	return Folder(filepath.Join(filepath.Dir(file), "raftmig-runs"))
}

func (f Folder) lock() string              { return filepath.Join(string(f), "lock") }
func (f Folder) journal(run string) string { return filepath.Join(string(f), run, "journal") }

// RunnerLog is the file that detached runners of the network write to.
func (f Folder) RunnerLog() string { return filepath.Join(string(f), "runner.log") }

// RunDir is the folder of one run.
func (f Folder) RunDir(run string) string { return filepath.Join(string(f), run) }

const runLayout = "20060102T150405Z"

// newRun returns a name for a run that begins now, different from all others.
func (f Folder) newRun(now time.Time) (string, error) {
	for {
		name := now.UTC().Format(runLayout)
		switch _, err := os.Stat(f.RunDir(name)); {
		case errors.Is(err, fs.ErrNotExist):
			return name, nil
		case err != nil:
			return "", fmt.Errorf("looking for run %s: %w", name, err)
		}
		now = now.Add(time.Second)
	}
}

// Runs lists the runs, the oldest first.
func (f Folder) Runs() ([]string, error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	var runs []string
	for _, e := range entries { // sorted by name, which is by time
		if _, err := time.Parse(runLayout, e.Name()); err == nil && e.IsDir() {
			runs = append(runs, e.Name())
		}
	}
	return runs, nil
}

// Latest returns the newest run, or ErrNoRun.
func (f Folder) Latest() (string, error) {
	runs, err := f.Runs()
	if err != nil {
		return "", err
	}
	if len(runs) == 0 {
		return "", ErrNoRun
	}
	return runs[len(runs)-1], nil
}

// Read returns the state of a run as its journal has it, whether or not the run
// is being driven. It changes nothing.
func (f Folder) Read(run string) (runbook.Snapshot, error) {
	contents, err := journal.Read(f.journal(run))
	if err != nil {
		return runbook.Snapshot{}, err
	}
	book, err := runbook.Replay(contents.Events)
	if err != nil {
		return runbook.Snapshot{}, fmt.Errorf("the journal of run %s does not fit this program: %w", run, err)
	}
	return book.Snapshot(), nil
}

// Done returns the last run if it is of an operation on Raft and has done it, or
// nil: a process that died behind the last record leaves nothing to resume.
func (f Folder) Done(o runbook.Operation) (*runbook.Snapshot, error) {
	last, err := f.Latest()
	if errors.Is(err, ErrNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := f.Read(last)
	if err != nil || s.Outcome != runbook.OutcomeDone || !reflect.DeepEqual(s.Plan.Operation, &o) {
		return nil, err
	}
	return &s, nil
}

// begun reports whether a run has events. One that could not be opened, because
// raftmig.yaml was wrong or the process ended, has none, and maybe no journal; the
// next one takes its place.
func (f Folder) begun(run string) (bool, error) {
	contents, err := journal.Read(f.journal(run))
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(f.RunDir(run))
		if err == nil && len(entries) > 0 {
			err = fmt.Errorf("run %s has files and no journal", run)
		}
		return false, err
	}
	return len(contents.Events) > 0, err
}

// maxSocketPath is what every Unix takes; some systems end at 104 bytes.
const maxSocketPath = 100

// Socket is the path of a run's socket. A path that is too long for a socket is
// replaced by one in the system's folder for temporary files.
func (f Folder) Socket(run string) string {
	path := filepath.Join(f.RunDir(run), "socket")
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if len(path) <= maxSocketPath {
		return path
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(os.TempDir(), fmt.Sprintf("raftmig-%d", os.Getuid()), hex.EncodeToString(sum[:8]))
}

// trusted returns an error for a socket in the system's folder for temporary files
// if somebody else could put another one in its place.
func (f Folder) trusted(socket string) error {
	dir := filepath.Dir(socket)
	if filepath.Dir(dir) != filepath.Clean(os.TempDir()) {
		return nil // in the folder of the run
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("looking at the socket's folder: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(stat.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a folder of ours that nobody else can write to", dir)
	}
	return nil
}
