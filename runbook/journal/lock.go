package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked is wrapped by the error for a lock that somebody holds.
var ErrLocked = errors.New("locked")

// Owner says who holds a lock, for the one who has to wait.
type Owner struct {
	PID   int       `json:"pid"`
	By    string    `json:"by"` // user@host
	Since time.Time `json:"since"`
}

// Lock is held while a run is under way: one run per network. It ends with the
// process that holds it, so a dead owner needs no force.
type Lock struct{ lock *flock.Flock }

// Acquire takes the lock at path, or says who holds it.
func Acquire(path string, owner Owner) (*Lock, error) {
	l := flock.New(path, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrLocked, describe(path))
	}
	b, err := json.Marshal(owner)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("writing the owner into %s: %w", path, err), l.Unlock())
	}
	return &Lock{lock: l}, nil
}

// describe reads the owner from a lock file that another process holds.
func describe(path string) string {
	var o Owner
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err != nil {
		return "another process holds " + path
	}
	return fmt.Sprintf("by %s, process %d, since %s", o.By, o.PID, o.Since.UTC().Format(time.RFC3339))
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.lock.Unlock() }
