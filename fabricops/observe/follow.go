package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Pauses between looks at a log file: short after something was read.
const (
	busyPause = 25 * time.Millisecond
	idlePause = 250 * time.Millisecond
)

// maxLine bounds a line; the rest of a longer one is dropped.
const maxLine = 64 << 10

// follower reads a growing log file, line by line. It goes on when the file
// is truncated, replaced (rotation) or absent for a while.
type follower struct {
	path string
	file *os.File
	info os.FileInfo
	at   int64  // offset of the next byte to read
	rest []byte // the unfinished last line
	skip bool   // the rest of a line that was too long
}

// open opens the file where it stands. back is how many bytes before its end
// the reading starts; a start inside a line begins with the next line.
func (f *follower) open(back int64) error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.close()
	f.file, f.info, f.at = file, info, 0
	f.rest, f.skip = nil, false
	if info.Size() > back {
		f.at, f.skip = info.Size()-back, true
	}
	return nil
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close() // read only
		f.file = nil
	}
}

// read calls line for every complete line that is there now; live tells that
// it was written after the first catch-up.
func (f *follower) read(line func(string)) (read bool, err error) {
	if f.file == nil {
		if err := f.open(1 << 62); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				return false, nil
			}
			return false, err
		}
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := f.file.ReadAt(buf, f.at)
		if n > 0 {
			read = true
			f.at += int64(n)
			f.split(buf[:n], line)
		}
		if errors.Is(err, io.EOF) {
			return read, f.reopen()
		}
		if err != nil {
			f.close()
			return read, err
		}
	}
}

// split cuts what was read into lines.
func (f *follower) split(b []byte, line func(string)) {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		if !f.skip {
			line(string(append(f.rest, b[:i]...)))
		}
		f.rest, f.skip = f.rest[:0], false
		b = b[i+1:]
	}
	if f.skip {
		return
	}
	f.rest = append(f.rest, b...)
	if len(f.rest) > maxLine {
		line(string(f.rest[:maxLine]))
		f.rest, f.skip = f.rest[:0], true
	}
}

// reopen follows a rotation or truncation; called at the end of the file.
func (f *follower) reopen() error {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil // between the two halves of a rotation
	case err != nil:
		return fmt.Errorf("looking at the log: %w", err)
	case !os.SameFile(info, f.info):
		f.close() // the next read starts at the new file's beginning
	case info.Size() < f.at: // truncated in place
		f.at, f.rest, f.skip = 0, nil, false
	}
	return nil
}

// follow reads until ctx ends. history is called once what was in the last
// back bytes of the file has been read, so that lines can be told apart from
// those that are written from now on. trouble is called after every look, with
// why the file cannot be read or nil.
func (f *follower) follow(ctx context.Context, back int64, line func(string), history func(), trouble func(error)) {
	defer f.close()
	err := f.open(back)
	if err == nil {
		_, err = f.read(line)
	}
	trouble(err)
	history()
	for {
		read, err := f.read(line)
		if err != nil || f.file != nil {
			trouble(err) // an absent file keeps its first trouble
		}
		pause := idlePause
		if read && err == nil {
			pause = busyPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
