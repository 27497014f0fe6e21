package testnet

import (
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/golang/protobuf/proto"
	"go.yaml.in/yaml/v3"

	"raftmig/fabricops/inventory"
	"raftmig/testnet/apache"
	"raftmig/testnet/configtxgen"
	"raftmig/testnet/cryptogen"
	"raftmig/testnet/portrange"
)

// Init makes a network in dir, which must not exist or be empty. Nothing is
// started. On an error dir is as it was.
func Init(dir string, s Spec) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	return s.withDefaults(nameFrom(filepath.Base(dir))).init(dir)
}

// init makes the network that s describes in full.
func (s Spec) init(dir string) (*Network, error) {
	t, configtx, err := s.inputs()
	if err != nil {
		return nil, err
	}
	row, err := s.findPorts()
	if err != nil {
		return nil, err
	}
	m := &Manifest{Format: manifestFormat, Name: s.Name, Created: time.Now().UTC().Truncate(time.Second), Spec: s, Program: s.Program}
	if m.Program == "" {
		if m.Program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("finding the program that the nodes run: %w", err)
		}
	}
	if s.Kafka == KafkaApache {
		if m.Apache, err = apache.Find(s.KafkaHome); err != nil {
			return nil, fmt.Errorf("--kafka apache: %w", err)
		}
	}
	m.assign(t, row)
	if err := m.place(dir, func(partial string) error { return m.build(partial, t, configtx) }); err != nil {
		return nil, err
	}
	return Open(dir)
}

// inputs checks the spec and reads the user's files. configtx is the content
// of the user's configtx.yaml, nil for a generated one.
func (s *Spec) inputs() (t *topology, configtx []byte, err error) {
	if s.OrdererBin != "" {
		if s.OrdererBin, err = executable(s.OrdererBin); err != nil {
			return nil, nil, err
		}
		if s.NoSystemChannel {
			if err := checkJoins(s.OrdererBin); err != nil {
				return nil, nil, err
			}
		}
	}
	if s.CryptoConfig != "" {
		c, err := cryptogen.Load(s.CryptoConfig)
		if err != nil {
			return nil, nil, err
		}
		if t, err = userTopology(c); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", s.CryptoConfig, err)
		}
		s.Orderers, s.OrdererOrgs, s.AppOrgs = len(t.orderers), len(t.ordererOrgs), len(t.appOrgs)
		for _, o := range append(c.OrdererOrgs, c.PeerOrgs...) {
			if o.EnableNodeOUs && s.Capability == "V1_4_2" {
				return nil, nil, fmt.Errorf("%s: organization %s has EnableNodeOUs, which the channel capability V1_4_2 does not know; take V1_4_3", s.CryptoConfig, o.Name)
			}
		}
	}
	if err := s.validate(); err != nil {
		return nil, nil, err
	}
	switch {
	case s.shape != nil:
		t = clonedTopology(s.shape)
	case t == nil:
		t = generatedTopology(s)
	}
	for _, name := range s.OrdererBinNodes {
		if s.OrdererBin == "" || !slices.ContainsFunc(t.orderers, func(n ordererNode) bool { return n.name == name }) {
			return nil, nil, fmt.Errorf("node %q cannot run a Fabric orderer: there is no such node, or no orderer is given", name)
		}
	}
	if s.Configtx != "" {
		if configtx, err = os.ReadFile(s.Configtx); err != nil {
			return nil, nil, fmt.Errorf("reading the channel configuration: %w", err)
		}
		f, err := configtxgen.Parse(s.Configtx, configtx, nil)
		if err != nil {
			return nil, nil, err
		}
		if _, err := chooseProfiles(s, f); err != nil {
			return nil, nil, err
		}
	}
	t.notes = append(s.warnings(), t.notes...)
	return t, configtx, nil
}

func executable(file string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("the orderer to run: %w", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("the orderer to run: %s is not a program", file)
	}
	return file, nil
}

func (s *Spec) findPorts() ([]int, error) {
	n := s.ports()
	if s.BasePort == 0 {
		return portrange.Find(host, n)
	}
	if err := portrange.Check(host, s.BasePort, n); err != nil {
		return nil, err
	}
	row := make([]int, n)
	for i := range row {
		row[i] = s.BasePort + i
	}
	return row, nil
}

// assign gives out names, ports and identities.
func (m *Manifest) assign(t *topology, row []int) {
	for i, o := range t.orderers {
		m.Orderers = append(m.Orderers, Node{
			Name:   o.name,
			Crypto: o.cryptoDir(),
			CACert: path.Join(o.cryptoDir(), "tls", "ca.crt"),
			Port:   row[i], Operations: row[len(t.orderers)+i], Admin: row[2*len(t.orderers)+i],
		})
	}
	rest := row[3*len(t.orderers):]
	m.Brokers, rest = rest[:m.Spec.Brokers], rest[m.Spec.Brokers:]
	for range m.Spec.ZooKeeper {
		m.ZooKeeper = append(m.ZooKeeper, apache.Node{Client: rest[0], Quorum: rest[1], Election: rest[2]})
		rest = rest[3:]
	}
	m.Internal = rest
}

