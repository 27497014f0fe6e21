package preflight

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// P6 of the catalogue of failures: too few signers under MAJORITY Admins.
func TestTheHintNamesTheOrganizationsThatMustSign(t *testing.T) {
	f := good()
	require.Contains(t, adminPolicy.run(f).Summary, "the admin identity satisfies it")
	f.Admins = []runbook.IdentityFacts{{MSPID: "Orderer2MSP"}, {MSPID: "Orderer3MSP"}}
	require.Contains(t, adminPolicy.run(f).Summary, "the signatures of the 3 administrators")
	require.Contains(t, adminIdentity.ok(f), "CN=Admin@example.com of OrdererMSP and 2 more can sign")

	const reason = "implicit policy evaluation failed - 1 sub-policies were satisfied, but this policy requires 2 of the 'Admins' sub-policies to be satisfied"
	for i := range f.Channels {
		f.Channels[i].AdminPolicy = reason
		f.Channels[i].MissingAdmins = []string{"Orderer2MSP", "Orderer3MSP"}
	}
	third := f.Channels[1]
	third.Name, third.MissingAdmins = "ch2", []string{"Orderer4MSP"}
	f.Channels = append(f.Channels, third)
	got := adminPolicy.run(f)
	require.Equal(t, runbook.SeverityError, got.Severity)
	require.Contains(t, got.Evidence, "ch1: "+reason)
	require.Contains(t, got.Hint, "no administrator of Orderer2MSP, Orderer3MSP signs for sys, ch1; no administrator of Orderer4MSP signs for ch2.")
	require.Contains(t, got.Hint, "under admins in raftmig.yaml")

	f.AwaitSignatures = true
	got = adminPolicy.run(f)
	require.Equal(t, runbook.SeverityWarn, got.Severity, "the run waits for them")
	require.Contains(t, got.Hint, "stands still in each of the three rounds of updates until enough of these organisations have signed")

	f.Channels = f.Channels[:1]
	f.Channels[0].MissingAdmins = nil
	require.Contains(t, adminPolicy.run(f).Hint, "administrator of an orderer organisation")
	require.Equal(t, runbook.SeverityError, adminPolicy.run(f).Severity, "whose signature would help is not known")
}
