package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/fabrictest"
	"raftmig/runbook"
	"raftmig/runbook/report"
	"raftmig/testnet/validate"
)

// raftNet is a network that was migrated.
type raftNet struct {
	dir, file string
	inv       *inventory.Network
}

func newRaftNet(t *testing.T, args ...string) *raftNet {
	t.Helper()
	n := &raftNet{}
	n.dir, n.file = upNet(t, append([]string{"--name", "net", "--batch-timeout", "50ms"}, args...)...)
	r := run(t, nil, "run", "--network", n.file, "--headless", "--confirm", "net")
	require.Zero(t, r.code, r.stderr)
	n.change(t, func(*inventory.Network) {})
	return n
}

// change changes raftmig.yaml.
func (n *raftNet) change(t *testing.T, edit func(*inventory.Network)) {
	t.Helper()
	inv, err := inventory.Load(n.file)
	require.NoError(t, err)
	edit(inv)
	require.NoError(t, inventory.Save(n.file, inv))
	n.inv = inv
}

// operate runs an operation.
func (n *raftNet) operate(t *testing.T, args ...string) report.Document {
	t.Helper()
	r := run(t, nil, append(args, "--network", n.file, "--headless", "--yes", "--json")...)
	require.Zero(t, r.code, "%s\n%s", r.stdout, r.stderr)
	doc := r.document(t)
	require.Equal(t, "done", doc.Result)
	return doc
}

// survive runs an operation, killed again and again on the way and resumed.
func (n *raftNet) survive(t *testing.T, args ...string) report.Document {
	t.Helper()
	args = append(args, "--network", n.file, "--headless", "--yes", "--json")
	r := run(t, []string{"RAFTMIG_CRASH_AFTER=6"}, args...)
	lives := 1
	for at := 12; r.code == killed; at += 6 {
		lives++
		require.Less(t, lives, 30, "the run makes no progress\n%s", r.stderr)
		hook := []string{"RAFTMIG_CRASH_AFTER", "RAFTMIG_CRASH_BEFORE"}[lives%2]
		r = run(t, []string{fmt.Sprintf("%s=%d", hook, at)}, append(args, "--resume")...)
	}
	require.Zero(t, r.code, "%s\n%s", r.stdout, r.stderr)
	require.Greater(t, lives, 2)
	doc := r.document(t)
	require.Equal(t, "done", doc.Result)
	again := run(t, nil, append(args, "--resume")...)
	require.Zero(t, again.code, again.stderr)
	require.Equal(t, doc, again.document(t), "a run that is over is shown, not begun once more")
	return doc
}

// issue makes a TLS certificate for a node, by the TLS CA of the ordering organization.
func (n *raftNet) issue(t *testing.T, node string) (cert, key string) {
	t.Helper()
	org := filepath.Join(n.dir, "crypto-config", "ordererOrganizations", "example.com", "tlsca")
	files, err := filepath.Glob(filepath.Join(org, "*-cert.pem"))
	require.NoError(t, err)
	ca, err := inventory.ReadCertificates(files[0])
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(org, "priv_sk"))
	require.NoError(t, err)
	block, _ := pem.Decode(b)
	caKey, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: node + ".example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		DNSNames: []string{node + ".example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, ca[0], mine.Public(), caKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(mine)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "new.crt"), filepath.Join(dir, "new.key")
	writeFile(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	return cert, key
}

// forget makes an orderer a new node, without a ledger.
func (n *raftNet) forget(t *testing.T, i int) {
	t.Helper()
	require.NoError(t, os.RemoveAll(n.inv.Orderers[i].LedgerDir))
	require.NoError(t, os.RemoveAll(filepath.Dir(n.inv.Orderers[i].WALDir)))
}

// sequence is the config sequence of the first channel, on every node the same.
func sequence(doc report.Document) uint64 { return doc.Channels[0].Nodes[0].ConfigSequence }

