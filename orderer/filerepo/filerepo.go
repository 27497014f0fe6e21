// Package filerepo keeps small files that say what is still to be done, such as
// the join blocks of channels that are being joined (spec 7.9, 9). A file is
// there whole or not at all, also after a crash.
package filerepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// temporarySuffix marks a file that is being written.
const temporarySuffix = "~"

// Repo is a folder <parent>/<kind> with files <name>.<kind>. Its methods may
// be called concurrently for different names.
type Repo struct{ dir, suffix string }

// New opens the folder, creating it if there is none, and deletes what a crash
// left half written.
func New(parent, kind string) (*Repo, error) {
	if kind == "" || strings.ContainsRune(kind, os.PathSeparator) {
		return nil, fmt.Errorf("%q cannot be the kind of a file", kind)
	}
	r := &Repo{dir: filepath.Join(parent, kind), suffix: "." + kind}
	if err := errors.Join(os.MkdirAll(r.dir, 0o755), syncDir(parent)); err != nil {
		return nil, fmt.Errorf("creating folder: %w", err)
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, fmt.Errorf("listing files: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), r.suffix+temporarySuffix) {
			if err := os.Remove(filepath.Join(r.dir, e.Name())); err != nil {
				return nil, fmt.Errorf("deleting unfinished file: %w", err)
			}
		}
	}
	return r, nil
}

func (r *Repo) path(name string) string { return filepath.Join(r.dir, name+r.suffix) }

// Save writes a file durably. One of that name must not exist (os.ErrExist).
func (r *Repo) Save(name string, content []byte) error {
	path := r.path(name)
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	if err := writeSynced(path+temporarySuffix, content); err != nil {
		return fmt.Errorf("saving %s: %w", path, err)
	}
	if err := errors.Join(os.Rename(path+temporarySuffix, path), syncDir(r.dir)); err != nil {
		return fmt.Errorf("saving %s: %w", path, err)
	}
	return nil
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// Read returns a file's content.
func (r *Repo) Read(name string) ([]byte, error) { return os.ReadFile(r.path(name)) }

// Remove deletes a file durably. Removing what is not there is no error.
func (r *Repo) Remove(name string) error {
	err := os.Remove(r.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := errors.Join(err, syncDir(r.dir)); err != nil {
		return fmt.Errorf("removing %s: %w", r.path(name), err)
	}
	return nil
}

// Names lists the files, sorted, without suffix.
func (r *Repo) Names() ([]string, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, fmt.Errorf("listing files: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), r.suffix); ok && name != "" && !e.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
