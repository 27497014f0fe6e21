package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/internal/durable"
	"raftmig/runbook"
)

// Folders that a restoration works with, inside of the folder that it
// restores, so that it needs no rights and no space elsewhere and works where
// the folder is a mount point. Their presence says how far it came:
//
//	new      the copy is being made; the folder is untouched
//	moving   the copy is complete and verified; old entries go to old
//	placing  the folder is empty but for these; new entries come in
//	old      what was there before; removed last
const (
	newDir     = ".raftmig-restore-new"
	movingDir  = ".raftmig-restore-moving"
	placingDir = ".raftmig-restore-placing"
	oldDir     = ".raftmig-restore-old"
)

func working(name string) bool { return strings.HasPrefix(name, ".raftmig-restore-") }

// Restore puts the backup back. The whole backup is verified first; then each
// folder is copied beside its content, verified, and exchanged with it by
// renames. It may be interrupted anywhere and called again. already is true if
// every folder was as the backup has it.
func (s *Store) Restore(ctx context.Context, progress Progress) (r runbook.BackupReceipt, already bool, err error) {
	r, err = s.Verify(ctx, progress)
	if err != nil {
		return r, false, fmt.Errorf("nothing was restored: %w", err)
	}
	m, _, err := ReadManifest(s.Dir)
	if err != nil {
		return r, false, err
	}
	if err := errors.Join(s.sameFolders(m), s.room(m)); err != nil {
		return r, false, fmt.Errorf("nothing was restored: %w", err)
	}
	var done, changed atomic.Int64
	total := m.Bytes()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, f := range m.Folders {
		g.Go(func() error {
			same, err := s.restoreFolder(ctx, m, f, func(n int64) { progress("restoring "+f.Node, min(done.Add(n), total), total) })
			if err != nil {
				return fmt.Errorf("%s: restoring %s: %w", f.Node, f.Path, err)
			}
			if !same {
				changed.Add(1)
			}
			return nil
		})
	}
	err = g.Wait()
	return r, err == nil && changed.Load() == 0, err
}

// sameFolders refuses a backup of other folders than the inventory's.
func (s *Store) sameFolders(m *Manifest) error {
	now := Folders(s.Network)
	if len(now) != len(m.Folders) {
		return fmt.Errorf("the inventory names %d folders, the backup has %d", len(now), len(m.Folders))
	}
	for i, f := range now {
		if f.Node != m.Folders[i].Node || f.Path != m.Folders[i].Path {
			return fmt.Errorf("the inventory names %s of %s, the backup has %s of %s", f.Path, f.Node, m.Folders[i].Path, m.Folders[i].Node)
		}
	}
	return nil
}

// room checks that the copies fit beside what is there, file system by file
// system. What an interrupted restoration has copied counts as free.
func (s *Store) room(m *Manifest) error {
	type volume struct{ needed, free int64 }
	volumes := map[uint64]volume{}
	for _, f := range m.Folders {
		if f.Absent || exists(filepath.Join(f.Path, movingDir)) || exists(filepath.Join(f.Path, placingDir)) {
			continue
		}
		dev, err := device(f.Path)
		if err != nil {
			return err
		}
		v := volumes[dev]
		if v.free, err = FreeSpace(f.Path); err != nil {
			return err
		}
		needed, err := DiskUsage(filepath.Join(s.Dir, f.Copy))
		if err != nil {
			return err
		}
		partial, err := DiskUsage(filepath.Join(f.Path, newDir))
		if err != nil {
			return err
		}
		v.needed += needed - partial
		volumes[dev] = v
		if v.needed > v.free {
			return fmt.Errorf("%w: restoring %s of %s takes %d bytes beside the present data, %d are free", ErrNoSpace, f.Path, f.Node, v.needed, v.free)
		}
	}
	return nil
}