// An option is set, a consenter leaves and comes back, another gets new
// certificates; the last two runs are killed on the way. Every update comes into force once, and
// what was refused on the way was refused before anything changed.
func TestConsentersLeaveJoinAndAreRenewedByRunsThatAreKilled(t *testing.T) {
	n := newRaftNet(t, "--orderers", "4", "--channels", "1")
	before := statusOf(t, n.file)

	r := run(t, nil, "options", "set", "--election-tick", "20", "--network", n.file, "--dry-run", "--json")
	require.Zero(t, r.code, r.stderr)
	var plan previewDocument
	require.NoError(t, json.Unmarshal(r.stdout, &plan))
	require.Equal(t, []string{"election tick: 10 -> 20"}, plan.Changes)
	require.Len(t, plan.Steps, 6)
	require.Equal(t, before.Channels, statusOf(t, n.file).Channels, "a dry run changes nothing")
	r = run(t, nil, "options", "set", "--election-tick", "1", "--network", n.file, "--headless", "--yes")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "ElectionTick (1) must be greater than HeartbeatTick (1)")
	doc := n.operate(t, "options", "set", "--election-tick", "20")
	requireUniform(t, doc, 2, 4, "etcdraft")
	start := sequence(doc)

	doc = n.operate(t, "consenter", "remove", "orderer3")
	requireUniform(t, doc, 2, 3, "etcdraft")
	require.Equal(t, start+1, sequence(doc))

	n.forget(t, 3)
	doc = n.survive(t, "consenter", "add", "orderer3")
	requireUniform(t, doc, 2, 4, "etcdraft")
	require.Equal(t, start+3, sequence(doc), "the consenter, and then its endpoint")
	r = run(t, nil, "consenter", "add", "orderer3", "--network", n.file, "--headless", "--yes")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "orderer3 is a consenter of every channel already")

	cert, key := n.issue(t, "orderer1")
	require.Zero(t, run(t, nil, "testnet", "fault", "kill", "orderer2", "--dir", n.dir).code)
	r = run(t, nil, "consenter", "rotate-tls", "orderer1", "--server-cert", cert, "--server-key", key, "--network", n.file, "--headless", "--yes")
	require.Equal(t, exitFailed, r.code, "no second node while one is down")
	require.Contains(t, r.stderr, "orderer2")
	require.Zero(t, run(t, nil, "testnet", "fault", "start", "orderer2", "--dir", n.dir).code)
	doc = n.survive(t, "consenter", "rotate-tls", "orderer1", "--server-cert", cert, "--server-key", key)
	requireUniform(t, doc, 2, 4, "etcdraft")
	require.Equal(t, start+4, sequence(doc))
	require.FileExists(t, n.inv.Orderers[1].ServerCert+".old")
	installed, err := os.ReadFile(n.inv.Orderers[1].ServerKey)
	require.NoError(t, err)
	wanted, err := os.ReadFile(key)
	require.NoError(t, err)
	require.Equal(t, wanted, installed)

	// The network works, and all ledgers are the same.
	r = run(t, nil, "testnet", "load", "--dir", n.dir, "--transactions", "20", "--json")
	require.Zero(t, r.code, r.stderr)
	require.Eventually(t, func() bool {
		var v validate.Report
		r := run(t, nil, "testnet", "validate", "--dir", n.dir, "--json")
		require.NoError(t, json.Unmarshal(r.stdout, &v), r.stderr)
		return r.code == 0 && v.Committed >= 20
	}, waitForBlock, tick)
	r = run(t, nil, "report", "--network", n.file)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, string(r.stdout), "# net: new TLS certificates for consenter orderer1: done")
	require.Contains(t, string(r.stdout), "with .old at the end")
}

