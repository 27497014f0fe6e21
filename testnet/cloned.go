package testnet

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msp/mspdir"
	"raftmig/testnet/clone"
	"raftmig/testnet/configtxgen"
	"raftmig/testnet/cryptogen"
)

// CloneInfo says what a network was cloned from.
type CloneInfo struct {
	From []string `json:"from"`
	// NotKept says in sentences what differs from the original.
	NotKept []string `json:"not_kept"`
}

// Clone makes a network of the given shape in dir, as Init does for a spec.
// From names where the shape comes from. Of s only what the shape does not say
// counts: names, the kind of Kafka, the programs that run, ports, Raft options.
func Clone(dir string, s Spec, shape *clone.Shape, from []string) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	settings, err := shape.Settings()
	if err != nil {
		return nil, err
	}
	s.shape = shape
	s.NoSystemChannel = shape.SystemChannel == ""
	s.Consensus, s.SystemChannel, s.Channels = shape.Consensus, shape.SystemChannel, append([]string{}, shape.Channels...)
	s.Orderers, s.Brokers, s.OrdererOrgs, s.AppOrgs = len(shape.Orderers), shape.Brokers, 0, 0
	for _, o := range shape.Orgs {
		if o.Orders {
			s.OrdererOrgs++
		} else {
			s.AppOrgs++
		}
	}
	if s.BatchTimeout, err = time.ParseDuration(settings.BatchTimeout); err != nil {
		return nil, fmt.Errorf("the batch timeout of %s: %w", shape.SystemChannel, err)
	}
	s.MaxMessageCount = settings.MaxMessageCount
	s = s.withDefaults(nameFrom(filepath.Base(dir)))
	s.Capability = "" // those of each channel are in its configuration
	s.clonedFrom = from
	return s.init(dir)
}

// clonedTopology has organizations that own orderers among the orderer
// organizations, whatever else they do.
func clonedTopology(shape *clone.Shape) *topology {
	c := &cryptogen.Config{}
	t := &topology{crypto: c}
	specs := map[int][]cryptogen.NodeSpec{}
	for _, o := range shape.Orderers {
		org := shape.Orgs[o.Org]
		specs[o.Org] = append(specs[o.Org], cryptogen.NodeSpec{Hostname: o.Name, CommonName: o.CommonName, SANS: []string{"localhost", host}})
		t.orderers = append(t.orderers, ordererNode{name: o.Name, cn: o.CommonName, org: organization{name: org.MSPID, mspID: org.MSPID, domain: org.Domain}})
	}
	for i, o := range shape.Orgs {
		org := organization{name: o.MSPID, mspID: o.MSPID, domain: o.Domain}
		spec := cryptogen.OrgSpec{Name: o.MSPID, Domain: o.Domain, EnableNodeOUs: o.NodeOUs}
		if o.Orders {
			spec.Specs = specs[i]
			t.ordererOrgs = append(t.ordererOrgs, org)
			c.OrdererOrgs = append(c.OrdererOrgs, spec)
			continue
		}
		org.users = 1
		spec.Users.Count = 1
		t.appOrgs = append(t.appOrgs, org)
		c.PeerOrgs = append(c.PeerOrgs, spec)
	}
	return t
}

// writeClone writes the genesis block and the creations of a clone. It returns
// the largest AbsoluteMaxBytes of blocks.
func (m *Manifest) writeClone(dir string, t *topology) (uint32, error) {
	shape := m.Spec.shape
	m.Clone = &CloneInfo{From: m.Spec.clonedFrom, NotKept: slices.Clone(shape.NotKept)}
	material, err := m.cloneMaterial(dir, t)
	if err != nil {
		return 0, err
	}
	groups, err := shape.Groups(*material)
	if err != nil {
		return 0, err
	}
	system := groups[shape.SystemChannel]
	if system != nil {
		if err := writeGenesis(dir, genesisFile, shape.SystemChannel, system); err != nil {
			return 0, err
		}
		if _, err := channelconfig.NewBundle(shape.SystemChannel, &cb.Config{ChannelGroup: system}); err != nil {
			return 0, fmt.Errorf("the cloned configuration of channel %s is not valid: %w", shape.SystemChannel, err)
		}
	}
	members := t.members()
	for _, name := range shape.Channels {
		c := m.channel(name)
		if system == nil {
			err = writeGenesis(dir, c.Genesis, name, groups[name])
		} else {
			err = c.writeCreation(dir, groups[name], system)
		}
		if err != nil {
			return 0, err
		}
		if err := m.chooseIdentities(dir, &c, groups[name], members); err != nil {
			return 0, fmt.Errorf("channel %s: %w", name, err)
		}
		m.Channels = append(m.Channels, c)
	}
	settings, err := shape.Settings()
	return settings.AbsoluteMaxBytes, err
}

func writeGenesis(dir, file, channel string, group *cb.ConfigGroup) error {
	block, err := configtxgen.GenesisBlockOf(group, channel, configtxgen.Options{})
	if err != nil {
		return fmt.Errorf("making the genesis block of channel %s: %w", channel, err)
	}
	return writeProto(dir, file, block)
}

// writeCreation writes the channel-create transaction and, where that cannot
// say everything, the configuration that the channel is updated to.
func (c *Channel) writeCreation(dir string, group, system *cb.ConfigGroup) error {
	first, whole := clone.AtCreation(group, system)
	tx, err := configtxgen.CreateChannelTxOf(first, system, c.Name, configtxgen.Options{})
	if err != nil {
		return fmt.Errorf("making the creation of channel %s: %w", c.Name, err)
	}
	if err := writeProto(dir, c.CreateTx, tx); err != nil || whole {
		return err
	}
	c.Config = path.Join("channels", c.Name+".config")
	return writeProto(dir, c.Config, &cb.Config{ChannelGroup: group})
}

// cloneMaterial reads the keys' public halves and gives out addresses.
func (m *Manifest) cloneMaterial(dir string, t *topology) (*clone.Material, error) {
	_, brokers := m.addresses()
	out := &clone.Material{MSPs: map[string]*mspproto.MSPConfig{}, Brokers: brokers}
	load := func(o organization, folder string) (err error) {
		out.MSPs[o.mspID], err = mspdir.Load(filepath.Join(dir, filepath.FromSlash(folder), "msp"), o.mspID)
		return err
	}
	var errs []error
	for _, o := range t.ordererOrgs {
		errs = append(errs, load(o, o.ordererDir()))
	}
	for _, o := range t.appOrgs {
		errs = append(errs, load(o, o.peerDir()))
	}
	for _, o := range m.Orderers {
		cert, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(o.Crypto), "tls", "server.crt"))
		errs = append(errs, err)
		out.Orderers = append(out.Orderers, clone.Endpoint{Host: host, Port: uint32(o.Port), ServerCert: cert, ClientCert: cert})
	}
	return out, errors.Join(errs...)
}
