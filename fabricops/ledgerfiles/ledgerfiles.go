// Package ledgerfiles reads what an orderer's ledger folder says without
// opening the ledger: which channels it holds and how many blocks each has
// (layout and record format: spec 7.9).
package ledgerfiles

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

const (
	chainsDir   = "chains"
	blockPrefix = "blockfile_"
	// maxRecord bounds a block's record, so that damage is not mistaken for size.
	maxRecord = 1 << 30
)

// Channels lists the channels of a ledger folder (FileLedger.Location),
// sorted. A folder that has never been used holds none.
func Channels(ledgerDir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(ledgerDir, chainsDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the channels of a ledger: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// Heights returns the number of blocks of every channel of a ledger folder,
// counted in its block files. A record that is cut off at the end of the last
// file does not count.
func Heights(ledgerDir string) (map[string]uint64, error) {
	names, err := Channels(ledgerDir)
	if err != nil {
		return nil, err
	}
	heights := make(map[string]uint64, len(names))
	for _, name := range names {
		if heights[name], err = Height(ledgerDir, name); err != nil {
			return nil, fmt.Errorf("channel %s: %w", name, err)
		}
	}
	return heights, nil
}

// Height returns the number of blocks of one channel.
func Height(ledgerDir, channel string) (uint64, error) {
	files, err := blockFiles(filepath.Join(ledgerDir, chainsDir, channel))
	if err != nil {
		return 0, err
	}
	for i := len(files) - 1; i >= 0; i-- {
		number, found, err := lastNumber(files[i])
		if err != nil {
			return 0, err
		}
		if found {
			return number + 1, nil
		}
	}
	return 0, nil
}

// lastNumber returns the number of the last complete block of a block file.
func lastNumber(path string) (number uint64, found bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 256<<10)
	for {
		size, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return number, found, nil
		}
		if err != nil {
			return 0, false, fmt.Errorf("%s: %w", path, err)
		}
		if size == 0 || size > maxRecord {
			return 0, false, fmt.Errorf("%s: a record of %d bytes: the file is damaged", path, size)
		}
		next, used, ok := peekNumber(r)
		rest := int(size) - used
		if !ok || rest < 0 {
			return number, found, nil // cut off within the number
		}
		if n, err := r.Discard(rest); err != nil {
			if errors.Is(err, io.EOF) && n < rest {
				return number, found, nil
			}
			return 0, false, fmt.Errorf("%s: %w", path, err)
		}
		if found && next != number+1 {
			return 0, false, fmt.Errorf("%s: block %d follows block %d: the file is damaged", path, next, number)
		}
		number, found = next, true
	}
}

// peekNumber reads the varint that a record begins with, and its length.
func peekNumber(r *bufio.Reader) (number uint64, used int, ok bool) {
	b, _ := r.Peek(binary.MaxVarintLen64)
	number, used = binary.Uvarint(b)
	if used <= 0 {
		return 0, 0, false
	}
	_, err := r.Discard(used)
	return number, used, err == nil
}
