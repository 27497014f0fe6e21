package channelcfg_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
	"raftmig/runbook"
)

// without is the Raft metadata of v without its last consenter, and where that
// consenter was.
func without(t *testing.T, v *channelcfg.View) (metadata []byte, address string) {
	t.Helper()
	md, err := raftmetadata.Unmarshal(v.Consensus.Metadata)
	require.NoError(t, err)
	last := md.Consenters[len(md.Consenters)-1]
	md.Consenters = md.Consenters[:len(md.Consenters)-1]
	return protoutil.MustMarshal(md), consenterAddress(last)
}

func consenterAddress(c *etcdraft.Consenter) string { return fmt.Sprintf("%s:%d", c.Host, c.Port) }

// apply makes an update and lets the engine take it.
func apply(t *testing.T, v *channelcfg.View, g channelcfg.Goal) *channelcfg.View {
	t.Helper()
	admin, err := identity.Load(fakenet.NewCrypto(t).Admin())
	require.NoError(t, err)
	require.False(t, g.InForce(v), "%+v", g.Change)
	u, err := g.Build(v)
	require.NoError(t, err)
	require.NoError(t, u.Sign(admin))
	env, err := u.Envelope(admin, time.Now(), nil)
	require.NoError(t, err)
	result, err := engine(v, env)
	require.NoError(t, err, "the engine accepts %s", g.Change)
	next := after(v, result)
	require.True(t, g.InForce(next))
	_, err = g.Build(next)
	require.ErrorIs(t, err, channelcfg.ErrInForce)
	return next
}

// A consenter leaves with its endpoint, comes back, and its endpoint after it:
// on ledgers of real Fabric, by the engine's rules.
func TestAConsenterLeavesAndJoinsWithItsEndpoint(t *testing.T) {
	for _, version := range versions {
		for _, channel := range []string{fakenet.SystemChannel, fakenet.Channel} {
			t.Run(version+" "+channel, func(t *testing.T) {
				v := newest(t, version, fakenet.RaftNormal, channel)
				all := v.Endpoints()
				require.Len(t, all, 3)
				fewer, consenter := without(t, v)
				require.Contains(t, all, consenter)

				left := apply(t, v, channelcfg.Goal{Change: runbook.ChangeRemoveConsenter, Metadata: fewer, Endpoint: consenter})
				require.Len(t, left.Endpoints(), 2)
				require.NotContains(t, left.Endpoints(), consenter)
				requireRestUntouched(t, v, left)

				back := apply(t, left, channelcfg.Goal{Change: runbook.ChangeAddConsenter, Metadata: v.Consensus.Metadata})
				require.Len(t, back.Endpoints(), 2)
				listed := apply(t, back, channelcfg.Goal{
					Change: runbook.ChangeAddEndpoint, Metadata: v.Consensus.Metadata, Endpoint: consenter, Consenter: consenter,
				})
				require.Equal(t, all, listed.Endpoints())
				require.Equal(t, v.Consensus.Metadata, listed.Consensus.Metadata, "byte by byte")
				requireRestUntouched(t, v, listed)
			})
		}
	}
}

// Where organizations have endpoints of their own, the endpoint goes to the one
// whose TLS CA issued the node's certificate.
func TestAnEndpointJoinsThoseOfItsOrganization(t *testing.T) {
	v := newest(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel)
	_, consenter := without(t, v)
	config := proto.Clone(v.Config).(*cb.Config)
	org := config.ChannelGroup.Groups["Orderer"].Groups["OrdererOrg"]
	require.NotNil(t, org, "%v", config.ChannelGroup.Groups["Orderer"].Groups)
	org.Values["Endpoints"] = &cb.ConfigValue{
		Value: protoutil.MustMarshal(&cb.OrdererAddresses{Addresses: []string{"localhost:7050"}}), ModPolicy: "Admins",
	}
	own := *v
	own.Config = config
	require.Equal(t, []string{"localhost:7050"}, own.Endpoints())
	next := apply(t, &own, channelcfg.Goal{
		Change: runbook.ChangeAddEndpoint, Metadata: v.Consensus.Metadata, Endpoint: consenter, Consenter: consenter,
	})
	require.ElementsMatch(t, []string{"localhost:7050", consenter}, next.Endpoints())
	require.True(t, proto.Equal(config.ChannelGroup.Values["OrdererAddresses"], next.Config.ChannelGroup.Values["OrdererAddresses"]))

	_, err := channelcfg.Goal{
		Change: runbook.ChangeAddEndpoint, Metadata: v.Consensus.Metadata, Endpoint: "x:1", Consenter: "x:1",
	}.Build(&own)
	require.ErrorContains(t, err, "no consenter is at x:1")

	gone := apply(t, next, channelcfg.Goal{Change: runbook.ChangeRemoveConsenter, Metadata: fewerOf(t, next), Endpoint: consenter})
	require.Equal(t, []string{"localhost:7050"}, gone.Endpoints())
}

func fewerOf(t *testing.T, v *channelcfg.View) []byte {
	md, _ := without(t, v)
	return md
}

// requireRestUntouched demands that nothing but ConsensusType and the endpoints differs.
func requireRestUntouched(t *testing.T, before, after *channelcfg.View) {
	t.Helper()
	a, b := proto.Clone(before.Config.ChannelGroup).(*cb.ConfigGroup), proto.Clone(after.Config.ChannelGroup).(*cb.ConfigGroup)
	for _, g := range []*cb.ConfigGroup{a, b} {
		delete(g.Values, "OrdererAddresses")
		delete(g.Groups["Orderer"].Values, "ConsensusType")
		g.Version, g.Groups["Orderer"].Version = 0, 0
	}
	require.True(t, proto.Equal(a, b))
	require.Equal(t, before.State(), after.State())
	require.Equal(t, before.Type(), after.Type())
}

func TestGoalsOnRaftAreRefusedWhereTheyDoNotBelong(t *testing.T) {
	kafka := newest(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel)
	_, err := channelcfg.Goal{Change: runbook.ChangeSetOptions, Metadata: []byte{1}}.Build(kafka)
	require.ErrorIs(t, err, channelcfg.ErrNotNow)
	switched := newest(t, "2.5.16", fakenet.TypeSwitched, fakenet.Channel)
	_, err = channelcfg.Goal{Change: runbook.ChangeSetOptions, Metadata: []byte{1}}.Build(switched)
	require.ErrorIs(t, err, channelcfg.ErrNotNow, "it is in maintenance mode")
	normal := newest(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel)
	_, err = channelcfg.Goal{Change: runbook.ChangeSetOptions}.Build(normal)
	require.ErrorContains(t, err, "needs consenter metadata")
}

// A node that has not learnt yet who lives refuses for the sake of the quorum;
// a moment later it does not.
func TestARefusalForTheSakeOfTheQuorumIsAskedAgain(t *testing.T) {
	net := fakenet.New(t, 3)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel))
	v := newest(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel)
	fewer, consenter := without(t, v)
	net.Break(fakenet.NoQuorum, fakenet.NoQuorum, fakenet.NoQuorum)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	before := len(net.Blocks(fakenet.Channel))
	goal := channelcfg.Goal{Change: runbook.ChangeRemoveConsenter, Metadata: fewer, Endpoint: consenter}
	r, err := submitter(t, net).Bring(ctx, fakenet.Channel, goal, ignore)
	require.NoError(t, err)
	require.Equal(t, "SUCCESS", r.Receipt.Status)
	require.Equal(t, runbook.ChangeRemoveConsenter, r.Receipt.Change)
	require.Len(t, net.Blocks(fakenet.Channel), before+1)
}