func TestMistakesInOperationsAreNamed(t *testing.T) {
	_, file := upNet(t, "--channels", "0")
	replaceIn(t, file, `(?m)^ +bootstrapFile: .*/orderer1/.*\n`, "")
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"consenter", "add", "orderer9"}, exitUsage, "raftmig.yaml has no orderer orderer9"},
		{[]string{"consenter", "remove", "orderer9"}, exitUsage, "give the consenter's host:port"},
		{[]string{"consenter", "rotate-tls", "orderer1"}, exitUsage, "the new server certificate and its key are needed"},
		{[]string{"consenter", "rotate-tls", "orderer1", "--server-cert", "a", "--server-key", "b", "--client-cert", "c"}, exitUsage, "belong together"},
		{[]string{"consenter", "add", "orderer1", "--headless", "--yes"}, exitUsage, "say in raftmig.yaml where they belong: bootstrapFile"},
		{[]string{"options", "set"}, exitUsage, "no option is set"},
		{[]string{"options", "set", "--tick-interval", "-1s"}, exitUsage, "it must be positive"},
		{[]string{"options", "set", "--election-tick", "20", "--headless"}, exitUsage, "--yes"},
		{[]string{"options", "set", "--election-tick", "20", "--plain", "--yes"}, exitUsage, "--yes goes with --headless"},
		{[]string{"options", "set", "--election-tick", "20", "--headless", "--yes"}, exitFailed, "the channel is not on Raft"},
	} {
		r := run(t, nil, append(tc.args, "--network", file)...)
		require.Equal(t, tc.code, r.code, "%v: %s", tc.args, r.stderr)
		require.Contains(t, r.stderr, tc.want, "%v", tc.args)
	}
	s := statusOf(t, file)
	require.Equal(t, runbook.OutcomeFailed, s.Outcome, "the last one was a run; it changed nothing")
}

// Attended, an operation is a run like any other: it waits at its gate in a
// process of its own, is seen from elsewhere, and ends on request while nothing
// was changed.
func TestAnOperationWaitsForItsOperatorAndIsAborted(t *testing.T) {
	n := newRaftNet(t, "--orderers", "1", "--channels", "0", "--brokers", "1")
	before := statusOf(t, n.file)
	r := run(t, nil, "options", "set", "--election-tick", "20", "--plain", "--network", n.file) // its input is empty
	require.NotZero(t, r.code)
	require.Contains(t, string(r.stdout)+r.stderr, "election tick: 10 -> 20")
	s := statusOf(t, n.file)
	require.True(t, s.Driven)
	require.Equal(t, runbook.StepConfirmPlan, s.Step)

	r = run(t, nil, "options", "set", "--election-tick", "30", "--resume", "--headless", "--yes", "--network", n.file)
	require.NotZero(t, r.code)
	r = run(t, nil, "abort", "--yes", "--plain", "--network", n.file)
	require.Zero(t, r.code, "%s\n%s", r.stdout, r.stderr)
	require.Contains(t, string(r.stdout)+r.stderr, "Nothing has been changed")
	require.Eventually(t, func() bool { return !statusOf(t, n.file).Driven }, waitForBlock, tick)
	s = statusOf(t, n.file)
	require.Equal(t, runbook.OutcomeRolledBack, s.Outcome)
	require.Equal(t, before.Channels, s.Channels)
	r = run(t, nil, "report", "--network", n.file)
	require.Contains(t, string(r.stdout), "The run was ended before anything was changed.")

	// The plain prompts take an answer.
	doc := n.answered(t, "2\nyes\n", "options", "set", "--election-tick", "20", "--plain")
	require.Contains(t, doc, "Done")
}

// answered runs a command with an input, and returns what it prints.
func (n *raftNet) answered(t *testing.T, input string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitForBlock)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), append(args, "--network", n.file)...)
	in, typed, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	defer typed.Close() // the terminal stays
	_, err = typed.WriteString(input)
	require.NoError(t, err)
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// Without a system channel the new node starts empty and joins each channel.
func TestAConsenterLeavesAndJoinsWithoutSystemChannel(t *testing.T) {
	n := &raftNet{}
	n.dir, n.file = upNet(t, "--name", "net", "--batch-timeout", "50ms", "--consensus", "etcdraft", "--no-system-channel", "--orderers", "4", "--channels", "2")
	n.change(t, func(*inventory.Network) {})
	requireUniform(t, n.operate(t, "consenter", "remove", "orderer3"), 2, 3, "etcdraft")
	n.forget(t, 3)
	doc := n.survive(t, "consenter", "add", "orderer3")
	requireUniform(t, doc, 2, 4, "etcdraft")
	require.Equal(t, uint64(3), sequence(doc))
	r := run(t, nil, "testnet", "load", "--dir", n.dir, "--transactions", "20", "--json")
	require.Zero(t, r.code, r.stderr)
}

