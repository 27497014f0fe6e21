package clone

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/raftmetadata"
)

// MaxOrderers is how many orderers a testnet can have.
const MaxOrderers = 9

// Orderer is a node that needs keys and a port.
type Orderer struct {
	// Name names its folder: the inventory's name for it, or the first label of
	// its host name.
	Name string
	// CommonName is its host name in the real network, where it has one of its own.
	CommonName string
	// Org is the index of its organization in Shape.Orgs.
	Org int

	endpoints []string // of the real network
	cert      []byte   // of the real network, PEM
	known     string   // name in the inventory
}

// findOrderers lists the orderers in consenter order: the known ones, or the
// consenters of the system channel and then of the others, or the addresses
// that the channels give to clients.
func (s *Shape) findOrderers(known []Known, n *notes) error {
	owners := map[string]int{} // endpoint → organization
	if err := s.collect(known, owners, n); err != nil {
		return err
	}
	switch {
	case len(s.Orderers) == 0:
		return fmt.Errorf("no channel names an orderer's address, so their number is not known; clone with an inventory")
	case len(s.Orderers) > MaxOrderers:
		return fmt.Errorf("the network has %d orderers; a testnet has at most %d", len(s.Orderers), MaxOrderers)
	}
	if s.Consensus == channelconfig.ConsensusKafka {
		if err := s.countBrokers(n); err != nil {
			return err
		}
	}
	s.assignOwners(owners, n)
	s.nameOrderers(n)
	return nil
}

// collect fills Orderers with endpoints and certificates, and owners with what
// the organizations' own endpoints say.
func (s *Shape) collect(known []Known, owners map[string]int, n *notes) error {
	for _, k := range known {
		s.Orderers = append(s.Orderers, Orderer{endpoints: k.Endpoints, cert: k.ServerCert, known: k.Name})
	}
	complete := len(known) > 0
	for _, channel := range s.all() {
		list, err := s.consenters(channel)
		if err != nil {
			return err
		}
		for _, c := range list {
			at := endpoint(c.Host, c.Port)
			switch i := s.find(at, complete); {
			case i >= 0:
				s.Orderers[i].cert = c.ServerTlsCert
			case !complete:
				s.Orderers = append(s.Orderers, Orderer{endpoints: []string{at}, cert: c.ServerTlsCert})
			}
		}
	}
	complete = complete || len(s.Orderers) > 0
	for _, channel := range s.all() {
		addresses := &cb.OrdererAddresses{}
		if err := decode(s.groups[channel], channelconfig.OrdererAddressesKey, addresses); err != nil {
			return fmt.Errorf("channel %s: %w", channel, err)
		}
		s.meet(addresses.Addresses, complete, n)
		orgs := s.groups[channel].Groups[channelconfig.OrdererGroup].Groups
		for _, name := range slices.Sorted(maps.Keys(orgs)) {
			own := &cb.OrdererAddresses{}
			if err := decode(orgs[name], channelconfig.EndpointsKey, own); err != nil {
				return fmt.Errorf("channel %s: organization %s: %w", channel, name, err)
			}
			s.meet(own.Addresses, complete, n)
			id, _, _ := mspOf(orgs[name]) // read before, by findOrgs
			for _, a := range own.Addresses {
				owners[a] = slices.IndexFunc(s.Orgs, func(o Org) bool { return o.MSPID == id })
			}
		}
	}
	return nil
}

// meet adds the orderers that addresses name, unless the list is complete.
func (s *Shape) meet(addresses []string, complete bool, n *notes) {
	for _, a := range addresses {
		switch known := s.find(a, complete) >= 0; {
		case !known && complete:
			n.add("address %s: it is that of no known orderer; it is left out", a)
		case !known:
			s.Orderers = append(s.Orderers, Orderer{endpoints: []string{a}})
		}
	}
}

func (s *Shape) consenters(channel string) ([]*etcdraft.Consenter, error) {
	if s.Consensus != channelconfig.ConsensusEtcdRaft {
		return nil, nil
	}
	md, err := s.raft(channel)
	return md.GetConsenters(), err
}

func (s *Shape) raft(channel string) (*etcdraft.ConfigMetadata, error) {
	ct := &ab.ConsensusType{}
	if err := s.ordererValue(channel, channelconfig.ConsensusTypeKey, ct); err != nil {
		return nil, fmt.Errorf("channel %s: %w", channel, err)
	}
	md, err := raftmetadata.Unmarshal(ct.Metadata)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", channel, err)
	}
	return md, nil
}

// at finds the orderer that an address belongs to, -1 if there is none.
func (s *Shape) at(address string) int { return s.find(address, true) }

