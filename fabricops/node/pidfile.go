package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// record is the content of a pid file. PID and Birth together name one process
// for ever: a number that is given to another process later has another birth.
type record struct {
	PID int `json:"pid"`
	// Birth is what the system says of the process's start (see birthOf).
	Birth     string    `json:"birth"`
	StartedAt time.Time `json:"started_at"`
	// LogOffset is the length of the log before the start.
	LogOffset int64 `json:"log_offset"`
}

// readRecord returns nil if there is no pid file. A damaged file counts as
// absent: the process is then found by its mark.
func readRecord(file string) (*record, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pid file: %w", err)
	}
	r := &record{}
	if json.Unmarshal(data, r) != nil || r.PID <= 1 || r.Birth == "" {
		return nil, nil
	}
	return r, nil
}

// write replaces the pid file as a whole.
func (r *record) write(file string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("writing the pid file: %w", err)
	}
	_, err = tmp.Write(append(data, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("writing the pid file: %w", err)
	}
	return nil
}

// alive tells whether the process of the record still runs. A process that
// has ended and was not reaped does not run, nor one whose birth was never
// seen: it ended at once.
func (r *record) alive() (bool, error) {
	birth, ended, err := birthOf(r.PID)
	if err != nil {
		return false, err
	}
	return birth != "" && birth == r.Birth && !ended, nil
}
