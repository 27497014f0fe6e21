package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listing is every path below dir, with its size.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		all = append(all, path+" "+info.Mode().String())
		return nil
	})
	require.NoError(t, err)
	return all
}

func replaceIn(t *testing.T, file, pattern, text string) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	changed := regexp.MustCompile(pattern).ReplaceAllString(string(b), text)
	require.NotEqual(t, string(b), changed, "%s holds nothing like %s", file, pattern)
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o644))
}

// Bad input gets an error that names the cause, a non-zero exit code, and
// changes nothing.
func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	write := func(t *testing.T, name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		return file
	}
	for _, tc := range []struct {
		name  string
		args  func(t *testing.T, dir string) []string
		wants []string // on standard error
	}{
		{
			name: "crypto-config.yaml that is not YAML, with its line",
			args: func(t *testing.T, dir string) []string {
				return []string{"cryptogen", "generate", "--config", write(t, "crypto-config.yaml", "OrdererOrgs:\n  - Name: A\n\tDomain: b\n"), "--output", filepath.Join(dir, "out")}
			},
			wants: []string{"crypto-config.yaml:2: ", "tab"},
		},
		{
			name: "crypto-config.yaml with an unknown key, with its line",
			args: func(t *testing.T, dir string) []string {
				return []string{"cryptogen", "generate", "--config", write(t, "crypto-config.yaml", "OrdererOrgs:\n  - Name: A\n    Domian: b.com\n"), "--output", filepath.Join(dir, "out")}
			},
			wants: []string{"crypto-config.yaml:3: ", "Domian"},
		},
		{
			name: "configtx.yaml without the profile",
			args: func(t *testing.T, dir string) []string {
				return []string{"configtxgen", "-configPath", filepath.Dir(write(t, "configtx.yaml", "Profiles:\n  A:\n    Consortium: C\n")), "-profile", "B", "-channelID", "sys", "-outputBlock", filepath.Join(dir, "g.block")}
			},
			wants: []string{"Could not find profile: B"},
		},
		{
			name: "a folder that is not empty",
			args: func(t *testing.T, dir string) []string {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), []byte("x"), 0o600))
				return []string{"rehearse", "--headless", "--dir", dir}
			},
			wants: []string{"is not empty"},
		},
		{
			name: "a channel name that Fabric does not allow",
			args: func(_ *testing.T, dir string) []string {
				return []string{"testnet", "init", "--dir", filepath.Join(dir, "net"), "--channel-names", "Ch_1"}
			},
			wants: []string{"Ch_1"},
		},
		{
			name: "no orderers",
			args: func(_ *testing.T, dir string) []string {
				return []string{"rehearse", "--headless", "--dir", filepath.Join(dir, "net"), "--orderers", "0"}
			},
			wants: []string{"--orderers 0"},
		},
		{
			name: "an unknown phase to go back after",
			args: func(_ *testing.T, dir string) []string {
				return []string{"rehearse", "--headless", "--dir", filepath.Join(dir, "net"), "--abort-at", "exit"}
			},
			wants: []string{"--abort-at", "restart"},
		},
		{
			name: "a rehearsal to resume that is not there",
			args: func(_ *testing.T, dir string) []string {
				return []string{"rehearse", "--headless", "--resume", "--dir", filepath.Join(dir, "net")}
			},
			wants: []string{"manifest.json"},
		},
		{
			name: "a network description that is not there",
			args: func(_ *testing.T, dir string) []string {
				return []string{"run", "--headless", "--confirm", "x", "--network", filepath.Join(dir, "raftmig.yaml")}
			},
			wants: []string{"raftmig.yaml"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			binary(t)
			dir := t.TempDir()
			args := tc.args(t, dir)
			before := listing(t, dir)
			r := run(t, nil, args...)
			require.NotZero(t, r.code)
			for _, want := range tc.wants {
				require.Contains(t, r.stderr, want)
			}
			require.NotContains(t, r.stderr, "goroutine ", "an error is no stack trace")
			require.Equal(t, before, listing(t, dir))
		})
	}
}