// find finds an orderer by host and port, or, once all are known, by the host
// if only one has it: there may be a cluster port beside that for clients.
func (s *Shape) find(address string, complete bool) int {
	for i, o := range s.Orderers {
		if slices.Contains(o.endpoints, address) {
			return i
		}
	}
	found := -1
	host := hostOf(address)
	if !complete || !isHostName(host) {
		return -1
	}
	for i, o := range s.Orderers {
		if slices.ContainsFunc(o.endpoints, func(e string) bool { return hostOf(e) == host }) {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

func hostOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		address = address[:i]
	}
	return strings.ToLower(strings.Trim(address, "[]"))
}

// endpoint joins host and port as configurations do.
func endpoint(host string, port uint32) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", host, port)
}

// isHostName tells whether a host may be that of one machine only.
func isHostName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && host != "localhost" && len(host) <= 64 &&
		(domainPattern.MatchString(host) || domainPattern.MatchString(host+".x"))
}

func (s *Shape) countBrokers(n *notes) error {
	for i, channel := range s.all() {
		brokers := &ab.KafkaBrokers{}
		if err := s.ordererValue(channel, channelconfig.KafkaBrokersKey, brokers); err != nil {
			return fmt.Errorf("channel %s: %w", channel, err)
		}
		count := len(brokers.Brokers)
		switch {
		case i == 0:
			s.Brokers = min(max(count, 1), MaxBrokers)
			if s.Brokers != count {
				n.add("Kafka: the configuration names %d brokers; the clone has %d", count, s.Brokers)
			}
		case min(max(count, 1), MaxBrokers) != s.Brokers:
			n.add("channel %s: it names %d brokers; in the clone every channel names all %d", channel, count, s.Brokers)
		}
	}
	return nil
}

// assignOwners finds the organization of each orderer.
func (s *Shape) assignOwners(owners map[string]int, n *notes) {
	var candidates []int
	for i, o := range s.Orgs {
		if o.Orders {
			candidates = append(candidates, i)
		}
	}
	for i := range s.Orderers {
		o := &s.Orderers[i]
		o.Org = s.ownerOf(o, owners, candidates)
		if o.Org < 0 {
			o.Org = candidates[i%len(candidates)]
			n.add("orderer %s: nothing says which organization it is of; in the clone it is of %s", o.endpoints[0], s.Orgs[o.Org].MSPID)
		}
	}
}

func (s *Shape) ownerOf(o *Orderer, owners map[string]int, candidates []int) int {
	for _, e := range o.endpoints {
		if org, ok := owners[e]; ok && org >= 0 {
			return org
		}
	}
	if len(candidates) == 1 {
		return candidates[0]
	}
	if cert := parse(o.cert); cert != nil {
		for _, org := range candidates {
			_, err := cert.Verify(x509.VerifyOptions{
				Roots: s.Orgs[org].tlsRoots, Intermediates: s.Orgs[org].tlsRoots,
				KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: cert.NotBefore,
			})
			if err == nil {
				return org
			}
		}
	}
	for _, e := range o.endpoints {
		for _, org := range candidates {
			if strings.HasSuffix(hostOf(e), "."+s.Orgs[org].Domain) {
				return org
			}
		}
	}
	return -1
}

// reserved are names of other processes of a testnet.
var reserved = []string{"broker", "kafka", "zookeeper"}

// nameOrderers keeps host names where each orderer has its own.
func (s *Shape) nameOrderers(n *notes) {
	hosts, labels := map[string]int{}, map[string]int{}
	for _, o := range s.Orderers {
		host := hostOf(o.endpoints[0])
		label, _, _ := strings.Cut(host, ".")
		hosts[host]++
		labels[label]++
	}
	taken := map[string]bool{}
	for i := range s.Orderers {
		o := &s.Orderers[i]
		host := hostOf(o.endpoints[0])
		label, _, _ := strings.Cut(host, ".")
		own := isHostName(host) && hosts[host] == 1
		switch {
		case o.known != "":
			o.Name = o.known
		case own && labels[label] == 1 && !slices.ContainsFunc(reserved, func(r string) bool { return strings.HasPrefix(label, r) }):
			o.Name = label
		case own:
			o.Name = host
		}
		for free := i; o.Name == "" || taken[o.Name]; free++ {
			o.Name = fmt.Sprintf("orderer%d", free)
		}
		taken[o.Name] = true
		o.CommonName = host
		if !own {
			o.CommonName = fmt.Sprintf("orderer%d.%s", i, s.Orgs[o.Org].Domain)
			n.add("orderer %s: %s is no host name of its own; the certificate of %s says %s", o.endpoints[0], host, o.Name, o.CommonName)
		}
	}
}
