package screen

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Writer is the output given to bubbletea. It is safe for concurrent use.
type Writer struct {
	mu     sync.Mutex
	out    io.Writer
	shown  []string // what the terminal shows; nil if unknown
	next   []string // the newest frame
	width  int
	shownW int
}

// New makes a writer to a terminal. If out is a terminal's file, use File.
func New(out io.Writer) *Writer { return &Writer{out: out} }

// Show takes the newest frame: rows of at most width columns, as bubbletea's
// View returns them. It is written when bubbletea writes a frame.
func (w *Writer) Show(frame string, width int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next, w.width = strings.Split(frame, "\n"), width
}

// home begins every frame of bubbletea's renderer on the alternate screen.
const home = "\x1b[H"

// Write takes what bubbletea writes. A frame is replaced by the difference to
// what is shown; anything else is passed on. It reports len(p) on success,
// whatever was written in its place.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isFrame(p) {
		if unsettles(p) {
			w.shown = nil
		}
		return w.pass(p)
	}
	var b []byte
	if w.shown == nil || len(w.shown) != len(w.next) || w.shownW != w.width {
		b = paint(w.next, w.width)
	} else {
		b = diff(w.shown, w.next, w.width)
	}
	w.shown, w.shownW = w.next, w.width
	if len(b) == 0 {
		return len(p), nil
	}
	if _, err := w.pass(b); err != nil {
		w.shown = nil
		return 0, err
	}
	return len(p), nil
}

func (w *Writer) isFrame(p []byte) bool {
	return w.next != nil && w.width > 0 && len(p) > len(home) && bytes.HasPrefix(p, []byte(home))
}

// unsettles reports whether a sequence changes what the terminal shows: erasing, or changing screens.
func unsettles(p []byte) bool {
	return bytes.Contains(p, []byte("\x1b[2J")) || bytes.Contains(p, []byte("\x1b[?1049"))
}

func (w *Writer) pass(p []byte) (int, error) {
	n, err := w.out.Write(p)
	if err != nil {
		return n, fmt.Errorf("writing to the terminal: %w", err)
	}
	return n, nil
}
