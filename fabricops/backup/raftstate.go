package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"raftmig/fabricops/internal/durable"
	"raftmig/fabricops/inventory"
)

var errNoRaftDirs = errors.New("the inventory does not name walDir and snapDir")

// RaftState lists what lies in the WAL and snapshot folders of an orderer: the
// channel folders, as paths. Folders that do not exist hold nothing.
func RaftState(o *inventory.Orderer) ([]string, error) {
	var found []string
	for _, dir := range raftDirs(o) {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Name, err)
		}
		for _, e := range entries {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found, nil
}

// RemoveRaftState removes the Raft logs and snapshots of all channels of an
// orderer, so that it starts Raft afresh (failures: S6), and returns what was
// removed. It refuses if anything else lies there: then the inventory names
// the wrong folder.
func RemoveRaftState(o *inventory.Orderer) (removed []string, err error) {
	if o.WALDir == "" || o.SnapDir == "" {
		return nil, fmt.Errorf("%s: %w", o.Name, errNoRaftDirs)
	}
	found, err := RaftState(o)
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		if err := onlyRaftFiles(path); err != nil {
			return nil, fmt.Errorf("%s: %w; nothing was removed: are walDir and snapDir right?", o.Name, err)
		}
	}
	for _, path := range found {
		if err := os.RemoveAll(path); err != nil {
			return removed, fmt.Errorf("%s: removing Raft state: %w", o.Name, err)
		}
		removed = append(removed, path)
	}
	for _, dir := range raftDirs(o) {
		if exists(dir) {
			if err := durable.SyncDir(dir); err != nil {
				return removed, fmt.Errorf("%s: %w", o.Name, err)
			}
		}
	}
	return removed, nil
}

// UsableRaftDirs returns why the WAL or snapshot folder of an orderer cannot be
// written, as far as that can be seen from here; nil if nothing speaks against it.
func UsableRaftDirs(o *inventory.Orderer) error {
	if o.WALDir == "" || o.SnapDir == "" {
		return errNoRaftDirs
	}
	for _, dir := range raftDirs(o) {
		at := dir
		for !exists(at) && filepath.Dir(at) != at {
			at = filepath.Dir(at)
		}
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", at)
		}
		if info.Mode().Perm()&0o200 == 0 {
			return fmt.Errorf("%s is not writable (%s)", at, info.Mode().Perm())
		}
	}
	return nil
}

func raftDirs(o *inventory.Orderer) []string {
	var dirs []string
	for _, d := range []string{o.WALDir, o.SnapDir} {
		if d != "" {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// onlyRaftFiles returns an error if path is anything but a channel's folder of
// WAL or snapshot files.
func onlyRaftFiles(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(path), ".tmp") // etcd builds a new WAL under this name
	if !info.IsDir() || inventory.ValidChannel(name) != nil {
		return fmt.Errorf("%s is no folder of a channel", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		known := false
		for _, suffix := range []string{".wal", ".snap", ".tmp", ".broken", ".db"} {
			known = known || strings.HasSuffix(e.Name(), suffix)
		}
		if e.IsDir() || !known {
			return fmt.Errorf("%s is no Raft file", filepath.Join(path, e.Name()))
		}
	}
	return nil
}
