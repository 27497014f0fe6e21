// Package backup copies the data folders of stopped processes, proves the copy
// and puts it back.
//
// A backup is a folder:
//
//	manifest.json        what was copied, with SHA-256 sums
//	<node>/<n>/...        the n-th folder of a node, file by file
//
// It is written as "<dir>.partial" and renamed when every file has been read
// back and found right; a folder under its final name is therefore complete.
// Files keep mode, modification time and holes.
package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"raftmig/fabricops/inventory"
)

const (
	manifestName    = "manifest.json"
	manifestVersion = 1
	partialSuffix   = ".partial"
)

// Folder is a folder that is backed up.
type Folder struct {
	Node string `json:"node"`
	Path string `json:"path"` // on the node, absolute
	// Copy is its place in the backup, relative.
	Copy string `json:"copy"`
	// Absent: it did not exist; restoring empties it.
	Absent bool `json:"absent,omitempty"`

	mayLack bool // WAL and snapshot folders come with Raft
}

// File is one entry of a copied folder.
type File struct {
	Path   string      `json:"path"` // relative to the backup
	Mode   fs.FileMode `json:"mode"` // type and permissions
	Size   int64       `json:"size,omitempty"`
	MTime  time.Time   `json:"mtime,omitzero"`
	SHA256 string      `json:"sha256,omitempty"` // of regular files
	Link   string      `json:"link,omitempty"`   // of symbolic links
}

// Manifest describes a backup.
type Manifest struct {
	Version int       `json:"version"`
	Run     string    `json:"run"`
	Created time.Time `json:"created"`
	Folders []Folder  `json:"folders"`
	Files   []File    `json:"files"`
	// Heights are the block heights found in the copies: node → channel → blocks.
	Heights map[string]map[string]uint64 `json:"heights"`
}

// Bytes is the total size of the files.
func (m *Manifest) Bytes() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// Folders lists what a network's backup must hold: the data folders of all
// processes and the ledger, WAL and snapshot folders of the orderers, symbolic
// links resolved. A folder inside another one of the list is left out.
func Folders(n *inventory.Network) []Folder {
	var all []Folder
	add := func(node string, mayLack bool, paths ...string) {
		for _, p := range paths {
			if p != "" {
				all = append(all, Folder{Node: node, Path: resolve(p), mayLack: mayLack})
			}
		}
	}
	for _, o := range n.Orderers {
		add(o.Name, false, o.Data...)
		add(o.Name, false, o.LedgerDir)
		add(o.Name, true, o.WALDir, o.SnapDir)
	}
	for _, p := range append(append([]inventory.Process(nil), n.Brokers...), n.ZooKeeper...) {
		add(p.Name, false, p.Data...)
	}
	var kept []Folder
	count := map[string]int{}
	for i, f := range all {
		if !covered(all, i) {
			f.Copy = fmt.Sprintf("%s/%d", f.Node, count[f.Node])
			count[f.Node]++
			kept = append(kept, f)
		}
	}
	return kept
}

// Complete returns why a backup of the network could not bring it back: a
// process without data folders, an orderer without ledger folder, or data of
// another user.
func Complete(n *inventory.Network) error {
	var errs []error
	for _, o := range n.Orderers {
		if o.LedgerDir == "" {
			errs = append(errs, fmt.Errorf("%s: the inventory does not name its ledgerDir", o.Name))
		}
	}
	for _, p := range append(append([]inventory.Process(nil), n.Brokers...), n.ZooKeeper...) {
		if len(p.Data) == 0 {
			errs = append(errs, fmt.Errorf("%s: the inventory does not name its data folders", p.Name))
		}
	}
	for _, f := range Folders(n) {
		if err := f.usable(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Node, err))
		}
	}
	return errors.Join(errs...)
}

// usable returns why a folder cannot be copied and put back as it is.
func (f *Folder) usable() error {
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.mayLack:
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", f.Path)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if me := os.Geteuid(); ok && me != 0 && int(st.Uid) != me {
		return fmt.Errorf("%s belongs to user %d: run raftmig as that user or as root, or what is restored would belong to user %d", f.Path, st.Uid, me)
	}
	return nil
}

// resolve makes a path absolute and free of symbolic links, as far as it exists.
func resolve(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolve(parent), filepath.Base(path))
}

// covered reports whether another folder of the list contains folder i, or is
// the same and comes before it.
func covered(all []Folder, i int) bool {
	for j, other := range all {
		if j == i {
			continue
		}
		if other.Path == all[i].Path {
			if j < i {
				return true
			}
			continue
		}
		if inside(other.Path, all[i].Path) {
			return true
		}
	}
	return false
}

// inside reports whether path lies in folder dir or is it.
func inside(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// locate returns where the copy of an original path is, if it was copied.
func (m *Manifest) locate(backupDir, original string) (string, bool) {
	original = resolve(original)
	for _, f := range m.Folders {
		if inside(f.Path, original) {
			rel, err := filepath.Rel(f.Path, original)
			return filepath.Join(backupDir, f.Copy, rel), err == nil
		}
	}
	return "", false
}

// ReadManifest reads the manifest of a backup and the hex SHA-256 of its bytes.
func ReadManifest(dir string) (*Manifest, string, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, "", fmt.Errorf("reading the backup's manifest: %w", err)
	}
	m := &Manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, "", fmt.Errorf("the backup's manifest is damaged: %w", err)
	}
	if m.Version != manifestVersion {
		return nil, "", fmt.Errorf("the backup's manifest has version %d, this program reads %d", m.Version, manifestVersion)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(f.Path) {
			return nil, "", fmt.Errorf("the backup's manifest names %q outside of the backup", f.Path)
		}
	}
	sum := sha256.Sum256(b)
	return m, hex.EncodeToString(sum[:]), nil
}

func (m *Manifest) write(dir string) error {
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Path < m.Files[j].Path })
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, manifestName), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return nil
}
