package fabricops

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

func TestProcessesAreCountedInWords(t *testing.T) {
	require.Equal(t, "1 broker", counted(1, runbook.TierBrokers))
	require.Equal(t, "4 brokers", counted(4, runbook.TierBrokers))
	require.Equal(t, "1 orderer", counted(1, runbook.TierOrderers))
	require.Equal(t, "1 zookeeper", counted(1, runbook.TierZooKeeper))
	require.Equal(t, "0 orderers", counted(0, runbook.TierOrderers))
}
