package channelconfig

import (
	"errors"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	pb "github.com/hyperledger/fabric-protos-go/peer"

	"raftmig/orderer/capabilities"
)

type applicationConfig struct {
	orgs map[string]ApplicationOrg
}

func newApplicationConfig(group *cb.ConfigGroup, msps *mspSet) (*applicationConfig, error) {
	a := &applicationConfig{orgs: map[string]ApplicationOrg{}}
	caps := &cb.Capabilities{}
	err := decodeValues(group, map[string]proto.Message{ACLsKey: &pb.ACLs{}, CapabilitiesKey: caps})
	if err != nil {
		return nil, err
	}
	if _, ok := group.GetValues()[ACLsKey]; ok && !capabilities.NewApplication(caps).ACLs() {
		return nil, errors.New("ACLs may not be specified without the required capability")
	}
	for _, name := range sortedKeys(group.GetGroups()) {
		one, err := newApplicationOrg(name, group.Groups[name], msps)
		if err != nil {
			return nil, err
		}
		a.orgs[name] = one
	}
	return a, nil
}

func (a *applicationConfig) Organizations() map[string]ApplicationOrg { return a.orgs }

type consortiumsConfig struct {
	consortiums map[string]Consortium
}

func newConsortiumsConfig(group *cb.ConfigGroup, msps *mspSet) (*consortiumsConfig, error) {
	c := &consortiumsConfig{consortiums: map[string]Consortium{}}
	for _, name := range sortedKeys(group.GetGroups()) {
		one, err := newConsortium(group.Groups[name], msps)
		if err != nil {
			return nil, err
		}
		c.consortiums[name] = one
	}
	return c, nil
}

func (c *consortiumsConfig) Consortiums() map[string]Consortium { return c.consortiums }

type consortium struct {
	creation *cb.Policy
	orgs     map[string]Org
}

func newConsortium(group *cb.ConfigGroup, msps *mspSet) (*consortium, error) {
	c := &consortium{creation: &cb.Policy{}, orgs: map[string]Org{}}
	if err := decodeValues(group, map[string]proto.Message{ChannelCreationPolicyKey: c.creation}); err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(group.GetGroups()) {
		one, err := newConsortiumOrg(name, group.Groups[name], msps)
		if err != nil {
			return nil, err
		}
		c.orgs[name] = one
	}
	return c, nil
}

func (c *consortium) ChannelCreationPolicy() *cb.Policy { return c.creation }

func (c *consortium) Organizations() map[string]Org { return c.orgs }
