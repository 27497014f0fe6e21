package capabilities_test

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/capabilities"
)

func required(names ...string) *cb.Capabilities {
	c := &cb.Capabilities{Capabilities: map[string]*cb.Capability{}}
	for _, n := range names {
		c.Capabilities[n] = &cb.Capability{}
	}
	return c
}

func TestChannelSwitches(t *testing.T) {
	type switches struct{ msp11, msp13, msp143, migration, endpoints bool }
	for _, tc := range []struct {
		names []string
		want  switches
	}{
		{nil, switches{}},
		{[]string{"V1_1"}, switches{msp11: true}},
		{[]string{"V1_3"}, switches{msp11: true, msp13: true}},
		{[]string{"V1_4_2"}, switches{true, true, false, true, true}},
		{[]string{"V1_4_3"}, switches{true, true, true, true, true}},
		{[]string{"V2_0"}, switches{true, true, true, true, true}},
		{[]string{"V1_1", "V1_4_3"}, switches{true, true, true, true, true}},
	} {
		c := capabilities.NewChannel(required(tc.names...))
		require.NoError(t, c.Supported())
		require.Equal(t, tc.want, switches{c.MSP1_1(), c.MSP1_3(), c.MSP1_4_3(), c.ConsensusTypeMigration(), c.OrgSpecificOrdererEndpoints()}, "%v", tc.names)
	}
}

func TestOrdererSwitches(t *testing.T) {
	type switches struct{ template, resubmission, expiration, migration, admins bool }
	for _, tc := range []struct {
		names []string
		want  switches
	}{
		{nil, switches{}},
		{[]string{"V1_1"}, switches{true, true, true, false, false}},
		{[]string{"V1_4_2"}, switches{true, true, true, true, false}},
		{[]string{"V2_0"}, switches{true, true, true, true, true}},
	} {
		o := capabilities.NewOrderer(required(tc.names...))
		require.NoError(t, o.Supported())
		require.Equal(t, tc.want, switches{o.PredictableChannelTemplate(), o.Resubmission(), o.ExpirationCheck(), o.ConsensusTypeMigration(), o.UseChannelCreationPolicyAsAdmins()}, "%v", tc.names)
	}
}

func TestApplicationACLs(t *testing.T) {
	for name, want := range map[string]bool{"V1_1": false, "V1_2": true, "V1_3": true, "V1_4_2": true, "V2_0": true, "V2_5": true, "V1_1_PVTDATA_EXPERIMENTAL": false, "V1_1_RESOURCETREE_EXPERIMENTAL": false} {
		a := capabilities.NewApplication(required(name))
		require.NoError(t, a.Supported())
		require.Equal(t, want, a.ACLs(), name)
	}
}

func TestUnknownCapabilitiesAreNotSupported(t *testing.T) {
	require.EqualError(t, capabilities.NewChannel(required("V1_4_3", "V3_0")).Supported(), "Channel capability V3_0 is required but not supported")
	require.EqualError(t, capabilities.NewOrderer(required("V1_4_3")).Supported(), "Orderer capability V1_4_3 is required but not supported")
	require.EqualError(t, capabilities.NewApplication(required("V1_4_3")).Supported(), "Application capability V1_4_3 is required but not supported")
	require.NoError(t, capabilities.NewChannel(nil).Supported())
}
