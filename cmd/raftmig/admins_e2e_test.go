package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/fabricops/runner"
	"raftmig/runbook"
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

// A run with one administrator's key at hand: it stands still at each of the
// three updates until another administrator has signed what it exported. The
// system channel is enough; every retry looks at it for seconds first.
func TestARunWaitsForSignaturesMadeElsewhere(t *testing.T) {
	_, file := upNet(t, "--channels", "0", "--orderer-orgs", "3")
	n, err := inventory.Load(file)
	require.NoError(t, err)
	other := n.Admins[0]
	n.Admins, n.AwaitSignatures = nil, true
	require.NoError(t, inventory.Save(file, n))
	r := run(t, nil, "run", "--headless", "--confirm", n.Name, "--network", file)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "a headless run does not wait for people")

	r = run(t, nil, "run", "--plain", "--network", file) // it goes on without a terminal
	require.Contains(t, string(r.stdout), "WAITING for you")
	folder := runner.DefaultFolder(file)
	last, err := folder.Latest()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client, err := runner.Attach(ctx, folder)
	require.NoError(t, err)
	defer context.AfterFunc(ctx, func() { _ = client.Close() })() // ends the updates
	defer client.Close()

	var stops []string
	var end *runbook.Snapshot
	answered := map[string]bool{} // by step and channel: each asks once
	for u := range client.Updates() {
		s := u.Snapshot
		if s == nil {
			continue
		}
		end = s
		if s.Outcome != "" {
			break
		}
		if s.Gate == nil && s.Problem == nil {
			continue
		}
		question := string(s.Steps[s.Current].ID)
		if s.Problem != nil {
			question += " " + s.Problem.Where
		}
		if answered[question] {
			continue
		}
		answered[question] = true
		command := runbook.Command{Kind: runbook.EventConfirmed, Step: s.Steps[s.Current].ID, Text: n.Name, By: "test"}
		if s.Problem != nil {
			require.Contains(t, s.Problem.What, "waits for signatures", "%+v", s.Problem)
			require.Contains(t, s.Problem.Hint, "No administrator of Orderer2MSP, Orderer3MSP has signed.")
			stops = append(stops, s.Problem.Where+" "+string(command.Step))
			files, err := filepath.Glob(filepath.Join(folder.RunDir(last), "signatures", "*.tx"))
			require.NoError(t, err)
			signed := run(t, nil, append([]string{"sign", "--each", "--msp-id", other.MSPID, "--msp-dir", other.MSPDir}, files...)...)
			require.Zero(t, signed.code, signed.stderr)
			command.Kind = runbook.EventRetry
		}
		require.NoError(t, client.Send(ctx, command))
	}
	require.NotNil(t, end)
	require.Equal(t, runbook.OutcomeMigrated, end.Outcome)
	require.Equal(t, []string{"syschannel maintenance.enter", "syschannel switch.type", "syschannel exit.normal"}, stops)
}
