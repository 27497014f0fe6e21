package clone

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/policies/policydsl"
)

// clean removes from a channel's configuration what belongs to other machines
// and other people, except what Groups replaces.
func clean(g *cb.ConfigGroup, n *notes) error {
	if err := cleanGroup("/Channel", g, n); err != nil {
		return err
	}
	orderer := g.Groups[channelconfig.OrdererGroup]
	ct := &ab.ConsensusType{}
	if err := decode(orderer, channelconfig.ConsensusTypeKey, ct); err != nil {
		return err
	}
	if ct.State != ab.ConsensusType_STATE_NORMAL {
		ct.State = ab.ConsensusType_STATE_NORMAL
		if err := set(orderer, channelconfig.ConsensusTypeKey, ct); err != nil {
			return err
		}
	}
	for _, org := range g.Groups[channelconfig.ApplicationGroup].GetGroups() {
		if org.Values[channelconfig.AnchorPeersKey] != nil {
			delete(org.Values, channelconfig.AnchorPeersKey)
			n.add("anchor peers: they are left out, for a clone has no peers")
		}
	}
	return nil
}

// cleanGroup sets all versions to 0, as in a new channel, and replaces
// principals that are of the network's own certificates.
func cleanGroup(path string, g *cb.ConfigGroup, n *notes) error {
	g.Version = 0
	for key, v := range g.Values {
		v.Version = 0
		if key != channelconfig.ChannelCreationPolicyKey {
			continue
		}
		p := &cb.Policy{}
		if err := proto.Unmarshal(v.Value, p); err != nil {
			return fmt.Errorf("decoding %s/%s: %w", path, key, err)
		}
		if err := cleanPolicy(path+"/"+key, p, n); err != nil {
			return err
		}
		if err := set(g, key, p); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g.Policies)) {
		g.Policies[key].Version = 0
		if err := cleanPolicy(path+"/"+key, g.Policies[key].GetPolicy(), n); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.Groups)) {
		if err := cleanGroup(path+"/"+name, g.Groups[name], n); err != nil {
			return err
		}
	}
	return nil
}

// cleanPolicy replaces principals that name a certificate or a CA of the
// network by roles of the same MSP.
func cleanPolicy(path string, p *cb.Policy, n *notes) error {
	if p.GetType() != int32(cb.Policy_SIGNATURE) {
		return nil
	}
	e := &cb.SignaturePolicyEnvelope{}
	if err := proto.Unmarshal(p.Value, e); err != nil {
		return fmt.Errorf("decoding policy %s: %w", path, err)
	}
	changed := false
	for i, principal := range e.Identities {
		role, why, err := roleFor(principal)
		if err != nil {
			return fmt.Errorf("policy %s: %w", path, err)
		}
		if role != nil {
			e.Identities[i], changed = role, true
			n.add("policy %s: %s", path, why)
		}
	}
	if !changed {
		return nil
	}
	var err error
	p.Value, err = proto.Marshal(e)
	return err
}

// roleFor returns what stands in a clone for a principal, nil for itself.
func roleFor(p *mspproto.MSPPrincipal) (*mspproto.MSPPrincipal, string, error) {
	switch p.PrincipalClassification {
	case mspproto.MSPPrincipal_ORGANIZATION_UNIT:
		ou := &mspproto.OrganizationUnit{}
		if err := proto.Unmarshal(p.Principal, ou); err != nil {
			return nil, "", fmt.Errorf("decoding a principal: %w", err)
		}
		return policydsl.RolePrincipal(ou.MspIdentifier, mspproto.MSPRole_MEMBER),
			fmt.Sprintf("it asks for organizational unit %s of %s; in the clone for any member", ou.OrganizationalUnitIdentifier, ou.MspIdentifier), nil
	case mspproto.MSPPrincipal_IDENTITY:
		id := &mspproto.SerializedIdentity{}
		if err := proto.Unmarshal(p.Principal, id); err != nil {
			return nil, "", fmt.Errorf("decoding a principal: %w", err)
		}
		return policydsl.RolePrincipal(id.Mspid, mspproto.MSPRole_ADMIN),
			fmt.Sprintf("it asks for one certificate of %s; in the clone for an admin", id.Mspid), nil
	}
	return nil, "", nil
}

// Material is what a clone has in place of what the network has.
type Material struct {
	MSPs     map[string]*mspproto.MSPConfig // by MSP ID
	Orderers []Endpoint                     // one for each of Shape.Orderers
	Brokers  []string                       // host:port
}

