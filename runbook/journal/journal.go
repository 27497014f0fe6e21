package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"raftmig/runbook"
)

const header = "raftmig journal 1\n"

// firstSum stands for the checksum before the first record.
const firstSum = "00000000"

// Errors that callers tell apart with errors.Is.
var (
	// ErrDamaged is returned for a journal with a damaged record before its end.
	ErrDamaged = errors.New("the journal is damaged")
	// ErrForeign is returned for a file that is not a journal of this version.
	ErrForeign = errors.New("not a raftmig journal of version 1")
	// ErrGone is wrapped for a journal that was deleted, moved or replaced while it was open.
	ErrGone = errors.New("the journal was deleted or moved while the run was under way, which cannot be resumed")
)

// File is what a journal needs of its file; *os.File is one.
type File interface {
	io.Reader
	io.Writer
	io.Seeker
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// Journal appends events. It is not safe for concurrent use.
type Journal struct {
	file File
	path string // "" if it is no file on disk
	sum  string
	size int64 // bytes that are whole records
	n    int
	// broken is set after a failed write: what is on disk is then unknown.
	broken error
}

// Contents is what a journal held when it was opened.
type Contents struct {
	Events []runbook.Event
	// Removed is the number of bytes of a cut-off record at the end, now removed.
	Removed int
}

// Open opens the journal at path, making it and its folder if need be.
func Open(path string) (*Journal, Contents, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, Contents{}, fmt.Errorf("making the journal's folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, Contents{}, fmt.Errorf("opening the journal: %w", err)
	}
	j, c, err := OpenFile(f)
	if err != nil {
		return nil, Contents{}, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, Contents{}, errors.Join(err, f.Close())
	}
	j.path = path
	return j, c, nil
}

// Read returns what the journal at path holds and changes nothing; a record
// that is being written by another process counts as cut off.
func Read(path string) (Contents, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Contents{}, fmt.Errorf("reading the journal: %w", err)
	}
	if len(data) < len(header) && strings.HasPrefix(header, string(data)) {
		return Contents{Removed: len(data)}, nil
	}
	if !bytes.HasPrefix(data, []byte(header)) {
		return Contents{}, fmt.Errorf("%s: %w", path, ErrForeign)
	}
	c, err := (&Journal{sum: firstSum}).read(data[len(header):])
	if err != nil {
		return Contents{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the journal's folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing the journal's folder: %w", err)
	}
	return nil
}

// OpenFile reads the journal in f, removes a cut-off record at its end and
// returns it ready to be appended to. The journal closes f.
func OpenFile(f File) (*Journal, Contents, error) {
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, Contents{}, fmt.Errorf("reading the journal: %w", err)
	}
	j := &Journal{file: f, sum: firstSum}
	if len(data) < len(header) && bytes.HasPrefix([]byte(header), data) {
		return j, Contents{Removed: len(data)}, j.begin()
	}
	if !bytes.HasPrefix(data, []byte(header)) {
		return nil, Contents{}, ErrForeign
	}
	j.size = int64(len(header))
	c, err := j.read(data[len(header):])
	if err != nil {
		return nil, Contents{}, err
	}
	if c.Removed > 0 {
		if err := j.cut(); err != nil {
			return nil, Contents{}, err
		}
	}
	if _, err := f.Seek(j.size, io.SeekStart); err != nil {
		return nil, Contents{}, fmt.Errorf("seeking to the journal's end: %w", err)
	}
	return j, c, nil
}

// begin writes the header of an empty journal.
func (j *Journal) begin() error {
	if err := j.cut(); err != nil {
		return err
	}
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("seeking in the journal: %w", err)
	}
	return j.write([]byte(header))
}

// cut removes everything behind the last whole record.
func (j *Journal) cut() error {
	if err := j.file.Truncate(j.size); err != nil {
		return fmt.Errorf("removing a cut-off record: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("syncing the journal: %w", err)
	}
	return nil
}

// read takes in the records in data and leaves sum, size and n behind the last.
func (j *Journal) read(data []byte) (Contents, error) {
	var c Contents
	for len(data) > 0 {
		ev, sum, length, ok := parse(j.sum, data)
		if !ok {
			if !cutOff(data) {
				return Contents{}, fmt.Errorf("%w: record %d does not check", ErrDamaged, j.n+1)
			}
			c.Removed = len(data)
			return c, nil
		}
		c.Events = append(c.Events, ev)
		j.sum, j.n, j.size = sum, j.n+1, j.size+int64(length)
		data = data[length:]
	}
	return c, nil
}

// cutOff reports whether data, which begins with a record that does not check,
// is what a crash leaves of the last record: a line without its end, or one
// with blocks that never reached the disk and read as zeros.
func cutOff(data []byte) bool {
	end := bytes.IndexByte(data, '\n')
	return end < 0 || end == len(data)-1 && bytes.IndexByte(data, 0) >= 0
}

// parse reads the record at the beginning of data.
func parse(previous string, data []byte) (ev runbook.Event, sum string, length int, ok bool) {
	line, _, found := bytes.Cut(data, []byte("\n"))
	if !found || len(line) < len(firstSum)+1 || line[len(firstSum)] != ' ' {
		return runbook.Event{}, "", 0, false
	}
	sum, body := string(line[:len(firstSum)]), line[len(firstSum)+1:]
	if sum != checksum(previous, body) || json.Unmarshal(body, &ev) != nil {
		return runbook.Event{}, "", 0, false
	}
	return ev, sum, len(line) + 1, true
}

var table = crc32.MakeTable(crc32.Castagnoli)

func checksum(previous string, body []byte) string {
	return fmt.Sprintf("%08x", crc32.Update(crc32.Checksum([]byte(previous), table), table, body))
}

// Len is the number of records.
func (j *Journal) Len() int { return j.n }

// Append adds events and returns when they are on disk. Each is made durable
// before the next is written, so that a crash cuts off one record at most.
// After an error the journal takes no more: it is to be opened again.
func (j *Journal) Append(events ...runbook.Event) error {
	if j.broken == nil && len(events) > 0 {
		j.broken = j.Gone()
	}
	for _, ev := range events {
		if j.broken != nil {
			return j.broken
		}
		body, err := json.Marshal(ev)
		if err != nil {
			return fmt.Errorf("encoding event %s: %w", ev.Kind, err)
		}
		sum := checksum(j.sum, body)
		if err := j.write(fmt.Appendf(nil, "%s %s\n", sum, body)); err != nil {
			return err
		}
		j.sum, j.n = sum, j.n+1
	}
	return nil
}

// Gone returns an error that wraps ErrGone if the journal was deleted, or another
// file put in its place, since it was opened. It may be called at any time before
// Close.
func (j *Journal) Gone() error {
	f, ok := j.file.(*os.File)
	if !ok || j.path == "" {
		return nil
	}
	mine, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking at the journal: %w", err)
	}
	there, err := os.Stat(j.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, there):
		return fmt.Errorf("%s: %w", j.path, ErrGone)
	case err != nil:
		return fmt.Errorf("looking at the journal: %w", err)
	}
	return nil
}

func (j *Journal) write(b []byte) error {
	_, err := j.file.Write(b)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.broken = fmt.Errorf("writing the journal: %w", err)
		return j.broken
	}
	j.size += int64(len(b))
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }
