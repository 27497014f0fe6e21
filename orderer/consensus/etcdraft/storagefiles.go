package etcdraft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
)

const (
	snapSuffix = ".snap"
	walSuffix  = ".wal"
)

// release gives up what no kept snapshot needs: old snapshot files, and the
// log segments before the oldest one that stays. Failing to delete costs only
// space, so that is logged.
func (s *storage) release() error {
	if excess := len(s.kept) - maxSnapshotFiles; excess > 0 {
		s.kept = append([]uint64(nil), s.kept[excess:]...)
	}
	if err := s.wal.ReleaseLockTo(s.kept[0]); err != nil {
		return fmt.Errorf("failed to release old WAL segments: %w", err)
	}
	if err := s.step(stepReleased); err != nil {
		return err
	}
	if err := s.purgeSnapshots(); err != nil {
		s.log.Warnf("Failed to remove old snapshot files: %s", err)
	}
	if err := s.purgeSegments(); err != nil {
		s.log.Warnf("Failed to remove old WAL segments: %s", err)
	}
	return nil
}

func (s *storage) purgeSnapshots() error {
	files, err := snapshotFiles(s.snapDir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.index >= s.kept[0] {
			continue
		}
		if err := os.Remove(filepath.Join(s.snapDir, f.name)); err != nil {
			return err
		}
		s.log.Debugf("Removed snapshot file %s", f.name)
	}
	return nil
}

// purgeSegments removes the segments that the log has unlocked, oldest first,
// except the newest of them.
func (s *storage) purgeSegments() error {
	names, err := filesWithSuffix(s.walDir, walSuffix)
	if err != nil {
		return err
	}
	var unlocked []string
	for _, name := range names {
		path := filepath.Join(s.walDir, name)
		lock, err := fileutil.TryLockFile(path, os.O_WRONLY, fileutil.PrivateFileMode)
		if errors.Is(err, fileutil.ErrLocked) {
			break
		}
		if err != nil {
			return err
		}
		if err := lock.Close(); err != nil {
			return err
		}
		unlocked = append(unlocked, path)
	}
	for i := 0; i+1 < len(unlocked); i++ {
		if err := os.Remove(unlocked[i]); err != nil {
			return err
		}
		s.log.Debugf("Removed WAL segment %s", filepath.Base(unlocked[i]))
	}
	return nil
}

type snapshotFile struct {
	name        string
	term, index uint64
}

// snapshotFiles lists the snapshot files of a folder by ascending index. Files
// with other names, such as those set aside as broken, are left out.
func snapshotFiles(dir string) ([]snapshotFile, error) {
	names, err := filesWithSuffix(dir, snapSuffix)
	if err != nil {
		return nil, fmt.Errorf("listing snapshots: %w", err)
	}
	var files []snapshotFile
	for _, name := range names {
		f := snapshotFile{name: name}
		if _, err := fmt.Sscanf(name, "%016x-%016x.snap", &f.term, &f.index); err == nil {
			files = append(files, f)
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].index < files[j].index })
	return files, nil
}

func snapshotIndices(dir string) ([]uint64, error) {
	files, err := snapshotFiles(dir)
	if err != nil {
		return nil, err
	}
	indices := make([]uint64, len(files))
	for i, f := range files {
		indices[i] = f.index
	}
	return indices, nil
}

// filesWithSuffix returns the sorted names of a folder's files with a suffix.
func filesWithSuffix(dir, suffix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening folder to sync it: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing folder: %w", err)
	}
	return nil
}
