package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"raftmig/testnet"
)

// process is a process that takes part in a measurement.
type process struct {
	name string
	pid  int
}

// usage is what a process has used so far.
type usage struct {
	cpu       float64 // seconds
	rss, peak int64   // bytes
}

// processes are those of the network that run, and this one, which makes the load.
func processes(ctx context.Context, n *testnet.Network) ([]*process, error) {
	st, err := n.Status(ctx)
	if err != nil {
		return nil, err
	}
	var procs []*process
	for _, node := range st.Nodes {
		if node.Running {
			procs = append(procs, &process{node.Name, node.PID})
		}
	}
	return append(procs, &process{"load", os.Getpid()}), nil
}

func usages(procs []*process) ([]usage, error) {
	var all []usage
	for _, p := range procs {
		u, err := readUsage(p.pid)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, u)
	}
	return all, nil
}

// clockTicks per second in /proc: the same on every Linux.
const clockTicks = 100

// readUsage reads /proc/<pid>/stat and status. Where there is no /proc it
// returns zeros: throughput and latency can be measured without.
func readUsage(pid int) (usage, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if errors.Is(err, os.ErrNotExist) {
		if _, statErr := os.Stat("/proc/self"); statErr != nil {
			return usage{}, nil
		}
		return usage{}, errors.New("the process has ended")
	}
	if err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return usage{}, err
	}
	return parseUsage(stat, status)
}

func parseUsage(stat, status []byte) (u usage, err error) {
	// The second field is the program's name in parentheses, which may hold anything.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 13 {
		return u, errors.New("/proc: unexpected form of stat")
	}
	for _, field := range f[11:13] { // utime, stime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, fmt.Errorf("/proc: %w", err)
		}
		u.cpu += float64(ticks) / clockTicks
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		into := map[string]*int64{"VmRSS": &u.rss, "VmHWM": &u.peak}[key]
		if into == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return u, fmt.Errorf("/proc: %w", err)
		}
		*into = kib << 10
	}
	return u, nil
}

// startProfiles begins to profile the processor time of all nodes for as long
// as a measurement takes; the heap is looked at towards its end. The function that it returns waits for the files.
func (s *subject) startProfiles(ctx context.Context, round int) func() error {
	seconds := max(1, int(s.o.Duration/time.Second)-1)
	var g errgroup.Group
	for name, address := range s.pprof {
		g.Go(func() error {
			file := filepath.Join(s.o.ProfileDir, fmt.Sprintf("%s-%s-%d-%s", s.engine, s.o.Consensus, round, name))
			url := fmt.Sprintf("http://%s/debug/pprof/", address)
			if err := fetchProfile(ctx, fmt.Sprintf("%sprofile?seconds=%d", url, seconds), file+".pprof"); err != nil {
				return err
			}
			return fetchProfile(ctx, url+"heap", file+".heap")
		})
	}
	return g.Wait
}

func fetchProfile(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("reading a profile: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		return fmt.Errorf("reading a profile: %w", err)
	}
	return os.WriteFile(file, data, 0o644)
}
