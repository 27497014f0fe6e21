package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/internal/durable"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/ledgerfiles"
	"raftmig/runbook"
)

// workers is how many folders are copied, or files read, at a time.
const workers = 4

// reserve is the part of the free space that a backup leaves: one in so many.
const reserve = 20

// ErrNoSpace is wrapped where the file system is too small for a backup.
var ErrNoSpace = errors.New("not enough free space")

// ErrDamaged is wrapped where a backup is not what its manifest says.
var ErrDamaged = errors.New("the backup is damaged")

// Progress is called now and then, from several goroutines, with the bytes
// done, of total (0: unknown).
type Progress func(text string, done, total int64)

// Store takes, verifies and restores backups of one network in one folder. The
// processes must be down; the caller sees to that.
type Store struct {
	Dir     string
	Run     string
	Network *inventory.Network
	Now     func() time.Time

	hooks hooks
}

// Take copies all folders and verifies the copy. If the folder holds a backup
// of exactly what is there now, nothing is copied and already is true. A
// complete older backup is kept aside, never overwritten.
func (s *Store) Take(ctx context.Context, progress Progress) (r runbook.BackupReceipt, already bool, err error) {
	if m, _, err := ReadManifest(s.Dir); err == nil && m.Run == s.Run && s.current(m) {
		r, err := s.Verify(ctx, progress)
		if err == nil {
			return r, true, nil
		}
		if ctx.Err() != nil {
			return r, false, err
		}
	}
	partial := s.Dir + partialSuffix
	if err := errors.Join(s.hooks.at("remove", partial), os.RemoveAll(partial)); err != nil {
		return r, false, fmt.Errorf("removing an unfinished backup: %w", err)
	}
	folders := Folders(s.Network)
	total, err := s.checkSpace(folders)
	if err != nil {
		return r, false, err
	}
	if err := os.MkdirAll(partial, 0o700); err != nil {
		return r, false, fmt.Errorf("creating the backup folder: %w", err)
	}
	m := &Manifest{Version: manifestVersion, Run: s.Run, Created: s.Now().UTC(), Folders: folders}
	if err := s.copyAll(ctx, partial, m, total, progress); err != nil {
		return r, false, err
	}
	if m.Heights, err = s.heights(partial, m); err != nil {
		return r, false, err
	}
	if err := errors.Join(s.hooks.at("manifest", partial), m.write(partial), durable.SyncDir(partial)); err != nil {
		return r, false, err
	}
	if _, err := verify(ctx, partial, progress); err != nil {
		return r, false, err
	}
	if err := s.publish(partial); err != nil {
		return r, false, err
	}
	_, sum, err := ReadManifest(s.Dir)
	return s.receipt(m, sum), false, err
}

// publish gives the finished backup its name.
func (s *Store) publish(partial string) error {
	if _, err := os.Lstat(s.Dir); err == nil {
		aside := fmt.Sprintf("%s.%s", s.Dir, s.Now().UTC().Format("20060102T150405.000000"))
		if err := errors.Join(s.hooks.at("aside", s.Dir), os.Rename(s.Dir, aside)); err != nil {
			return fmt.Errorf("putting an older backup aside: %w", err)
		}
	}
	if err := s.hooks.at("publish", s.Dir); err != nil {
		return err
	}
	if err := os.Rename(partial, s.Dir); err != nil {
		return fmt.Errorf("naming the backup: %w", err)
	}
	return durable.SyncDir(filepath.Dir(s.Dir))
}

// Space compares what a backup of the network takes with what there is.
func Space(n *inventory.Network, dir string) runbook.SpaceFacts {
	f := runbook.SpaceFacts{Dir: dir}
	errs := []error{Complete(n)}
	for _, folder := range Folders(n) {
		used, err := DiskUsage(folder.Path)
		f.Needed += used
		errs = append(errs, err)
	}
	free, err := FreeSpace(dir)
	f.Free = free - free/reserve
	errs = append(errs, err)
	f.WayBack, err = wayBack(n, dir, f.Needed)
	if err := errors.Join(append(errs, err)...); err != nil {
		f.Error = err.Error()
	}
	return f
}

