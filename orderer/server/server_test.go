package server

import (
	"fmt"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
)

func TestAKafkaOrdererCreatesAChannelAndOrders(t *testing.T) {
	n := newNetwork(t)
	o := n.start(0, "")
	o.awaitLog("Start phase completed successfully")
	o.accepted(n.Creation())
	user := n.OrgUser("User1")
	o.blocks("ch1", user, 0)
	for i := range 5 {
		o.accepted(n.Message("ch1", user, fmt.Sprint("tx ", i)))
	}
	blocks := o.blocks("ch1", user, 1)
	require.Empty(t, blocks[0].Header.PreviousHash)
	require.NotEmpty(t, blocks[1].Metadata.Metadata[cb.BlockMetadataIndex_SIGNATURES])
	o.shutdown()

	again := n.start(0, "")
	require.Contains(t, again.log.String(), "Not bootstrapping the system channel because of existing channels")
	require.Equal(t, blocks, again.blocks("ch1", user, 1)[:2])
}
