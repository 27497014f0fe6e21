package server

import (
	"errors"
	"fmt"
	"os"
)

// Exit codes of an orderer's process (Fabric's).
const (
	exitFatal = 1 // what Fabric logs at level FATAL: files and listeners of the local configuration
	exitPanic = 2 // what ends Fabric's process with a panic: everything else
)

// fatalError marks what Fabric logs at level FATAL.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

// fatalf is fmt.Errorf for such an error.
func fatalf(format string, args ...any) error { return fatalError{fmt.Errorf(format, args...)} }

func isFatal(err error) bool {
	var f fatalError
	return errors.As(err, &f)
}

// ExitCode is the code with which Fabric's process ends where Run returns err.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case isFatal(err):
		return exitFatal
	}
	return exitPanic
}

// readFiles reads the files of a key of the local configuration.
func readFiles(key string, paths []string) ([][]byte, error) {
	var all [][]byte
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, fatalf("Failed to load %s file '%s' (%w)", key, p, err)
		}
		all = append(all, b)
	}
	return all, nil
}