// wayBack compares, file system by file system, what a restoration copies
// beside the data that is there with what is free once the backup of so many
// bytes is taken.
func wayBack(n *inventory.Network, backupDir string, backup int64) ([]runbook.VolumeFacts, error) {
	var out []runbook.VolumeFacts
	at := map[uint64]int{}
	for _, f := range Folders(n) {
		dev, err := device(f.Path)
		if err != nil {
			return nil, err
		}
		i, known := at[dev]
		if !known {
			free, err := FreeSpace(f.Path)
			if err != nil {
				return nil, err
			}
			i = len(out)
			at[dev], out = i, append(out, runbook.VolumeFacts{Path: f.Path, Free: free})
		}
		used, err := DiskUsage(f.Path)
		if err != nil {
			return nil, err
		}
		out[i].Needed += used
	}
	dev, err := device(backupDir)
	if i, same := at[dev]; same && err == nil {
		out[i].Free = max(0, out[i].Free-backup)
	}
	return out, err
}

// device identifies the file system of a path, or of the nearest folder above
// it that exists.
func device(path string) (uint64, error) {
	for !exists(path) {
		path = filepath.Dir(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("the file system of %s cannot be told", path)
	}
	return uint64(st.Dev), nil // its type differs between systems
}

func (s *Store) checkSpace(folders []Folder) (total int64, err error) {
	for _, f := range folders {
		if inside(f.Path, resolve(s.Dir)) {
			return 0, fmt.Errorf("the backup folder %s lies inside of %s, which is to be backed up", s.Dir, f.Path)
		}
	}
	f := Space(s.Network, s.Dir)
	if f.Error != "" {
		return 0, errors.New(f.Error)
	}
	if f.Needed > f.Free {
		return 0, fmt.Errorf("%w: the backup takes %d bytes, %s has %d", ErrNoSpace, f.Needed, f.Dir, f.Free)
	}
	return f.Needed, nil
}

func (s *Store) copyAll(ctx context.Context, partial string, m *Manifest, total int64, progress Progress) error {
	var (
		mu   sync.Mutex
		done atomic.Int64
	)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range m.Folders {
		f := &m.Folders[i]
		g.Go(func() error {
			info, err := os.Stat(f.Path)
			if errors.Is(err, fs.ErrNotExist) && f.mayLack {
				f.Absent = true
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.Node, err)
			}
			if !info.IsDir() {
				return fmt.Errorf("%s: %s is not a folder", f.Node, f.Path)
			}
			if err := os.MkdirAll(filepath.Dir(filepath.Join(partial, f.Copy)), 0o700); err != nil {
				return fmt.Errorf("%s: %w", f.Node, err)
			}
			err = tree(ctx, s.hooks, f.Path, filepath.Join(partial, f.Copy), func(file File) {
				file.Path = filepath.ToSlash(filepath.Join(f.Copy, file.Path))
				mu.Lock()
				m.Files = append(m.Files, file)
				mu.Unlock()
			}, func(n int64) {
				progress("copying "+f.Node, done.Add(n), max(total, done.Load()))
			})
			if err != nil {
				return fmt.Errorf("%s: %w", f.Node, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// heights counts the blocks inside the copies.
func (s *Store) heights(dir string, m *Manifest) (map[string]map[string]uint64, error) {
	out := map[string]map[string]uint64{}
	for _, o := range s.Network.Orderers {
		if o.LedgerDir == "" {
			continue
		}
		at, ok := m.locate(dir, o.LedgerDir)
		if !ok {
			return nil, fmt.Errorf("%s: its ledger folder %s is not in the backup", o.Name, o.LedgerDir)
		}
		h, err := ledgerfiles.Heights(at)
		if err != nil {
			return nil, fmt.Errorf("%s: reading the copied ledger: %w", o.Name, err)
		}
		out[o.Name] = h
	}
	return out, nil
}

// current reports whether the folders are still as the manifest says, judged
// by names, sizes and times.
func (s *Store) current(m *Manifest) bool {
	want := map[string]File{}
	for _, f := range m.Files {
		want[f.Path] = f
	}
	seen := 0
	for i, f := range Folders(s.Network) {
		if i >= len(m.Folders) || m.Folders[i].Path != f.Path || m.Folders[i].Node != f.Node {
			return false
		}
		err := filepath.WalkDir(f.Path, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(f.Path, path)
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			w, ok := want[filepath.ToSlash(filepath.Join(m.Folders[i].Copy, rel))]
			if !ok || info.Mode().Type() != w.Mode.Type() {
				return fs.ErrExist
			}
			if info.Mode().IsRegular() && (info.Size() != w.Size || !info.ModTime().Equal(w.MTime)) {
				return fs.ErrExist
			}
			seen++
			return nil
		})
		if m.Folders[i].Absent && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false
		}
	}
	return seen == len(m.Files)
}

// Verify reads the backup back and compares it with its manifest.
func (s *Store) Verify(ctx context.Context, progress Progress) (runbook.BackupReceipt, error) {
	m, sum, err := ReadManifest(s.Dir)
	if err != nil {
		return runbook.BackupReceipt{}, err
	}
	if _, err := verify(ctx, s.Dir, progress); err != nil {
		return runbook.BackupReceipt{}, err
	}
	now, err := s.heights(s.Dir, m)
	if err != nil {
		return runbook.BackupReceipt{}, err
	}
	for node, heights := range now {
		if !maps.Equal(heights, m.Heights[node]) {
			return runbook.BackupReceipt{}, fmt.Errorf("%w: %s: heights %v in the copy, %v in the manifest", ErrDamaged, node, heights, m.Heights[node])
		}
	}
	return s.receipt(m, sum), nil
}

// verify compares the files of a backup with its manifest.
func verify(ctx context.Context, dir string, progress Progress) (*Manifest, error) {
	m, _, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range m.Folders {
		if err := nothingElse(dir, f, m.Files); err != nil {
			return nil, err
		}
	}
	var done atomic.Int64
	total := m.Bytes()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, f := range m.Files {
		g.Go(func() error {
			return checkFile(ctx, filepath.Join(dir, f.Path), f, func(n int64) {
				progress("reading back", done.Add(n), total)
			})
		})
	}
	return m, g.Wait()
}

// nothingElse refuses a backup that holds files which its manifest does not know.
func nothingElse(dir string, f Folder, files []File) error {
	known := map[string]bool{}
	for _, file := range files {
		known[file.Path] = true
	}
	err := filepath.WalkDir(filepath.Join(dir, f.Copy), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil && !known[filepath.ToSlash(rel)] {
			err = fmt.Errorf("%w: %s is not in the manifest", ErrDamaged, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an absent folder; what else is missing is found file by file
	}
	return err
}

// checkFile compares one file on disk with what the manifest says of it.
func checkFile(ctx context.Context, path string, f File, moved func(int64)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if info.Mode().Type() != f.Mode.Type() {
		return fmt.Errorf("%w: %s is of another kind", ErrDamaged, path)
	}
	switch {
	case info.Mode().IsRegular():
		if info.Size() != f.Size {
			return fmt.Errorf("%w: %s has %d bytes instead of %d", ErrDamaged, path, info.Size(), f.Size)
		}
		sum, err := sumFile(ctx, path, f.Size, moved)
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		if sum != f.SHA256 {
			return fmt.Errorf("%w: %s has other content", ErrDamaged, path)
		}
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err := os.Readlink(path); err != nil || link != f.Link {
			return fmt.Errorf("%w: %s points elsewhere", ErrDamaged, path)
		}
	}
	return nil
}

// receipt describes a backup. A channel's height is the lowest that any node
// has in the copy; the manifest has them by node.
func (s *Store) receipt(m *Manifest, sum string) runbook.BackupReceipt {
	r := runbook.BackupReceipt{Dir: s.Dir, Manifest: sum, Bytes: m.Bytes(), Heights: map[string]uint64{}}
	for _, f := range m.Files {
		if f.Mode.IsRegular() {
			r.Files++
		}
	}
	for _, heights := range m.Heights {
		for channel := range heights {
			lowest := heights[channel]
			for _, other := range m.Heights {
				lowest = min(lowest, other[channel]) // 0 where a node lacks the channel
			}
			r.Heights[channel] = lowest
		}
	}
	return r
}
