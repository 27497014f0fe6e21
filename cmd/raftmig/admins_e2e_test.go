package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
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
