// Package fabrictest finds the programs of a real Fabric for tests that compare
// ours with it. Such a test has "Interop" in its name, so that `make interop`
// runs exactly these; without the programs it is skipped and says why.
package fabrictest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// Variable names the folder with Fabric's orderer, peer, osnadmin, configtxgen,
// cryptogen and configtxlator, all of one version.
const Variable = "FABRIC_BIN_DIR"

// Bin returns the path of one of Fabric's programs, and skips the test where
// Variable is unset or the program is missing.
func Bin(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(Variable)
	if dir == "" {
		t.Skipf("%s is not set: no real %s to compare with", Variable, name)
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the folder that %s names has no %s", Variable, name)
	}
	return path
}

// Dir returns the folder that Variable names, and skips the test where it is
// unset or lacks one of the programs.
func Dir(t testing.TB, programs ...string) string {
	t.Helper()
	for _, name := range programs {
		Bin(t, name)
	}
	return filepath.Dir(Bin(t, programs[0]))
}

// Release is a version of Fabric up to its minor number: 1.4, 2.2, 2.5.
type Release struct{ Major, Minor int }

// String is the release as in "2.5".
func (r Release) String() string { return fmt.Sprintf("%d.%d", r.Major, r.Minor) }

// Before tells whether r is older than major.minor.
func (r Release) Before(major, minor int) bool {
	return r.Major < major || r.Major == major && r.Minor < minor
}

var versionLine = regexp.MustCompile(`(?m)^\s*Version: (\S+)`)

// Version asks the real orderer which release it is. One that does not know its
// version ("latest", as a plain `go build` makes it) counts as 2.5.
func Version(t testing.TB) Release {
	t.Helper()
	out, err := exec.Command(Bin(t, "orderer"), "version").CombinedOutput()
	line := versionLine.FindSubmatch(out)
	if err != nil || line == nil {
		t.Fatalf("the real orderer does not tell its version: %v\n%s", err, out)
	}
	r, ok := parse(string(line[1]))
	if !ok {
		return Release{2, 5}
	}
	return r
}

var release = regexp.MustCompile(`^v?(\d+)\.(\d+)(\.|$)`)

func parse(version string) (Release, bool) {
	m := release.FindStringSubmatch(version)
	if m == nil {
		return Release{}, false
	}
	major, errMajor := strconv.Atoi(m[1])
	minor, errMinor := strconv.Atoi(m[2])
	return Release{major, minor}, errMajor == nil && errMinor == nil
}

// Since skips the test where the real orderer is older than major.minor.
func Since(t testing.TB, major, minor int, why string) {
	t.Helper()
	if r := Version(t); r.Before(major, minor) {
		t.Skipf("the real Fabric is %s: %s", r, why)
	}
}
