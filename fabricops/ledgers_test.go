package fabricops_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/runbook"
)

// Ledgers of real Fabric at rest say what the orderers said of them.
func TestOperatorReadsTheLedgersOfOrderersThatAreDown(t *testing.T) {
	for _, version := range []string{"2.2.15", "2.5.16"} {
		for stage, state := range map[string]string{fakenet.TypeSwitched: runbook.StateMaintenance, fakenet.RaftNormal: runbook.StateNormal} {
			t.Run(version+"/"+stage, func(t *testing.T) {
				r := newRig(t, version, stage)
				read := runbook.Effect{Kind: runbook.ReadLedgers, Channels: both}
				_, err := r.Perform(t.Context(), read, nil)
				require.ErrorContains(t, err, "the process runs", "a ledger that grows proves nothing")

				served := r.perform(t, runbook.Effect{Kind: runbook.ReadChannels, Channels: both}).Channels
				r.perform(t, runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers})
				ev := r.perform(t, read)
				for i := range served {
					for j := range served[i].Nodes {
						served[i].Nodes[j].Leader = 0 // a ledger names none
					}
				}
				require.Equal(t, served, ev.Channels)
				require.Equal(t, runbook.TypeRaft, ev.Channels[1].Nodes[2].Type)
				require.Equal(t, state, ev.Channels[1].Nodes[2].State)

				require.NoError(t, os.RemoveAll(filepath.Join(r.inv.Orderers[1].LedgerDir, "chains", both[1])))
				ev = r.perform(t, read)
				require.Contains(t, ev.Channels[1].Nodes[1].Error, "no such file")
				require.Empty(t, ev.Channels[1].Nodes[0].Error)
			})
		}
	}
}
