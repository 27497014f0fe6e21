package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"raftmig/testnet/validate"
)

// history appends records to a file, one line each, as they come: a killed
// load leaves all that was known by then.
type history struct {
	mu sync.Mutex
	f  *os.File
}

func openHistory(file string) (*history, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	if err := dropTorn(f); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the history: %w", err), f.Close())
	}
	return &history{f: f}, nil
}

// dropTorn cuts a last line without end off.
func dropTorn(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	buf := make([]byte, 1)
	for size > 0 {
		if _, err := f.ReadAt(buf, size-1); err != nil {
			return err
		}
		if buf[0] == '\n' {
			break
		}
		size--
	}
	if size == info.Size() {
		return nil
	}
	return f.Truncate(size)
}

func (h *history) add(r validate.Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the history: %w", err)
	}
	return nil
}

func (h *history) close() error { return errors.Join(h.f.Sync(), h.f.Close()) }
