package driver

import (
	"fmt"
	"strconv"
	"syscall"
)

// Environment variables that end the process with SIGKILL around the writing
// of a journal record. They are for tests of raftmig only.
const (
	CrashAfter  = "RAFTMIG_CRASH_AFTER"  // right after record n is on disk
	CrashBefore = "RAFTMIG_CRASH_BEFORE" // right before record n is written
)

// CrashFromEnv sets the hooks that the variables ask for.
func (o *Options) CrashFromEnv(getenv func(string) string) error {
	for name, hook := range map[string]*func(int){CrashAfter: &o.AfterAppend, CrashBefore: &o.BeforeAppend} {
		text := getenv(name)
		if text == "" {
			continue
		}
		record, err := strconv.Atoi(text)
		if err != nil || record < 1 {
			return fmt.Errorf("%s is %q, expected the number of a record", name, text)
		}
		*hook = func(n int) {
			if n == record {
				_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
				select {} // until the signal arrives
			}
		}
	}
	return nil
}
