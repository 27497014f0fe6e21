package channelconfig

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	pb "github.com/hyperledger/fabric-protos-go/peer"

	"raftmig/orderer/msp"
)

// mspConstructor builds an MSP, as msp.New does.
type mspConstructor func(msp.Version, *mspproto.MSPConfig) (msp.MSP, error)

// mspSet collects the MSPs of a configuration; organizations that stand in
// several groups share one.
type mspSet struct {
	version msp.Version
	newMSP  mspConstructor
	configs map[string]*mspproto.MSPConfig
	msps    map[string]msp.MSP
}

func newMSPSet(version msp.Version, newMSP mspConstructor) *mspSet {
	return &mspSet{version: version, newMSP: newMSP, configs: map[string]*mspproto.MSPConfig{}, msps: map[string]msp.MSP{}}
}

func (s *mspSet) add(conf *mspproto.MSPConfig) (msp.MSP, error) {
	m, err := s.newMSP(s.version, conf)
	if err != nil {
		return nil, fmt.Errorf("setting up the MSP manager failed: %w", err)
	}
	if known, ok := s.configs[m.ID()]; ok {
		if !proto.Equal(known, conf) {
			return nil, fmt.Errorf("Attempted to define two different versions of MSP: %s", m.ID())
		}
		return s.msps[m.ID()], nil
	}
	s.configs[m.ID()], s.msps[m.ID()] = conf, m
	return m, nil
}

func (s *mspSet) manager() (msp.Manager, error) {
	var all []msp.MSP
	for _, id := range sortedKeys(s.msps) {
		all = append(all, s.msps[id])
	}
	return msp.NewManager(all)
}

// org is an organization of any group.
type org struct {
	name string
	msp  msp.MSP
}

func (o *org) Name() string  { return o.name }
func (o *org) MSPID() string { return o.msp.ID() }
func (o *org) MSP() msp.MSP  { return o.msp }

// newOrg decodes an organization's MSP and the other values that its kind may have.
func newOrg(name string, group *cb.ConfigGroup, msps *mspSet, others map[string]proto.Message) (*org, error) {
	conf := &mspproto.MSPConfig{}
	values := map[string]proto.Message{MSPKey: conf}
	for key, msg := range others {
		values[key] = msg
	}
	if err := decodeValues(group, values); err != nil {
		return nil, err
	}
	m, err := msps.add(conf)
	if err != nil {
		return nil, err
	}
	if m.ID() == "" {
		return nil, fmt.Errorf("MSP for org %s has empty MSP ID", name)
	}
	return &org{name: name, msp: m}, nil
}

type ordererOrg struct {
	*org
	endpoints []string
}

func (o *ordererOrg) Endpoints() []string { return o.endpoints }

func newOrdererOrg(name string, group *cb.ConfigGroup, msps *mspSet, caps ChannelCapabilities) (*ordererOrg, error) {
	if len(group.GetGroups()) > 0 {
		return nil, errors.New("OrdererOrg config does not allow sub-groups")
	}
	if _, ok := group.GetValues()[EndpointsKey]; ok && !caps.OrgSpecificOrdererEndpoints() {
		return nil, fmt.Errorf("Orderer Org %s cannot contain endpoints value until V1_4_2+ capabilities have been enabled", name)
	}
	endpoints := &cb.OrdererAddresses{}
	o, err := newOrg(name, group, msps, map[string]proto.Message{EndpointsKey: endpoints})
	if err != nil {
		return nil, err
	}
	return &ordererOrg{org: o, endpoints: endpoints.Addresses}, nil
}

type applicationOrg struct {
	*org
	anchorPeers []*pb.AnchorPeer
}

func (o *applicationOrg) AnchorPeers() []*pb.AnchorPeer { return o.anchorPeers }

func newApplicationOrg(name string, group *cb.ConfigGroup, msps *mspSet) (*applicationOrg, error) {
	if len(group.GetGroups()) > 0 {
		return nil, errors.New("ApplicationOrg config does not allow sub-groups")
	}
	anchors := &pb.AnchorPeers{}
	o, err := newOrg(name, group, msps, map[string]proto.Message{AnchorPeersKey: anchors})
	if err != nil {
		return nil, err
	}
	return &applicationOrg{org: o, anchorPeers: anchors.AnchorPeers}, nil
}

func newConsortiumOrg(name string, group *cb.ConfigGroup, msps *mspSet) (Org, error) {
	if len(group.GetGroups()) > 0 {
		return nil, errors.New("organizations do not support sub-groups")
	}
	return newOrg(name, group, msps, nil)
}
