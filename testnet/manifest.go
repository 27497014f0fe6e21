package testnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"raftmig/testnet/apache"
)

// manifestFormat is the version of the layout of a network's folder.
const manifestFormat = 1

// Manifest says what a network consists of. Paths are relative to its folder.
type Manifest struct {
	Format  int       `json:"format"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Spec    Spec      `json:"spec"`
	// Program is the raftmig that the nodes run.
	Program  string `json:"program"`
	Orderers []Node `json:"orderers"`
	// Admins are an admin of each orderer organization.
	Admins  []Identity `json:"admins"`
	Brokers []int      `json:"brokers"` // ports
	// ZooKeeper and Apache are those of a real Kafka.
	ZooKeeper []apache.Node        `json:"zookeeper,omitempty"`
	Apache    *apache.Installation `json:"apache,omitempty"`
	// Internal are ports of listeners for the brokers among themselves, where
	// orderers have to prove themselves.
	Internal []int `json:"internal,omitempty"`
	// AbsoluteMaxBytes is what a real Kafka's message sizes were made for.
	AbsoluteMaxBytes uint32    `json:"absolute_max_bytes,omitempty"`
	Channels         []Channel `json:"channels"`
	// Notes tell where the network differs from what was asked for.
	Notes []string `json:"notes,omitempty"`
	// Clone says what network this one has the shape of.
	Clone *CloneInfo `json:"clone,omitempty"`

	password string // of the orderers at the brokers, while the network is made
}

// Node is an orderer.
type Node struct {
	Name       string `json:"name"`
	MSPID      string `json:"msp_id"`
	Crypto     string `json:"crypto"` // folder with msp and tls
	CACert     string `json:"ca_cert"`
	Port       int    `json:"port"`
	Operations int    `json:"operations"` // port
	Admin      int    `json:"admin"`      // port of the channel participation API
}

// Address is the node's host:port.
func (n Node) Address() string { return fmt.Sprintf("%s:%d", host, n.Port) }

// LedgerDir is the node's FileLedger.Location, relative to the network's folder.
func (n Node) LedgerDir() string { return filepath.Join(filepath.FromSlash(nodeDir(n.Name)), "ledger") }

// Channel is an application channel.
type Channel struct {
	Name     string `json:"name"`
	CreateTx string `json:"create_tx,omitempty"`
	// Genesis is the block that orderers join it with, in place of CreateTx,
	// where there is no system channel.
	Genesis string `json:"genesis,omitempty"`
	// Creator is an admin who may create it, Client a member who may write to it.
	Creator Identity `json:"creator"`
	Client  Identity `json:"client"`
	// Signers sign the creation besides, where it says more than who is in it.
	Signers []Identity `json:"signers,omitempty"`
	// Config is the configuration that it is updated to once it is created, ""
	// if its creation says everything.
	Config string `json:"config,omitempty"`
}

// Identity is an MSP folder.
type Identity struct {
	MSPID  string `json:"msp_id"`
	MSPDir string `json:"msp_dir"`
}

// Exists tells whether there is a network in dir.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, manifestFile))
	return err == nil
}

func readManifest(dir string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is no rehearsal network: it has no %s", dir, manifestFile)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	m := &Manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, manifestFile), err)
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("%s: format %d is unknown to this raftmig", filepath.Join(dir, manifestFile), m.Format)
	}
	return m, nil
}

func (m *Manifest) write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(dir, manifestFile, append(data, '\n'), 0o644)
}

// writeFile writes a file below dir as a whole or not at all.
func writeFile(dir, name string, data []byte, mode os.FileMode) error {
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	tmp := file + ".tmp"
	err := os.WriteFile(tmp, data, mode)
	if err == nil {
		err = os.Rename(tmp, file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", name, err), os.RemoveAll(tmp))
	}
	return nil
}