func (m *Manifest) addresses() (orderers, brokers []string) {
	for _, o := range m.Orderers {
		orderers = append(orderers, o.Address())
	}
	for _, port := range m.Brokers {
		brokers = append(brokers, address(port))
	}
	return orderers, brokers
}

// build writes the whole network to dir.
func (m *Manifest) build(dir string, t *topology, configtx []byte) error {
	crypto, err := yaml.Marshal(t.crypto)
	if err != nil {
		return fmt.Errorf("marshalling the crypto configuration: %w", err)
	}
	if err := writeFile(dir, cryptoFile, crypto, 0o644); err != nil {
		return err
	}
	if err := cryptogen.Generate(t.crypto, filepath.Join(dir, cryptoDir), cryptogen.Options{}); err != nil {
		return fmt.Errorf("making keys: %w", err)
	}
	var absoluteMaxBytes uint32
	if m.Spec.shape != nil {
		absoluteMaxBytes, err = m.writeClone(dir, t)
	} else {
		absoluteMaxBytes, err = m.writeConfiguration(dir, t, configtx)
	}
	if err != nil {
		return err
	}
	for i, o := range t.orderers {
		m.Orderers[i].MSPID = o.org.mspID
	}
	for _, o := range t.ordererOrgs {
		m.Admins = append(m.Admins, o.adminOf(o.ordererDir()))
	}
	m.Notes = append(slices.Clone(t.notes), m.Notes...)
	if m.Spec.KafkaSASL {
		m.password = rand.Text()
	}
	if err := m.writeNodes(dir); err != nil {
		return err
	}
	if err := m.writeKafka(dir, absoluteMaxBytes); err != nil {
		return err
	}
	if err := m.writeInventory(dir); err != nil {
		return err
	}
	if _, err := inventory.Load(filepath.Join(dir, inventoryFile)); err != nil {
		return fmt.Errorf("the inventory just made is not valid: %w", err)
	}
	return m.write(dir)
}

// writeConfiguration writes configtx.yaml, the given one or a generated one,
// and the blocks that it describes. It returns the AbsoluteMaxBytes of blocks.
func (m *Manifest) writeConfiguration(dir string, t *topology, configtx []byte) (uint32, error) {
	addresses, brokers := m.addresses()
	generated := configtx == nil
	var err error
	if generated {
		if configtx, err = m.generatedConfigtx(t); err != nil {
			return 0, fmt.Errorf("making configtx.yaml: %w", err)
		}
	}
	if err := writeFile(dir, configtxFile, configtx, 0o644); err != nil {
		return 0, err
	}
	f, err := configtxgen.Load(filepath.Join(dir, configtxFile), nil)
	if err != nil {
		return 0, err
	}
	p, err := chooseProfiles(&m.Spec, f)
	if err != nil {
		return 0, err
	}
	if !generated {
		if err := t.adopt(p, addresses, brokers); err != nil {
			return 0, fmt.Errorf("%s does not fit %s: %w", m.Spec.Configtx, m.Spec.CryptoConfig, err)
		}
	}
	return uint32(p.orderer().BatchSize.AbsoluteMaxBytes), m.writeBlocks(dir, t, p)
}

func writeProto(dir, name string, msg proto.Message) error {
	data, err := proto.Marshal(msg)
	if err != nil {
		return fmt.Errorf("marshalling %s: %w", name, err)
	}
	return writeFile(dir, name, data, 0o640)
}

// writeNodes writes what the orderers need. Each has the block that it begins
// with to itself: a consenter that joins later begins with a newer one.
func (m *Manifest) writeNodes(dir string) error {
	var genesis []byte
	if !m.Spec.NoSystemChannel {
		var err error
		if genesis, err = os.ReadFile(filepath.Join(dir, genesisFile)); err != nil {
			return err
		}
	}
	for _, o := range m.Orderers {
		if genesis != nil {
			if err := writeFile(dir, bootstrapFile(o.Name), genesis, 0o640); err != nil {
				return err
			}
		}
		data, err := m.ordererYAML(o)
		if err != nil {
			return fmt.Errorf("making the orderer.yaml of %s: %w", o.Name, err)
		}
		if err := writeFile(dir, path.Join(nodeDir(o.Name), "orderer.yaml"), data, m.secretMode()); err != nil {
			return err
		}
	}
	return nil
}
