package fileledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// file is what the ledger needs of the file that it appends to; a seam for
// tests of failing disks.
type file interface {
	io.WriterAt
	Truncate(size int64) error
	Close() error
	// Datasync makes the content and the size durable.
	Datasync() error
}

type osFile struct{ *os.File }

func openFile(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o660)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// segment is the file that the ledger appends to.
type segment struct {
	file   file
	number int
	size   int64
	// broken is set when the end of the file is no longer known.
	broken error
}

// openSegment opens or creates a block file, cuts it to size and makes its
// existence durable.
func openSegment(open func(string) (file, error), dir string, number int, size int64) (*segment, error) {
	f, err := open(blockFile(dir, number))
	if err != nil {
		return nil, fmt.Errorf("opening block file: %w", err)
	}
	s := &segment{file: f, number: number, size: size}
	if err := s.truncate(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Records that a killed process wrote may not have reached the disk yet.
	if err := errors.Join(f.Datasync(), syncDir(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("syncing block file %d: %w", number, err), f.Close())
	}
	return s, nil
}

func (s *segment) truncate() error {
	if err := s.file.Truncate(s.size); err != nil {
		return fmt.Errorf("truncating block file %d to %d bytes: %w", s.number, s.size, err)
	}
	return nil
}

// append writes b and makes it durable. If it fails, the file is cut back to
// what it was before.
func (s *segment) append(b []byte) error {
	if s.broken != nil {
		return fmt.Errorf("block file %d is not usable since an earlier error: %w", s.number, s.broken)
	}
	if _, err := s.file.WriteAt(b, s.size); err != nil {
		return s.undo(fmt.Errorf("writing to block file %d: %w", s.number, err))
	}
	if err := s.file.Datasync(); err != nil {
		if !isDiskFull(err) { // what the device keeps is unknown until it is read anew
			s.broken = err
		}
		return s.undo(fmt.Errorf("syncing block file %d: %w", s.number, err))
	}
	s.size += int64(len(b))
	return nil
}

// rewind takes back the last n bytes appended.
func (s *segment) rewind(n int64) error {
	s.size -= n
	return s.undo(nil)
}

func (s *segment) undo(cause error) error {
	if err := s.truncate(); err != nil {
		s.broken = err
		return errors.Join(cause, err)
	}
	return cause
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

const blockFilePrefix = "blockfile_"

// blockFiles returns the numbers of the block files in dir, ascending.
func blockFiles(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing block files: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), blockFilePrefix)
		if !ok || e.IsDir() {
			continue
		}
		if n, err := strconv.Atoi(suffix); err == nil && n >= 0 && blockFile(dir, n) == filepath.Join(dir, e.Name()) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// syncDir makes the entries of a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening folder to sync: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing folder %s: %w", dir, err)
	}
	return nil
}
