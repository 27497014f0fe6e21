package channelconfig

import (
	"errors"
	"fmt"
	"math"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/capabilities"
	"raftmig/orderer/msp"
)

// channelConfig is the whole configuration, decoded and checked.
type channelConfig struct {
	addresses    []string
	capabilities *channelCapabilities
	msps         msp.Manager

	orderer     *ordererConfig
	application *applicationConfig
	consortiums *consortiumsConfig
}

func (c *channelConfig) OrdererAddresses() []string { return c.addresses }

func (c *channelConfig) Capabilities() ChannelCapabilities { return c.capabilities }

// channelCapabilities adds the MSP version to the plain switches.
type channelCapabilities struct{ *capabilities.Channel }

func (c *channelCapabilities) MSPVersion() msp.Version {
	switch {
	case c.MSP1_4_3():
		return msp.V1_4_3
	case c.MSP1_3():
		return msp.V1_3
	case c.MSP1_1():
		return msp.V1_1
	}
	return msp.V1_0
}

func newChannelConfig(group *cb.ConfigGroup, newMSP mspConstructor) (*channelConfig, error) {
	var (
		hashing   cb.HashingAlgorithm
		structure cb.BlockDataHashingStructure
		addresses cb.OrdererAddresses
		caps      cb.Capabilities
	)
	err := decodeValues(group, map[string]proto.Message{
		HashingAlgorithmKey:          &hashing,
		BlockDataHashingStructureKey: &structure,
		OrdererAddressesKey:          &addresses,
		ConsortiumKey:                &cb.Consortium{},
		CapabilitiesKey:              &caps,
	})
	if err != nil {
		return nil, err
	}
	c := &channelConfig{addresses: addresses.Addresses, capabilities: &channelCapabilities{capabilities.NewChannel(&caps)}}
	switch {
	case hashing.Name != "SHA256" && hashing.Name != "SHA3_256":
		return nil, fmt.Errorf("Unknown hashing algorithm type: %s", hashing.Name)
	case structure.Width != math.MaxUint32:
		return nil, errors.New("BlockDataHashStructure width only supported at MaxUint32 in this version")
	case len(c.addresses) == 0 && !c.capabilities.OrgSpecificOrdererEndpoints():
		return nil, errors.New("Must set some OrdererAddresses")
	}
	return c, c.groups(group, newMSPSet(c.capabilities.MSPVersion(), newMSP))
}

func (c *channelConfig) groups(group *cb.ConfigGroup, msps *mspSet) error {
	for _, name := range sortedKeys(group.GetGroups()) {
		sub := group.Groups[name]
		var err error
		switch name {
		case ApplicationGroup:
			c.application, err = newApplicationConfig(sub, msps)
		case OrdererGroup:
			c.orderer, err = newOrdererConfig(sub, msps, c.capabilities)
		case ConsortiumsGroup:
			c.consortiums, err = newConsortiumsConfig(sub, msps)
		default:
			return fmt.Errorf("Disallowed channel group: %s", name)
		}
		if err != nil {
			return fmt.Errorf("could not create channel %s sub-group config: %w", name, err)
		}
	}
	var err error
	c.msps, err = msps.manager()
	return err
}
