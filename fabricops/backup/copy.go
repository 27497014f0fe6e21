package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"raftmig/fabricops/internal/durable"
)

const chunk = 1 << 20

var zeros [chunk]byte

// hooks lets tests interrupt at every change of the disk.
type hooks func(op, path string) error

func (h hooks) at(op, path string) error {
	if h == nil {
		return nil
	}
	return h(op, path)
}

// tree copies what is under src to dst, which must not exist, and reports each
// entry with a path relative to dst. moved is called with the bytes copied.
func tree(ctx context.Context, h hooks, src, dst string, seen func(File), moved func(int64)) error {
	var dirs []File
	err := filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		f := File{Path: filepath.ToSlash(rel), Mode: info.Mode(), MTime: info.ModTime()}
		if err := h.at("copy", to); err != nil {
			return err
		}
		switch {
		case d.IsDir():
			dirs = append(dirs, f)
			err = os.MkdirAll(to, 0o700|info.Mode().Perm())
		case info.Mode()&fs.ModeSymlink != 0:
			if f.Link, err = os.Readlink(path); err == nil {
				err = os.Symlink(f.Link, to)
			}
		case info.Mode().IsRegular():
			f.Size = info.Size()
			f.SHA256, err = copyFile(ctx, path, to, info, moved)
		default:
			return nil // sockets and pipes belong to running processes
		}
		if err != nil {
			return fmt.Errorf("copying %s: %w", path, err)
		}
		own(to, info)
		seen(f)
		return nil
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- { // children first: they change their parent's time
		if err := finishDir(filepath.Join(dst, dirs[i].Path), dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

func finishDir(path string, f File) error {
	if err := durable.SyncDir(path); err != nil {
		return err
	}
	return errors.Join(os.Chmod(path, f.Mode.Perm()), os.Chtimes(path, f.MTime, f.MTime))
}

// own gives the copy the owner of the original, where this process may.
func own(path string, info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		_ = os.Lchown(path, int(st.Uid), int(st.Gid)) // best effort: the bytes are what counts
	}
}

// copyFile copies a regular file with its holes, makes it durable and returns
// the hex SHA-256 of its content.
func copyFile(ctx context.Context, src, dst string, info fs.FileInfo, moved func(int64)) (sum string, err error) {
	in, err := os.Open(src)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = extents(ctx, in, info.Size(), h, out, moved)
	if err == nil {
		err = out.Truncate(info.Size())
	}
	err = errors.Join(err, out.Sync(), out.Close())
	if err != nil {
		return "", err
	}
	after, err := in.Stat()
	if err != nil {
		return "", err
	}
	if after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()) {
		return "", errors.New("it changed while it was copied: is the process really down?")
	}
	err = errors.Join(os.Chmod(dst, info.Mode().Perm()), os.Chtimes(dst, time.Time{}, info.ModTime()))
	return hex.EncodeToString(h.Sum(nil)), err
}

// extents feeds size bytes of in to h, and its data, without the holes, to out
// at their offsets; out may be nil.
func extents(ctx context.Context, in *os.File, size int64, h hash.Hash, out *os.File, moved func(int64)) error {
	buf := make([]byte, chunk)
	for at := int64(0); at < size; {
		data, hole := extent(in, at, size)
		if err := hashZeros(h, data-at); err != nil {
			return err
		}
		moved(data - at)
		for at = data; at < hole; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := in.ReadAt(buf[:min(chunk, hole-at)], at)
			if n == 0 && err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
			h.Write(buf[:n]) // never fails
			if out != nil {
				if _, err := out.WriteAt(buf[:n], at); err != nil {
					return err
				}
			}
			at += int64(n)
			moved(int64(n))
		}
	}
	return nil
}

func hashZeros(h hash.Hash, n int64) error {
	for n > 0 {
		k := min(n, chunk)
		h.Write(zeros[:k])
		n -= k
	}
	return nil
}

// sumFile returns the hex SHA-256 of a file of the given size.
func sumFile(ctx context.Context, path string, size int64, moved func(int64)) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if err := extents(ctx, f, size, h, nil, moved); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// DiskUsage is what the files under path occupy, in bytes; 0 if it is absent.
func DiskUsage(path string) (int64, error) {
	var n int64
	err := filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone meanwhile, or never there
			}
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			n += st.Blocks * 512
		} else {
			n += info.Size()
		}
		return nil
	})
	return n, err
}

// FreeSpace is what may be written to the file system of path, in bytes. The
// nearest existing folder above path counts.
func FreeSpace(path string) (int64, error) {
	for {
		var st syscall.Statfs_t
		err := syscall.Statfs(path, &st)
		if err == nil {
			return int64(st.Bavail) * int64(st.Bsize), nil // their types differ between systems
		}
		parent := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || parent == path {
			return 0, fmt.Errorf("reading the free space of %s: %w", path, err)
		}
		path = parent
	}
}
