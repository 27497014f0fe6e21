package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook/report"
)

// binary returns the raftmig binary under test: $RAFTMIG_BIN, or one that is
// built once for this test process.
func binary(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end test with real processes: not run with -short")
	}
	path, err := buildOnce()
	require.NoError(t, err)
	return path
}

var buildOnce = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("RAFTMIG_BIN"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "raftmig-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "raftmig")
	out, err := exec.Command("go", "build", "-o", path, "raftmig/cmd/raftmig").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// result of a finished command.
type result struct {
	code   int
	stdout []byte
	stderr string
}

// run runs the binary to its end, at most two minutes.
func run(t testing.TB, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "raftmig %v did not end in time\n%s", args, stderr.String())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("raftmig %v: %v", args, err)
	}
	return result{code: cmd.ProcessState.ExitCode(), stdout: stdout.Bytes(), stderr: stderr.String()}
}

// document decodes the one JSON document on standard output.
func (r result) document(t *testing.T) report.Document {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	var doc report.Document
	require.NoError(t, dec.Decode(&doc), "stdout: %s\nstderr: %s", r.stdout, r.stderr)
	require.False(t, dec.More(), "more than one document on standard output")
	return doc
}

// netDir returns a folder for a network that is taken down after the test.
func netDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net")
	bin := binary(t)
	t.Cleanup(func() {
		if out, err := exec.Command(bin, "testnet", "down", "--dir", dir).CombinedOutput(); err != nil {
			if _, statErr := os.Stat(dir); statErr == nil {
				t.Errorf("testnet down: %v\n%s", err, out)
			}
		}
	})
	return dir
}

// shortTemp is a temporary folder with a path short enough for sockets.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rm")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// Limits for what a network does by itself a moment later.
const (
	waitForBlock = 15 * time.Second
	tick         = 100 * time.Millisecond
)
