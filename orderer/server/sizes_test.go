package server

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/server/fixture"
	"raftmig/orderer/types"
)

// Whatever happens to complete orderers below, what they acknowledged at commit is
// in every ledger, once, and all ledgers are the same.

// A network grows from one consenter to seven and shrinks to one. The first new one
// follows before it is added, the others join with the block that adds them. The
// leader and another one go in turn, and follow from then on.
func TestANetworkGrowsFromOneToSevenAndShrinksToOneUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("seven orderers take seconds")
	}
	const most = 7
	c := newCrowd(t, most, 1, (*network).startWithout)
	var added []*running
	for i := 1; i < most; i++ { // addresses where nobody listens slow replication down
		added = append(added, c.start(i))
	}
	members := []int{0}
	for _, r := range added {
		c.goesOn(members...)
		i, through := r.i, c.nodes[r.i/2]
		if i == 1 { // how often a follower looks for a new block makes this slow
			r.joins(configBlock(through, "ch1"), types.ConsensusRelationFollower, types.StatusOnBoarding, 0)
			r.becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, 1)
		}
		members = append(members, i)
		block := through.setMembers(members...)
		if i > 1 {
			r.joins(block, types.ConsensusRelationConsenter, types.StatusOnBoarding, 0)
		}
		r.becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, block.Header.Number+1)
		c.add(r)
	}
	c.goesOn(members...)
	for len(members) > 1 {
		gone := c.leader(members...)
		if len(members)%2 == 0 {
			gone = without(members, gone)[0]
		}
		members = without(members, gone)
		c.nodes[members[0]].setMembers(members...)
		c.goesOn(members...)
	}
	for _, r := range c.nodes {
		if !slices.Contains(members, r.i) {
			r.becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, 1)
		}
	}
	c.requireNothingLost()
}

// The TLS certificate, for both sides, of each orderer is replaced in turn.
func TestTheCertificatesOfAllOrderersAreRotatedUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes all processors for seconds")
	}
	c := newCrowd(t, 3, 3, (*network).startWithout)
	for i, r := range c.nodes {
		c.goesOn(0, 1, 2)
		certificate := c.renew(i)
		block := c.nodes[(i+1)%3].change(func(md *etcdraft.ConfigMetadata) bool {
			own := md.Consenters[i]
			done := bytes.Equal(own.ServerTlsCert, certificate)
			own.ServerTlsCert, own.ClientTlsCert = certificate, certificate
			return done
		})
		c.goesOn(without([]int{0, 1, 2}, i)...)
		r.shutdown()
		c.nodes[i] = c.start(i)
		c.nodes[i].becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, block.Header.Number+1)
	}
	c.goesOn(0, 1, 2)
	c.requireNothingLost()
}

// Processes are killed: the leader, a follower, a majority with the leader.
func TestNetworksOfAllSizesLoseTheirLeaderAFollowerAndTheirMajority(t *testing.T) {
	if testing.Short() {
		t.Skip("kills up to seven processes under load")
	}
	for _, size := range []int{1, 3, 5, 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			admins := freePorts(t, size)
			c := newCrowd(t, size, size, func(n *network, i int) *running {
				admin := fmt.Sprintf("127.0.0.1:%d", admins[i])
				r := n.startChildWith(i, "Admin: {ListenAddress: "+admin+"}\nChannelParticipation: {Enabled: true}\n", "ORDERER_GENERAL_BOOTSTRAPMETHOD=none")
				r.addresses.Admin = admin
				return r
			})
			var all []int
			for i := range size {
				all = append(all, i)
			}
			c.goesOn(all...)
			c.kill(all, c.leader(all...))
			if size > 1 {
				leader := c.leader(all...)
				c.kill(all, without(all, leader)[0])
				leader = c.leader(all...)
				c.kill(all, append(without(all, leader)[:size/2], leader)...)
			}
			c.requireNothingLost()
		})
	}
}

// kill kills some of all orderers and starts them again. Meanwhile the others go
// on if they are a majority, and acknowledge nothing if they are not.
func (c *crowd) kill(all []int, gone ...int) {
	c.t.Helper()
	for _, i := range gone {
		c.nodes[i].stop()
	}
	for _, i := range gone {
		<-c.nodes[i].ended
	}
	now, left := time.Now(), without(all, gone...)
	if 2*len(left) > len(all) {
		c.goesOn(left...)
	} else {
		c.stalls(now, left...)
	}
	for _, i := range gone {
		c.nodes[i] = c.start(i)
	}
	c.goesOn(all...)
}

// without returns a copy of those that are not gone.
func without(all []int, gone ...int) []int {
	return slices.DeleteFunc(slices.Clone(all), func(i int) bool { return slices.Contains(gone, i) })
}

// leader waits until the orderers given agree on a leader.
func (c *crowd) leader(members ...int) int {
	c.t.Helper()
	var nodes []*running
	for _, i := range members {
		nodes = append(nodes, c.nodes[i])
	}
	return c.leaderOf(nodes)
}

// setMembers makes those orderers the consenters of ch1; who is one keeps its place.
func (r *running) setMembers(indices ...int) *cb.Block {
	r.t.Helper()
	wanted := unmarshalMetadata(r.t, r.consenters(indices...)).Consenters
	return r.change(func(md *etcdraft.ConfigMetadata) bool {
		done := slices.EqualFunc(md.Consenters, wanted, func(a, b *etcdraft.Consenter) bool { return a.Port == b.Port })
		md.Consenters = wanted
		return done
	})
}

// renew replaces the TLS key and certificate in the folder of an orderer, which
// has loaded the former ones, and returns the certificate.
func (n *network) renew(i int) []byte {
	hostname := fmt.Sprintf("renewed%d", i)
	n.makeOrderer(hostname)
	var certificate []byte
	for _, name := range []string{"server.key", "server.crt"} {
		b, err := os.ReadFile(n.Path(fixture.OrdererOrg, "orderers", hostname+".example.com", "tls", name))
		require.NoError(n.t, err)
		require.NoError(n.t, os.WriteFile(n.Path(fixture.OrdererDir(i), "tls", name), b, 0o600))
		certificate = b
	}
	return certificate
}