// Fabric's own orderers are operated on exactly as ours.
func TestInteropFabricsOwnConsentersLeaveJoinAndAreRenewed(t *testing.T) {
	n := newRaftNet(t, "--orderers", "4", "--channels", "1", "--orderer-bin", fabrictest.Bin(t, "orderer"))
	start := sequence(n.operate(t, "options", "set", "--snapshot-interval-size", "33554432"))
	requireUniform(t, n.operate(t, "consenter", "remove", "orderer3"), 2, 3, "etcdraft")
	n.forget(t, 3)
	requireUniform(t, n.operate(t, "consenter", "add", "orderer3"), 2, 4, "etcdraft")
	cert, key := n.issue(t, "orderer1")
	doc := n.operate(t, "consenter", "rotate-tls", "orderer1", "--server-cert", cert, "--server-key", key)
	requireUniform(t, doc, 2, 4, "etcdraft")
	require.Equal(t, start+4, sequence(doc))
	r := run(t, nil, "testnet", "load", "--dir", n.dir, "--transactions", "20", "--json")
	require.Zero(t, r.code, r.stderr)
}

// The commands that an operation shows make its updates as they stand, with
// Fabric's own tools: after them there is nothing left to change.
func TestInteropTheCommandsOfOperationsMakeTheirUpdates(t *testing.T) {
	bin := fabrictest.Dir(t, "peer", "configtxlator")
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is not installed")
	}
	n := newRaftNet(t, "--orderers", "4", "--channels", "1")
	certs := t.TempDir()
	for _, o := range n.inv.Orderers {
		require.NoError(t, os.MkdirAll(filepath.Join(certs, o.Name), 0o700))
		require.NoError(t, os.Symlink(o.ServerCert, filepath.Join(certs, o.Name, "server.crt")))
		require.NoError(t, os.Symlink(o.ClientCert, filepath.Join(certs, o.Name, "client.crt")))
	}
	env := append(newPeerCLI(t, n.inv).env, "PATH="+bin+":"+os.Getenv("PATH"),
		"ORDERER="+n.inv.Orderers[0].Address, "CA="+n.inv.Orderers[0].TLSRootCAs[0], "CERTS="+certs)
	look := func(args ...string) (d previewDocument) {
		r := run(t, nil, append(args, "--network", n.file, "--dry-run", "--json")...)
		require.NoError(t, json.Unmarshal(r.stdout, &d), r.stderr)
		return d
	}
	cert, key := n.issue(t, "orderer1")
	for _, args := range [][]string{
		{"options", "set", "--tick-interval", "200ms", "--election-tick", "20"},
		{"consenter", "remove", "orderer3"},
		{"consenter", "add", "orderer3"},
		{"consenter", "rotate-tls", "orderer1", "--server-cert", cert, "--server-key", key},
	} {
		plan := look(args...)
		require.NotEmpty(t, plan.Changes, args)
		for _, s := range plan.Steps {
			if s.ID != runbook.StepUpdateSubmit && s.ID != runbook.StepEndpointSubmit {
				continue
			}
			const loop = "for CH in syschannel ch1; do"
			text := "set -eu -o pipefail\n" + strings.Join(s.Explain.Commands, "\n")
			require.Contains(t, text, loop)
			for _, channel := range []string{"syschannel", "ch1"} { // one by one, so that each can be tried again
				one := strings.ReplaceAll(text, loop, "for CH in "+channel+"; do")
				var out []byte
				var err error
				require.Eventually(t, func() bool { // the set must have found together after the change before
					cmd := exec.CommandContext(t.Context(), "bash", "-c", one)
					cmd.Dir, cmd.Env = t.TempDir(), env
					out, err = cmd.CombinedOutput()
					return err == nil
				}, waitForBlock, tick, "%s\n%s", one, &out)
			}
		}
		require.Eventually(t, func() bool { return len(look(args...).Changes) == 0 }, waitForBlock, tick, "%v", args)
		if args[1] == "add" { // it finds its channels at once when it is started anew
			require.Zero(t, run(t, nil, "testnet", "fault", "kill", "orderer3", "--dir", n.dir).code)
			require.Zero(t, run(t, nil, "testnet", "fault", "start", "orderer3", "--dir", n.dir).code)
		}
	}
}
