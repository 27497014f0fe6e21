package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// maxLine bounds what is kept of a line without end.
const maxLine = 64 << 10

// logScanner looks for a line in a log from an offset on.
type logScanner struct {
	path   string
	want   string
	offset int64
	rest   []byte
	found  bool
}

// scan reads what was appended since the last call.
func (s *logScanner) scan() (bool, error) {
	if s.found || s.want == "" || s.path == "" {
		return true, nil
	}
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() < s.offset {
		s.offset, s.rest = 0, nil // the log was rotated
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := f.ReadAt(buf, s.offset)
		s.offset += int64(n)
		s.rest = append(s.rest, buf[:n]...)
		if bytes.Contains(s.rest, []byte(s.want)) {
			s.found, s.rest = true, nil
			return true, nil
		}
		if i := bytes.LastIndexByte(s.rest, '\n'); i >= 0 {
			s.rest = append(s.rest[:0], s.rest[i+1:]...)
		}
		if len(s.rest) > maxLine {
			s.rest = append(s.rest[:0], s.rest[len(s.rest)-len(s.want):]...)
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// awaitReady waits until the log, read from offset, has the ready line, all
// addresses accept connections, and the process answers in its own protocol. alive is asked in between; its error ends the wait.
func (c *common) awaitReady(ctx context.Context, offset int64, alive func() error) error {
	ctx, cancel := context.WithTimeout(ctx, c.startTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline() // a dial that ends at it does so before ctx says so
	scanner := &logScanner{path: c.log, want: c.readyLine, offset: offset}
	missing := ""
	err := poll(ctx, pollInterval, func() (bool, error) {
		if err := alive(); err != nil {
			return false, err
		}
		// The log first: every connection that is not TLS costs a line in it.
		ok, err := scanner.scan()
		if err != nil {
			return false, fmt.Errorf("reading its log: %w", err)
		}
		if !ok {
			missing = fmt.Sprintf("its log %s does not say %q", c.log, c.readyLine)
			return false, nil
		}
		lacks := ""
		if a := c.closedAddress(ctx); a != "" {
			lacks = a + " accepts no connections"
		} else if c.serves != nil {
			if err := c.serves(ctx); err != nil {
				lacks = err.Error()
			}
		}
		if lacks != "" {
			if time.Now().Before(deadline) { // else it says only that the time was over
				missing = lacks
			}
			return false, nil
		}
		return true, nil
	})
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		if missing != "" {
			return fmt.Errorf("%s (waited for up to %v): %w", missing, c.startTimeout, err)
		}
	}
	return err
}

// lastLines returns the end of the log from offset on, for error messages.
func (c *common) lastLines(offset int64, n int) string {
	f, err := os.Open(c.log)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(offset, info.Size()-4096)
	buf := make([]byte, max(info.Size()-from, 0))
	read, err := f.ReadAt(buf, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(buf[:read]), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
