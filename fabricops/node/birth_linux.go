package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond of /proc: 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// birthOf returns the boot of the system and the process's start in ticks
// since then, "" if there is no such process; ended is set for a process that
// waits to be reaped.
func birthOf(pid int) (birth string, ended bool, err error) {
	state, ticks, err := stat(pid)
	if err != nil || state == 0 {
		return "", false, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil // some containers hide it; the ticks alone still tell
	}
	return fmt.Sprintf("%s/%d", strings.TrimSpace(string(boot)), ticks), state == 'Z' || state == 'X', nil
}

// stat returns state 0 if there is no such process.
func stat(pid int) (state byte, ticks uint64, err error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("looking at process %d: %w", pid, err)
	}
	// The name, in parentheses, may contain anything; fields count from behind it.
	i := bytes.LastIndexByte(data, ')')
	if i < 0 {
		return 0, 0, fmt.Errorf("looking at process %d: unknown format of its stat file", pid)
	}
	fields := strings.Fields(string(data[i+1:]))
	if len(fields) < 20 || fields[0] == "" {
		return 0, 0, fmt.Errorf("looking at process %d: unknown format of its stat file", pid)
	}
	ticks, err = strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("looking at process %d: %w", pid, err)
	}
	return fields[0][0], ticks, nil
}

// findMarked looks for a running process that has mark in its environment: one
// that was started just before its starter died.
func findMarked(mark string) (*record, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, nil
	}
	want := []byte(mark)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err != nil { // other people's processes
			continue
		}
		for _, v := range bytes.Split(env, []byte{0}) {
			if !bytes.Equal(v, want) {
				continue
			}
			birth, ended, err := birthOf(pid)
			if err != nil {
				return nil, err
			}
			if birth != "" && !ended {
				return &record{PID: pid, Birth: birth, StartedAt: startTime(pid)}, nil
			}
		}
	}
	return nil, nil
}

func startTime(pid int) time.Time {
	_, ticks, err := stat(pid)
	if err != nil {
		return time.Time{}
	}
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(data)) {
		if after, ok := strings.CutPrefix(line, "btime "); ok {
			boot, err := strconv.ParseInt(strings.TrimSpace(after), 10, 64)
			if err != nil {
				return time.Time{}
			}
			return time.Unix(boot, 0).Add(time.Duration(ticks) * time.Second / ticksPerSecond).UTC()
		}
	}
	return time.Time{}
}