func (s *Store) restoreFolder(ctx context.Context, m *Manifest, f Folder, moved func(int64)) (same bool, err error) {
	files := filesOf(m, f)
	placing, moving := filepath.Join(f.Path, placingDir), filepath.Join(f.Path, movingDir)
	switch {
	case exists(placing):
		return false, s.place(f)
	case exists(moving):
		return false, s.exchange(f)
	}
	if ok, err := matches(ctx, f, files); err != nil || ok {
		if ok {
			err = s.cleanUp(f) // left by an interruption at the very end
		}
		return ok, err
	}
	fresh := filepath.Join(f.Path, newDir)
	if err := errors.Join(s.hooks.at("remove", fresh), os.RemoveAll(fresh)); err != nil {
		return false, err
	}
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return false, err
	}
	if f.Absent {
		err = os.Mkdir(fresh, 0o700)
	} else {
		err = tree(ctx, s.hooks, filepath.Join(s.Dir, f.Copy), fresh, func(File) {}, moved)
	}
	if err != nil {
		return false, err
	}
	for _, file := range files {
		if err := checkFile(ctx, filepath.Join(fresh, file.Path), file, func(int64) {}); err != nil {
			return false, fmt.Errorf("the restored copy is not right: %w", err)
		}
	}
	if err := s.rename(fresh, moving); err != nil {
		return false, err
	}
	return false, s.exchange(f)
}

// exchange moves what the folder held aside and then the restored entries in.
func (s *Store) exchange(f Folder) error {
	old := filepath.Join(f.Path, oldDir)
	if err := os.MkdirAll(old, 0o700); err != nil {
		return err
	}
	if err := s.moveEntries(f.Path, old); err != nil {
		return err
	}
	if err := s.rename(filepath.Join(f.Path, movingDir), filepath.Join(f.Path, placingDir)); err != nil {
		return err
	}
	return s.place(f)
}

func (s *Store) place(f Folder) error {
	placing := filepath.Join(f.Path, placingDir)
	if err := s.moveEntries(placing, f.Path); err != nil {
		return err
	}
	if info, err := os.Stat(placing); err == nil { // carries the folder's own mode and times
		_ = os.Chmod(f.Path, info.Mode().Perm()) // a mount point may refuse
		own(f.Path, info)
		mtime := info.ModTime()
		defer func() { _ = os.Chtimes(f.Path, mtime, mtime) }() // for looks only
	}
	if err := errors.Join(s.hooks.at("placed", placing), os.Remove(placing), durable.SyncDir(f.Path)); err != nil {
		return err
	}
	return s.cleanUp(f)
}

// cleanUp removes what was there before. A folder that did not exist when the
// backup was taken goes too, if it can.
func (s *Store) cleanUp(f Folder) error {
	for _, name := range []string{newDir, oldDir} {
		path := filepath.Join(f.Path, name)
		if !exists(path) {
			continue
		}
		if err := errors.Join(s.hooks.at("remove", path), os.RemoveAll(path)); err != nil {
			return err
		}
	}
	if f.Absent {
		_ = os.Remove(f.Path) // a mount point stays, empty
		return nil
	}
	return durable.SyncDir(f.Path)
}

// moveEntries moves everything but the working folders from one folder to another.
func (s *Store) moveEntries(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if working(e.Name()) {
			continue
		}
		if err := s.rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return errors.Join(durable.SyncDir(from), durable.SyncDir(to))
}

func (s *Store) rename(from, to string) error {
	if err := s.hooks.at("rename", from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(to))
}

// filesOf returns the files of a folder, with paths relative to it.
func filesOf(m *Manifest, f Folder) []File {
	var out []File
	for _, file := range m.Files {
		if inside(f.Copy, file.Path) {
			file.Path = strings.TrimPrefix(strings.TrimPrefix(file.Path, f.Copy), "/")
			out = append(out, file)
		}
	}
	return out
}

// matches reports whether a folder holds exactly the backup's files.
func matches(ctx context.Context, f Folder, files []File) (bool, error) {
	want := map[string]bool{}
	for _, file := range files {
		want[file.Path] = true
	}
	extra := errors.New("extra")
	err := filepath.WalkDir(f.Path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(f.Path, path)
		if err != nil {
			return err
		}
		if rel == "." {
			return nil
		}
		if working(d.Name()) && filepath.Dir(rel) == "." {
			return fs.SkipDir
		}
		if !want[filepath.ToSlash(rel)] {
			return extra
		}
		return nil
	})
	switch {
	case errors.Is(err, extra):
		return false, nil
	case errors.Is(err, fs.ErrNotExist):
		return f.Absent, nil
	case err != nil:
		return false, err
	}
	for _, file := range files {
		if file.Path == "" || file.Path == "." {
			continue
		}
		err := checkFile(ctx, filepath.Join(f.Path, file.Path), file, func(int64) {})
		if errors.Is(err, ErrDamaged) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
