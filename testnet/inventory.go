package testnet

import (
	"fmt"
	"path"
	"time"

	"go.yaml.in/yaml/v3"

	"raftmig/fabricops/inventory"
)

// Bounds for nodes that run on this machine.
const (
	nodeStopTimeout  = 30 * time.Second
	nodeStartTimeout = 60 * time.Second
	jvmTimeout       = 90 * time.Second
	// An attempt takes seconds, and ZooKeeper forgets a killed broker after 6.
	jvmAttempts = 5
)

// inventory describes the network for the runbook. Paths are relative.
func (m *Manifest) inventory() *inventory.Network {
	n := &inventory.Network{
		Name:            m.Name,
		SystemChannel:   m.Spec.SystemChannel,
		NoSystemChannel: m.Spec.NoSystemChannel,
		Raft:            m.Spec.Raft,
		Clients:         map[string]inventory.Identity{},
		Backup:          inventory.Backup{Dir: "backups"},
	}
	for i, a := range m.Admins {
		id := inventory.Identity{MSPID: a.MSPID, MSPDir: a.MSPDir}
		if i == 0 {
			n.Admin = id
			if m.Spec.NoSystemChannel { // the participation API asks for a client certificate
				tls := path.Join(path.Dir(a.MSPDir), "tls")
				n.Admin.TLSCert, n.Admin.TLSKey = path.Join(tls, "client.crt"), path.Join(tls, "client.key")
			}
		} else {
			n.Admins = append(n.Admins, id)
		}
	}
	if !m.Spec.NoSystemChannel {
		n.Clients[m.Spec.SystemChannel] = n.Admin
	}
	for i, c := range m.Channels {
		n.Channels = append(n.Channels, c.Name)
		id := inventory.Identity{MSPID: c.Client.MSPID, MSPDir: c.Client.MSPDir}
		if i == 0 {
			n.Clients["*"] = id
		} else if id != n.Clients["*"] {
			n.Clients[c.Name] = id
		}
	}
	for _, o := range m.Orderers {
		n.Orderers = append(n.Orderers, m.ordererEntry(o))
	}
	n.Brokers, n.ZooKeeper = m.kafkaEntries()
	n.Kafka = m.kafkaAccess()
	return n
}

func (m *Manifest) ordererEntry(o Node) inventory.Orderer {
	dir := nodeDir(o.Name)
	command := []string{m.Program, "orderer"}
	if m.Spec.runsFabric(o.Name) {
		command = []string{m.Spec.OrdererBin}
	}
	entry := inventory.Orderer{
		Process: inventory.Process{
			Name:    o.Name,
			Address: o.Address(),
			Log:     logFile(o.Name),
			Data:    []string{path.Join(dir, "ledger")},
			Control: inventory.Control{
				Kind:         inventory.ControlProcess,
				Command:      command,
				Env:          ordererEnv(o),
				Dir:          dir,
				PIDFile:      path.Join(dir, o.Name+".pid"),
				StopTimeout:  nodeStopTimeout,
				StartTimeout: nodeStartTimeout,
			},
		},
		TLSRootCAs: []string{o.CACert},
		ServerCert: path.Join(o.Crypto, "tls", "server.crt"),
		ServerKey:  path.Join(o.Crypto, "tls", "server.key"),
		ClientCert: path.Join(o.Crypto, "tls", "server.crt"),
		ClientKey:  path.Join(o.Crypto, "tls", "server.key"),
		Operations: fmt.Sprintf("%s:%d", host, o.Operations),
		LedgerDir:  path.Join(dir, "ledger"),
		WALDir:     path.Join(dir, "etcdraft", "wal"),
		SnapDir:    path.Join(dir, "etcdraft", "snapshot"),
	}
	if m.Spec.NoSystemChannel {
		entry.Participation = fmt.Sprintf("https://%s:%d", host, o.Admin)
	} else {
		entry.BootstrapFile = bootstrapFile(o.Name)
	}
	return entry
}

// bootstrapFile is the block that an orderer begins with.
func bootstrapFile(node string) string { return path.Join(nodeDir(node), genesisFile) }

func (m *Manifest) writeInventory(dir string) error {
	data, err := yaml.Marshal(m.inventory())
	if err != nil {
		return fmt.Errorf("marshalling the inventory: %w", err)
	}
	head := "# The inventory of this rehearsal network, as 'raftmig run' wants it.\n" +
		"# Raft ticks are short (100ms, election after 10) so that elections take about a\n" +
		"# second; Fabric's default is 500ms.\n"
	return writeFile(dir, inventoryFile, append([]byte(head), data...), 0o644)
}
