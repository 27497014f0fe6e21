package configtxgen

import (
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	pb "github.com/hyperledger/fabric-protos-go/peer"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msp/mspdir"
	"raftmig/orderer/protoutil"
)

// Options are the surroundings of a run; zero values take the real ones.
type Options struct {
	Now  func() time.Time
	Rand io.Reader
	// Warn is told every default that was taken for something left out.
	Warn func(text string)
}

type encoder struct {
	Options
	// quiet are the groups whose defaults have no effect on the output.
	quiet func(where string) bool
	said  map[string]bool
}

func newEncoder(o Options) *encoder {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return &encoder{Options: o, said: map[string]bool{}}
}

// warnf reports once.
func (e *encoder) warnf(where, format string, args ...any) {
	if e.Warn == nil || (e.quiet != nil && e.quiet(where)) {
		return
	}
	text := where + ": " + fmt.Sprintf(format, args...)
	if !e.said[text] {
		e.said[text] = true
		e.Warn(text)
	}
}

func newGroup() *cb.ConfigGroup {
	return &cb.ConfigGroup{
		Groups:    map[string]*cb.ConfigGroup{},
		Values:    map[string]*cb.ConfigValue{},
		Policies:  map[string]*cb.ConfigPolicy{},
		ModPolicy: admins,
	}
}

func addValue(g *cb.ConfigGroup, key string, m proto.Message, modPolicy string) error {
	b, err := protoutil.Marshal(m)
	if err != nil {
		return fmt.Errorf("marshalling %s: %w", key, err)
	}
	g.Values[key] = &cb.ConfigValue{Value: b, ModPolicy: modPolicy}
	return nil
}

// value is an entry of a group's values.
type value struct {
	key       string
	message   proto.Message
	modPolicy string
	present   bool
}

func addValues(g *cb.ConfigGroup, values ...value) error {
	for _, v := range values {
		if !v.present {
			continue
		}
		if v.modPolicy == "" {
			v.modPolicy = admins
		}
		if err := addValue(g, v.key, v.message, v.modPolicy); err != nil {
			return err
		}
	}
	return nil
}

func capabilitiesValue(c map[string]bool) *cb.Capabilities {
	m := &cb.Capabilities{Capabilities: map[string]*cb.Capability{}}
	for name, required := range c {
		if required {
			m.Capabilities[name] = &cb.Capability{}
		}
	}
	return m
}