// Faults of a network's description, found before anything is touched.
func TestBadNetworkDescriptionsAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	r := run(t, nil, "testnet", "init", "--dir", dir)
	require.Zero(t, r.code, r.stderr)
	good, err := os.ReadFile(filepath.Join(dir, "raftmig.yaml"))
	require.NoError(t, err)
	for _, tc := range []struct {
		name, pattern, text string
		wants               []string
	}{
		{"an unknown key, with its line", `(?m)^systemChannel:`, "sytemChannel:", []string{"raftmig.yaml: line 5: ", "sytemChannel"}},
		{"two orderers of one name", `name: orderer1`, "name: orderer0", []string{"orderer0", "needs its own name"}},
		{"an admin MSP folder that is not there", `users/Admin@example.com/msp`, "users/Nobody@example.com/msp", []string{"Nobody@example.com"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(dir, "raftmig.yaml")
			require.NoError(t, os.WriteFile(file, good, 0o600))
			replaceIn(t, file, tc.pattern, tc.text)
			before := listing(t, dir)
			r := run(t, nil, "run", "--headless", "--confirm", "net", "--network", file)
			require.NotZero(t, r.code)
			for _, want := range tc.wants {
				require.Contains(t, r.stderr, want)
			}
			require.Equal(t, before, listing(t, dir))
		})
	}
}

// An identity that may not change the ordering service is found by the checks,
// before anything is touched.
func TestAWrongAdminEndsTheRunBeforeItTouchesAnything(t *testing.T) {
	dir := netDir(t)
	file := filepath.Join(dir, "raftmig.yaml")
	require.Zero(t, run(t, nil, "testnet", "init", "--dir", dir, "--channels", "1").code)
	r := run(t, nil, "testnet", "up", "--dir", dir)
	require.Zero(t, r.code, r.stderr)
	before := statusOf(t, file)
	replaceIn(t, file, `(?m)^(admin:\n\s+mspID: )OrdererMSP(\n\s+mspDir: ).*$`,
		"${1}Org1MSP${2}crypto-config/peerOrganizations/org1.example.com/users/Admin@org1.example.com/msp")
	r = run(t, nil, "run", "--headless", "--json", "--confirm", "net", "--network", file)
	require.Equal(t, exitFailed, r.code, r.stderr)
	doc := r.document(t)
	require.Equal(t, "failed", doc.Result)
	require.Contains(t, r.stderr, "administrator of an orderer organization")
	replaceIn(t, file, `(?m)^(admin:\n\s+mspID: )Org1MSP(\n\s+mspDir: ).*$`,
		"${1}OrdererMSP${2}crypto-config/ordererOrganizations/example.com/users/Admin@example.com/msp")
	after := statusOf(t, file)
	require.Equal(t, before.Channels, after.Channels)
	require.Equal(t, before.Processes, after.Processes)
}

func TestACertificateThatDoesNotMatchItsKeyIsNamed(t *testing.T) {
	dir := netDir(t)
	require.Zero(t, run(t, nil, "testnet", "init", "--dir", dir).code)
	keys, err := filepath.Glob(filepath.Join(dir, "crypto-config", "ordererOrganizations", "*", "orderers", "orderer*", "tls", "server.key"))
	require.NoError(t, err)
	require.Len(t, keys, 3)
	other, err := os.ReadFile(keys[1])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keys[0], other, 0o600))
	r := run(t, nil, "testnet", "up", "--dir", dir)
	require.NotZero(t, r.code)
	require.Contains(t, r.stderr, "orderer0")
	require.Regexp(t, "(?i)private key does not match", r.stderr)
}

func TestAPortInUseIsNamed(t *testing.T) {
	dir := netDir(t)
	require.Zero(t, run(t, nil, "testnet", "init", "--dir", dir).code)
	b, err := os.ReadFile(filepath.Join(dir, "raftmig.yaml"))
	require.NoError(t, err)
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(string(b))
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	defer l.Close()
	r := run(t, nil, "testnet", "up", "--dir", dir)
	require.NotZero(t, r.code)
	require.Contains(t, r.stderr, address[strings.LastIndex(address, ":")+1:])
	require.Contains(t, r.stderr, "in use")
}

func TestAnEvenConsenterSetIsAWarningAndNoError(t *testing.T) {
	r := run(t, []string{"TMPDIR=" + shortTemp(t)}, "rehearse", "--orderers", "4", "--transactions", "10")
	require.Zero(t, r.code, r.stderr)
	doc := r.document(t)
	require.Equal(t, "migrated", doc.Result)
	for _, f := range doc.Findings {
		if f.Check == "consenters.count" {
			require.Equal(t, "warn", string(f.Severity))
			return
		}
	}
	t.Fatal("no finding about the number of consenters")
}
