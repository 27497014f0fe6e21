package testnet

import (
	"fmt"
	"path"
	"slices"

	"raftmig/testnet/cryptogen"
)

// host is where all nodes of a network listen. It is among the alternative
// names of every node certificate.
const host = "127.0.0.1"

// organization is one that owns orderers or may create channels.
type organization struct {
	name, mspID, domain string
	users               int
}

// ordererNode is an orderer before it has ports.
type ordererNode struct {
	name string // orderer0
	cn   string // orderer0.example.com
	org  organization
}

// topology is the shape of a network as its crypto configuration gives it.
type topology struct {
	crypto      *cryptogen.Config
	ordererOrgs []organization
	appOrgs     []organization
	orderers    []ordererNode
	notes       []string
}

// generatedTopology makes a crypto configuration for s.
func generatedTopology(s *Spec) *topology {
	c := &cryptogen.Config{}
	t := &topology{crypto: c}
	for i := range s.OrdererOrgs {
		o := organization{name: "OrdererOrg", mspID: "OrdererMSP", domain: "example.com"}
		if s.OrdererOrgs > 1 {
			o = organization{name: fmt.Sprintf("OrdererOrg%d", i+1), mspID: fmt.Sprintf("Orderer%dMSP", i+1), domain: fmt.Sprintf("orderer%d.example.com", i+1)}
		}
		t.ordererOrgs = append(t.ordererOrgs, o)
		c.OrdererOrgs = append(c.OrdererOrgs, cryptogen.OrgSpec{Name: o.name, Domain: o.domain, EnableNodeOUs: s.nodeOUs()})
	}
	for i := range s.Orderers {
		org := i % s.OrdererOrgs
		name := fmt.Sprintf("orderer%d", i)
		c.OrdererOrgs[org].Specs = append(c.OrdererOrgs[org].Specs, cryptogen.NodeSpec{Hostname: name, SANS: []string{"localhost", host}})
		t.orderers = append(t.orderers, ordererNode{name: name, cn: name + "." + t.ordererOrgs[org].domain, org: t.ordererOrgs[org]})
	}
	for i := range s.AppOrgs {
		o := organization{name: fmt.Sprintf("Org%dMSP", i+1), mspID: fmt.Sprintf("Org%dMSP", i+1), domain: fmt.Sprintf("org%d.example.com", i+1), users: 1}
		t.appOrgs = append(t.appOrgs, o)
		c.PeerOrgs = append(c.PeerOrgs, cryptogen.OrgSpec{
			Name: o.name, Domain: o.domain, EnableNodeOUs: s.nodeOUs(),
			Template: cryptogen.NodeTemplate{Count: 1, SANS: []string{"localhost", host}},
			Users:    cryptogen.UsersSpec{Count: 1},
		})
	}
	return t
}

// userTopology reads the shape from the user's crypto configuration and makes
// it fit to run on one machine. MSP IDs are not in it; configtx gives them.
func userTopology(c *cryptogen.Config) (*topology, error) {
	t := &topology{crypto: c}
	added := false
	for i := range c.OrdererOrgs {
		o := &c.OrdererOrgs[i]
		for j := range o.Specs {
			for _, san := range []string{"localhost", host} {
				if !slices.Contains(o.Specs[j].SANS, san) {
					o.Specs[j].SANS = append(o.Specs[j].SANS, san)
					added = true
				}
			}
		}
		if o.Template.Count > 0 {
			o.Template.SANS = append(o.Template.SANS, "localhost", host)
			added = true
		}
		t.ordererOrgs = append(t.ordererOrgs, organization{name: o.Name, mspID: o.Name + "MSP", domain: o.Domain})
	}
	if added {
		t.notes = append(t.notes, "the TLS certificates of the orderers also carry localhost and 127.0.0.1, because all nodes run on this machine")
	}
	for i := range c.PeerOrgs {
		o := &c.PeerOrgs[i]
		t.appOrgs = append(t.appOrgs, organization{name: o.Name + "MSP", mspID: o.Name + "MSP", domain: o.Domain, users: o.Users.Count})
	}
	nodes, err := cryptogen.OrdererNodes(c)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, n := range nodes {
		i := slices.IndexFunc(t.ordererOrgs, func(o organization) bool { return o.domain == n.Domain })
		name := n.Hostname
		if name == "" || names[name] {
			name = n.CommonName
		}
		names[name] = true
		t.orderers = append(t.orderers, ordererNode{name: name, cn: n.CommonName, org: t.ordererOrgs[i]})
	}
	switch {
	case len(t.orderers) == 0:
		return nil, fmt.Errorf("the crypto configuration describes no orderer")
	case len(t.orderers) > maxOrderers:
		return nil, fmt.Errorf("the crypto configuration describes %d orderers, at most %d are possible", len(t.orderers), maxOrderers)
	case len(t.appOrgs) == 0:
		return nil, fmt.Errorf("the crypto configuration describes no organization that could use a channel")
	}
	return t, nil
}

// Paths inside the folder of a network, with slashes, relative to it.
const (
	manifestFile  = "manifest.json"
	inventoryFile = "raftmig.yaml"
	cryptoDir     = "crypto-config"
	genesisFile   = "genesis.block"
	configtxFile  = "configtx.yaml"
	cryptoFile    = "crypto-config.yaml"
	brokerDir     = "broker"
	brokerName    = "broker"
)

func (o organization) ordererDir() string {
	return path.Join(cryptoDir, "ordererOrganizations", o.domain)
}
func (o organization) peerDir() string { return path.Join(cryptoDir, "peerOrganizations", o.domain) }

// adminOf and user are members of the organization in its folder.
func (o organization) adminOf(dir string) Identity {
	return Identity{o.mspID, path.Join(dir, "users", "Admin@"+o.domain, "msp")}
}
func (o organization) user(dir string) Identity {
	return Identity{o.mspID, path.Join(dir, "users", "User1@"+o.domain, "msp")}
}

func (n ordererNode) cryptoDir() string { return path.Join(n.org.ordererDir(), "orderers", n.cn) }
func nodeDir(name string) string        { return path.Join("orderers", name) }