// channel encodes a profile as the group /Channel.
func (e *encoder) channel(p *Profile) (*cb.ConfigGroup, error) {
	g := newGroup()
	if err := e.addPolicies("/Channel", g, p.Policies, groupPolicies(false)); err != nil {
		return nil, err
	}
	capabilities := e.capabilities("/Channel", p.Capabilities, defaultChannelCapabilities)
	var addresses []string
	if p.Orderer != nil {
		addresses = p.Orderer.Addresses
	}
	err := addValues(g,
		value{key: channelconfig.HashingAlgorithmKey, message: &cb.HashingAlgorithm{Name: "SHA256"}, present: true},
		value{key: channelconfig.BlockDataHashingStructureKey, message: &cb.BlockDataHashingStructure{Width: math.MaxUint32}, present: true},
		value{key: channelconfig.OrdererAddressesKey, message: &cb.OrdererAddresses{Addresses: addresses}, modPolicy: ordererAdmins, present: len(addresses) > 0},
		value{key: channelconfig.ConsortiumKey, message: &cb.Consortium{Name: p.Consortium}, present: p.Consortium != ""},
		value{key: channelconfig.CapabilitiesKey, message: capabilitiesValue(capabilities), present: len(capabilities) > 0},
	)
	if err != nil {
		return nil, err
	}
	if p.Orderer != nil {
		if g.Groups[channelconfig.OrdererGroup], err = e.orderer(p.Orderer); err != nil {
			return nil, err
		}
	}
	if p.Application != nil {
		if g.Groups[channelconfig.ApplicationGroup], err = e.application(p.Application); err != nil {
			return nil, err
		}
	}
	if p.Consortiums != nil {
		if g.Groups[channelconfig.ConsortiumsGroup], err = e.consortiums(p.Consortiums); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (e *encoder) orderer(o *Orderer) (*cb.ConfigGroup, error) {
	const where = "/Channel/Orderer"
	g := newGroup()
	if err := e.addPolicies(where, g, o.Policies, groupPolicies(true)); err != nil {
		return nil, err
	}
	capabilities := e.capabilities(where, o.Capabilities, defaultOrdererCapabilities)
	var metadata []byte
	if o.OrdererType == typeEtcdRaft {
		m, err := raftMetadata(o.EtcdRaft)
		if err != nil {
			return nil, err
		}
		if metadata, err = protoutil.Marshal(m); err != nil {
			return nil, fmt.Errorf("marshalling the etcdraft metadata: %w", err)
		}
	}
	err := addValues(g,
		value{key: channelconfig.BatchSizeKey, message: &ab.BatchSize{
			MaxMessageCount:   o.BatchSize.MaxMessageCount,
			AbsoluteMaxBytes:  uint32(o.BatchSize.AbsoluteMaxBytes),
			PreferredMaxBytes: uint32(o.BatchSize.PreferredMaxBytes),
		}, present: true},
		value{key: channelconfig.BatchTimeoutKey, message: &ab.BatchTimeout{Timeout: o.BatchTimeout.String()}, present: true},
		value{key: channelconfig.ChannelRestrictionsKey, message: &ab.ChannelRestrictions{MaxCount: o.MaxChannels}, present: true},
		value{key: channelconfig.CapabilitiesKey, message: capabilitiesValue(capabilities), present: len(capabilities) > 0},
		value{key: channelconfig.KafkaBrokersKey, message: &ab.KafkaBrokers{Brokers: o.Kafka.Brokers}, present: o.OrdererType == typeKafka},
		value{key: channelconfig.ConsensusTypeKey, message: &ab.ConsensusType{Type: o.OrdererType, Metadata: metadata}, present: true},
	)
	if err != nil {
		return nil, err
	}
	for _, org := range o.Organizations {
		if g.Groups[org.Name], err = e.ordererOrg(org); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (e *encoder) ordererOrg(org *Organization) (*cb.ConfigGroup, error) {
	g, err := e.org("/Channel/Orderer/"+org.Name, org)
	if err != nil || org.SkipAsForeign {
		return g, err
	}
	return g, addValues(g, value{key: channelconfig.EndpointsKey, message: &cb.OrdererAddresses{Addresses: org.OrdererEndpoints}, present: len(org.OrdererEndpoints) > 0})
}

func (e *encoder) application(a *Application) (*cb.ConfigGroup, error) {
	const where = "/Channel/Application"
	g := newGroup()
	if err := e.addPolicies(where, g, a.Policies, groupPolicies(false)); err != nil {
		return nil, err
	}
	capabilities := e.capabilities(where, a.Capabilities, defaultApplicationCapabilities)
	acls := &pb.ACLs{Acls: map[string]*pb.APIResource{}}
	for name, ref := range a.ACLs {
		acls.Acls[name] = &pb.APIResource{PolicyRef: ref}
	}
	err := addValues(g,
		value{key: channelconfig.ACLsKey, message: acls, present: len(a.ACLs) > 0},
		value{key: channelconfig.CapabilitiesKey, message: capabilitiesValue(capabilities), present: len(capabilities) > 0},
	)
	if err != nil {
		return nil, err
	}
	for _, org := range a.Organizations {
		if g.Groups[org.Name], err = e.applicationOrg(org); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (e *encoder) applicationOrg(org *Organization) (*cb.ConfigGroup, error) {
	g, err := e.org("/Channel/Application/"+org.Name, org)
	if err != nil || org.SkipAsForeign {
		return g, err
	}
	anchors := &pb.AnchorPeers{}
	for _, a := range org.AnchorPeers {
		anchors.AnchorPeers = append(anchors.AnchorPeers, &pb.AnchorPeer{Host: a.Host, Port: a.Port})
	}
	return g, addValues(g, value{key: channelconfig.AnchorPeersKey, message: anchors, present: len(anchors.AnchorPeers) > 0})
}

func (e *encoder) consortiums(all map[string]*Consortium) (*cb.ConfigGroup, error) {
	g := newGroup()
	g.ModPolicy = ordererAdmins
	g.Policies[admins] = acceptAllPolicy()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		s := newGroup()
		s.ModPolicy = ordererAdmins
		for _, org := range c.Organizations {
			o, err := e.org("/Channel/Consortiums/"+name+"/"+org.Name, org)
			if err != nil {
				return nil, err
			}
			s.Groups[org.Name] = o
		}
		policy, err := encodePolicy(&Policy{Type: "ImplicitMeta", Rule: "ANY " + admins})
		if err != nil {
			return nil, err
		}
		if err := addValue(s, channelconfig.ChannelCreationPolicyKey, policy, ordererAdmins); err != nil {
			return nil, err
		}
		g.Groups[name] = s
	}
	return g, nil
}

// org encodes what every organization has: its MSP and its policies.
func (e *encoder) org(where string, org *Organization) (*cb.ConfigGroup, error) {
	g := newGroup()
	if org.SkipAsForeign {
		return g, nil
	}
	conf, err := mspdir.LoadReporting(org.MSPDir, org.ID, func(text string) { e.warnf("organization "+org.Name, "%s", text) })
	if err != nil {
		return nil, fmt.Errorf("loading the MSP of organization %s: %w", org.Name, err)
	}
	if err := e.addPolicies(where, g, org.Policies, orgPolicies(org)); err != nil {
		return nil, err
	}
	return g, addValue(g, channelconfig.MSPKey, conf, admins)
}

func raftMetadata(r *EtcdRaft) (*etcdraft.ConfigMetadata, error) {
	m := &etcdraft.ConfigMetadata{Options: &etcdraft.Options{
		TickInterval:         r.Options.TickInterval,
		ElectionTick:         r.Options.ElectionTick,
		HeartbeatTick:        r.Options.HeartbeatTick,
		MaxInflightBlocks:    r.Options.MaxInflightBlocks,
		SnapshotIntervalSize: uint32(r.Options.SnapshotIntervalSize),
	}}
	for _, c := range r.Consenters {
		client, err := os.ReadFile(c.ClientTLSCert)
		if err != nil {
			return nil, fmt.Errorf("cannot load client cert for consenter %s:%d: %w", c.Host, c.Port, err)
		}
		server, err := os.ReadFile(c.ServerTLSCert)
		if err != nil {
			return nil, fmt.Errorf("cannot load server cert for consenter %s:%d: %w", c.Host, c.Port, err)
		}
		m.Consenters = append(m.Consenters, &etcdraft.Consenter{Host: c.Host, Port: c.Port, ClientTlsCert: client, ServerTlsCert: server})
	}
	return m, nil
}

// onlyApplication silences defaults outside the Application group.
func onlyApplication(where string) bool {
	return where != "/Channel/Application" && !strings.HasPrefix(where, "organization ")
}
