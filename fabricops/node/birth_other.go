//go:build unix && !linux

package node

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// birthOf returns the start time of a process as ps prints it, "" if there is
// no such process; ended is set for a process that waits to be reaped.
func birthOf(pid int) (birth string, ended bool, err error) {
	out, err := exec.Command("ps", "-o", "state=,lstart=", "-p", strconv.Itoa(pid)).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("looking at process %d: %w", pid, err)
	}
	state, start, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return strings.TrimSpace(start), strings.HasPrefix(state, "Z"), nil
}

// findMarked cannot look into other processes here.
func findMarked(string) (*record, error) { return nil, nil }
