package screen

import "os"

// File is a Writer to a terminal's file. bubbletea sees that it is a terminal
// and asks it for its size.
type File struct {
	*Writer
	f *os.File
}

// NewFile makes a writer to a terminal's file.
func NewFile(f *os.File) *File { return &File{Writer: New(f), f: f} }

// Fd is the terminal's file descriptor.
func (f *File) Fd() uintptr { return f.f.Fd() }

// Read reads from the terminal's file.
func (f *File) Read(p []byte) (int, error) { return f.f.Read(p) }

// Close does nothing: the file belongs to the caller.
func (f *File) Close() error { return nil }
