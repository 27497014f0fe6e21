package server

import (
	"fmt"
	"os"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
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

func TestAnOrdererWithoutASystemChannel(t *testing.T) {
	n := newNetwork(t)
	o := n.launchChanged(0, "", func(c *localconfig.TopLevel) { c.General.BootstrapMethod = "none" })
	<-o.serving
	require.Contains(t, o.log.String(), "Starting without a system channel")
	require.Contains(t, o.log.String(), "Registrar initializing without a system channel, number of application channels: 0")
	for _, env := range []*cb.Envelope{n.Creation(), n.Message("ch1", n.OrgUser("User1"), "x")} {
		resp := o.broadcast(env)
		require.Equal(t, cb.Status_BAD_REQUEST, resp.Status)
		require.Equal(t, "channel creation request not allowed because the orderer system channel is not defined", resp.Info)
	}
	_, status := o.deliver("ch1", n.OrgUser("User1"), newestOnly)
	require.Equal(t, cb.Status_NOT_FOUND, status)
	o.shutdown()
}

// An orderer whose Kafka is not there answers that it is unavailable, and
// stops when told to.
func TestWithoutKafkaTheOrdererIsUnavailableAndCanBeStopped(t *testing.T) {
	n := newNetwork(t)
	genesis := n.Genesis(func(c *cb.Config) { fixture.SetBrokers(c, fmt.Sprintf("127.0.0.1:%d", freePort(t))) })
	require.NoError(t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(genesis), 0o600))
	o := n.start(0, "")
	resp := o.broadcast(n.Creation())
	require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, resp.Status)
	require.Equal(t, "backing Kafka cluster has not completed booting; try again later", resp.Info)
	_, status := o.deliver("syschannel", n.OrdererAdmin(), newestOnly)
	require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, status)
	begin := time.Now()
	o.shutdown()
	require.Less(t, time.Since(begin), stopPatience, "the stop did not have to be cut short")
}
