package server

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/localconfig"
	"raftmig/orderer/server/fixture"
)

// The ledgers that real orderers left when they were stopped between the type
// change and the start as Raft: our orderers start on them, elect, leave
// maintenance mode and go on.
func TestLedgersOfRealOrderersStartAsRaft(t *testing.T) {
	ports := []int{7050, 7150, 7250} // they stand in the ledgers
	for _, version := range []string{"2.2.15", "2.5.16"} {
		t.Run(version, func(t *testing.T) {
			for _, p := range ports {
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
				if err != nil {
					t.Skipf("a port of the fixture is in use: %s", err)
				}
				require.NoError(t, l.Close())
			}
			n := newNetwork(t)
			n.ports = ports
			f, err := os.Open("testdata/fabric-" + version + ".type-switched.tar.gz")
			require.NoError(t, err)
			defer f.Close()
			fixture.Untar(t, f, n.Dir)
			var nodes []*running
			for i := range ports {
				nodes = append(nodes, n.launchChanged(i, "", func(c *localconfig.TopLevel) {
					c.FileLedger.Location = n.Path("ledgers", fmt.Sprintf("o%d", i))
					c.General.BootstrapFile = n.Path("none") // existing ledgers win
				}))
			}
			for _, r := range nodes {
				r.awaitLog("Raft leader changed: 0 -> ")
				require.Contains(t, r.log.String(), "Not bootstrapping the system channel because of existing channels")
				require.Contains(t, r.log.String(), "Starting with system channel: syschannel, consensus type: etcdraft")
			}
			o, admin := nodes[0], n.OrdererAdmin()
			_, before := o.lastConfig("ch1", admin)
			leaveMaintenance(o, "syschannel", "ch1")
			nodes[1].accepted(n.Message("ch1", n.OrgUser("User1"), "after"))
			last := before.Header.Number + 2
			want := o.blocks("ch1", admin, last)
			for _, other := range nodes[1:] {
				requireSameBlocks(t, want, other.blocks("ch1", admin, last))
			}
		})
	}
}
