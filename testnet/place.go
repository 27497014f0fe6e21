package testnet

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty; nothing was changed", dir)
	}
	return nil
}

// place lets build fill a folder and then moves what it made to dir: the folder
// itself if there is no dir, its entries if there is (it may be a mount point,
// or somebody's working folder), the manifest last.
func (m *Manifest) place(dir string, build func(partial string) error) error {
	_, err := os.Stat(dir)
	exists := err == nil
	parent, prefix := filepath.Dir(dir), ".partial-"+filepath.Base(dir)+"-"
	if exists {
		parent, prefix = dir, ".partial-"
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial) //nolint:errcheck // what is left of it after an error
	if err := os.Chmod(partial, 0o755); err != nil {
		return err
	}
	if err := build(partial); err != nil {
		return err
	}
	if !exists {
		if err := os.Rename(partial, dir); err != nil {
			return fmt.Errorf("moving the network to its place: %w", err)
		}
		return nil
	}
	entries, err := os.ReadDir(partial)
	if err != nil {
		return err
	}
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int {
		return cmp.Compare(strings.Count(a.Name(), manifestFile), strings.Count(b.Name(), manifestFile))
	})
	for i, e := range entries {
		if err := os.Rename(filepath.Join(partial, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			err = fmt.Errorf("moving the network to its place: %w", err)
			for _, moved := range entries[:i] {
				err = errors.Join(err, os.RemoveAll(filepath.Join(dir, moved.Name())))
			}
			return err
		}
	}
	return nil
}
