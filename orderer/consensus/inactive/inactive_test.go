package inactive_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/inactive"
)

func TestAnInactiveChainRefusesEverythingForGood(t *testing.T) {
	var chain consensus.Chain = inactive.NewChain(inactive.NotServiced("ch1"))
	chain.Start()
	const text = "channel ch1 is not serviced by me"
	require.EqualError(t, chain.Order(nil, 0), text)
	require.EqualError(t, chain.Configure(nil, 0), text)
	require.EqualError(t, chain.WaitReady(), text)
	select {
	case <-chain.Errored():
	default:
		t.Fatal("Errored is open, so strict deliveries would wait on a channel that never moves")
	}
	chain.Halt()
	chain.Halt()
}
