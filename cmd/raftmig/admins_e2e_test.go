package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/channels"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/runbook/report"
)

// Three orderer organizations under MAJORITY Admins (P6 of the catalogue of
// failures): one administrator is not enough and is told whose signature is
// missing; with those of all three the network is migrated.
func TestSeveralOrganizationsSignAMigration(t *testing.T) {
	dir, file := upNet(t, "--channels", "1", "--orderer-orgs", "3")
	all, err := inventory.Load(file)
	require.NoError(t, err)
	require.Len(t, all.Administrators(), 3)

	one := *all
	one.Admins = nil
	alone := filepath.Join(dir, "alone.yaml")
	require.NoError(t, inventory.Save(alone, &one))
	r := run(t, nil, "check", "--json", "--network", alone)
	require.Equal(t, exitFailed, r.code, r.stderr)
	finding := findingOf(t, r, "policies.admins")
	require.Equal(t, runbook.SeverityError, finding.Severity)
	require.Contains(t, finding.Hint, "Orderer2MSP, Orderer3MSP")
	require.Contains(t, finding.Evidence[0], "1 sub-policies were satisfied, but this policy requires 2")

	r = run(t, nil, "check", "--json", "--network", file)
	require.Zero(t, r.code, "%s\n%s", r.stdout, r.stderr)
	require.Equal(t, runbook.SeverityOK, findingOf(t, r, "policies.admins").Severity)

	r = run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--resume", "--transactions", "20")
	require.Zero(t, r.code, r.stderr)
	doc := r.document(t)
	require.Equal(t, "migrated", doc.Result)
	requireUniform(t, doc, 2, 3, "etcdraft")
	requireNothingLost(t, doc, 20)
}

// findingOf is one finding of raftmig check --json.
func findingOf(t *testing.T, r result, check string) runbook.Finding {
	t.Helper()
	var findings []runbook.Finding
	require.NoError(t, json.Unmarshal(r.stdout, &findings))
	for _, f := range findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no finding %s", check)
	return runbook.Finding{}
}

// A run with one administrator's key at hand stands still once in each of the
// three rounds, for all channels, until another administrator has signed what it
// exported. A headless one whose time is over is resumed and goes on by itself.
func TestARunWaitsForSignaturesMadeElsewhere(t *testing.T) {
	_, file := upNet(t, "--channels", "1", "--orderer-orgs", "3")
	n, err := inventory.Load(file)
	require.NoError(t, err)
	other := n.Admins[0]
	n.Admins, n.AwaitSignatures = nil, true
	require.NoError(t, inventory.Save(file, n))
	names := []string{n.SystemChannel, "ch1"}

	headless := []string{"run", "--headless", "--json", "--confirm", n.Name, "--network", file}
	r := run(t, nil, append(headless, "--signatures-timeout", "3s")...)
	require.Equal(t, exitStopped, r.code, r.stderr)
	require.Contains(t, r.stderr, "WAITS for signatures")
	require.Contains(t, r.stderr, "update: ch1: signed by Orderer1MSP, not by Orderer2MSP, Orderer3MSP; ")
	require.Contains(t, r.stderr, "and they have not come in 3s")
	doc := r.document(t)
	require.Equal(t, report.Unfinished, doc.Result)
	require.Equal(t, names, channelsOf(doc.Awaited))
	status := statusOf(t, file)
	require.True(t, status.Resumable)
	require.Equal(t, doc.Awaited, status.Awaited)

	ended := make(chan result, 1)
	go func() { ended <- run(t, nil, append(headless, "--resume")...) }()
	last, err := runner.DefaultFolder(file).Latest()
	require.NoError(t, err)
	box := filepath.Join(runner.DefaultFolder(file).RunDir(last), "signatures")
	var rounds []runbook.Change
	for {
		var awaited []runbook.SignatureState
		require.Eventually(t, func() bool {
			data, err := os.ReadFile(filepath.Join(box, channels.AwaitedFile))
			return len(ended) > 0 || err == nil && json.Unmarshal(data, &awaited) == nil && !slices.Contains(rounds, awaited[0].Change)
		}, time.Minute, tick)
		if len(ended) > 0 {
			break
		}
		require.Equal(t, names, channelsOf(awaited))
		rounds = append(rounds, awaited[0].Change)
		sign := []string{"sign", "--each", "--msp-id", other.MSPID, "--msp-dir", other.MSPDir}
		for _, a := range awaited {
			sign = append(sign, a.File)
		}
		signed := run(t, nil, sign...)
		require.Zero(t, signed.code, signed.stderr)
	}
	r = <-ended
	require.Zero(t, r.code, r.stderr)
	doc = r.document(t)
	require.Equal(t, "migrated", doc.Result)
	require.Empty(t, doc.Awaited)
	require.Equal(t, []runbook.Change{runbook.ChangeEnterMaintenance, runbook.ChangeSwitchType, runbook.ChangeExitMaintenance}, rounds)
	requireUniform(t, doc, 2, 3, "etcdraft")
}

func channelsOf(awaited []runbook.SignatureState) []string {
	var names []string
	for _, a := range awaited {
		names = append(names, a.Channel)
	}
	return names
}