// Endpoint is where an orderer listens and what it proves itself with.
type Endpoint struct {
	Host                   string
	Port                   uint32
	ServerCert, ClientCert []byte // PEM
}

func (e Endpoint) address() string { return endpoint(e.Host, e.Port) }

// Groups returns the configuration of every channel with m put in.
func (s *Shape) Groups(m Material) (map[string]*cb.ConfigGroup, error) {
	if len(m.Orderers) != len(s.Orderers) {
		return nil, fmt.Errorf("%d endpoints for %d orderers", len(m.Orderers), len(s.Orderers))
	}
	out := map[string]*cb.ConfigGroup{}
	for _, channel := range s.all() {
		g := proto.Clone(s.groups[channel]).(*cb.ConfigGroup)
		if err := s.fill(channel, g, m); err != nil {
			return nil, fmt.Errorf("channel %s: %w", channel, err)
		}
		out[channel] = g
	}
	return out, nil
}

func (s *Shape) fill(channel string, g *cb.ConfigGroup, m Material) error {
	orderer := g.Groups[channelconfig.OrdererGroup]
	errs := []error{fillMSPs(orderer.Groups, m), fillMSPs(g.Groups[channelconfig.ApplicationGroup].GetGroups(), m)}
	for _, c := range g.Groups[channelconfig.ConsortiumsGroup].GetGroups() {
		errs = append(errs, fillMSPs(c.Groups, m))
	}
	errs = append(errs, s.fillAddresses(g, channelconfig.OrdererAddressesKey, m, func(int) bool { return true }))
	for _, org := range orderer.Groups {
		id, _, err := mspOf(org)
		own := func(i int) bool { return s.Orgs[s.Orderers[i].Org].MSPID == id }
		errs = append(errs, err, s.fillAddresses(org, channelconfig.EndpointsKey, m, own))
	}
	if orderer.Values[channelconfig.KafkaBrokersKey] != nil {
		errs = append(errs, set(orderer, channelconfig.KafkaBrokersKey, &ab.KafkaBrokers{Brokers: m.Brokers}))
	}
	if s.Consensus == channelconfig.ConsensusEtcdRaft {
		errs = append(errs, s.fillConsenters(channel, orderer, m))
	}
	return errors.Join(errs...)
}

func fillMSPs(orgs map[string]*cb.ConfigGroup, m Material) error {
	for name, org := range orgs {
		id, _, err := mspOf(org)
		if err != nil {
			return fmt.Errorf("organization %s: %w", name, err)
		}
		conf := m.MSPs[id]
		if conf == nil {
			return fmt.Errorf("organization %s: no MSP was made for %s", name, id)
		}
		if err := set(org, channelconfig.MSPKey, conf); err != nil {
			return err
		}
	}
	return nil
}

// fillAddresses replaces a list of addresses by those of the same orderers, in
// its order; by those that qualify if it names none that is known.
func (s *Shape) fillAddresses(g *cb.ConfigGroup, key string, m Material, qualifies func(orderer int) bool) error {
	if g.Values[key] == nil {
		return nil
	}
	list := &cb.OrdererAddresses{}
	if err := decode(g, key, list); err != nil {
		return err
	}
	var replaced []string
	take := func(i int) {
		if a := m.Orderers[i].address(); !slices.Contains(replaced, a) {
			replaced = append(replaced, a)
		}
	}
	for _, a := range list.Addresses {
		if i := s.at(a); i >= 0 {
			take(i)
		}
	}
	for i := range s.Orderers {
		if len(list.Addresses) > 0 && len(replaced) == 0 && qualifies(i) {
			take(i)
		}
	}
	return set(g, key, &cb.OrdererAddresses{Addresses: replaced})
}

func (s *Shape) fillConsenters(channel string, orderer *cb.ConfigGroup, m Material) error {
	ct := &ab.ConsensusType{}
	if err := decode(orderer, channelconfig.ConsensusTypeKey, ct); err != nil {
		return err
	}
	md, err := s.raft(channel)
	if err != nil {
		return err
	}
	for i, c := range md.Consenters {
		at := s.at(endpoint(c.Host, c.Port))
		if at < 0 {
			return fmt.Errorf("consenter %s:%d is none of the known orderers", c.Host, c.Port)
		}
		e := m.Orderers[at]
		md.Consenters[i] = &etcdraft.Consenter{Host: e.Host, Port: e.Port, ServerTlsCert: e.ServerCert, ClientTlsCert: e.ClientCert}
	}
	if ct.Metadata, err = proto.Marshal(md); err != nil {
		return err
	}
	return set(orderer, channelconfig.ConsensusTypeKey, ct)
}
