// Package inventory describes a network to raftmig: the file raftmig.yaml.
// It holds names, addresses and paths, never secrets.
package inventory

import "time"

// Network is the content of raftmig.yaml. Relative paths are relative to the
// folder of the file.
type Network struct {
	// Name is typed by the operator at the point of no return.
	Name          string `yaml:"name"`
	SystemChannel string `yaml:"systemChannel,omitempty"`
	// NoSystemChannel says that there is none, on Raft from Fabric 2.3 on. Then
	// all channels must be in Channels, or in a LedgerDir that can be read.
	NoSystemChannel bool `yaml:"noSystemChannel,omitempty"`
	// Channels lists channels known beforehand; all others are found.
	Channels  []string  `yaml:"channels,omitempty"`
	Orderers  []Orderer `yaml:"orderers"`
	Brokers   []Process `yaml:"brokers,omitempty"`
	ZooKeeper []Process `yaml:"zookeeper,omitempty"`
	// Kafka says how raftmig asks the brokers.
	Kafka *Kafka   `yaml:"kafka,omitempty"`
	Admin Identity `yaml:"admin,omitempty"`
	// Admins are further administrators whose keys are here; see Administrators.
	Admins []Identity `yaml:"admins,omitempty"`
	// AwaitSignatures has a run stop at each update until administrators elsewhere
	// have signed it, where those here are not enough.
	AwaitSignatures bool `yaml:"awaitSignatures,omitempty"`
	// Clients are identities that may write transactions, by channel; "*" is
	// used for channels that are not named. Used to prove a channel after the
	// migration.
	Clients map[string]Identity `yaml:"clients,omitempty"`
	Raft    Raft                `yaml:"raft,omitempty"`
	Backup  Backup              `yaml:"backup,omitempty"`
}

// Orderer is an ordering node.
type Orderer struct {
	Process `yaml:",inline"`
	// ServerName overrides the name that the TLS certificate is checked for.
	ServerName string `yaml:"serverName,omitempty"`
	// TLSRootCAs are PEM files that the server certificate must chain to.
	TLSRootCAs []string `yaml:"tlsRootCAs"`
	// ClusterHost and ClusterPort go into the consenter set; default: Address.
	ClusterHost string `yaml:"clusterHost,omitempty"`
	ClusterPort uint32 `yaml:"clusterPort,omitempty"`
	// ServerCert and ClientCert are the PEM files of the node's cluster certificates.
	ServerCert string `yaml:"serverCert"`
	ClientCert string `yaml:"clientCert"`
	// ServerKey and ClientKey are their private keys; needed only where raftmig
	// is to put renewed ones in place. They are never read otherwise.
	ServerKey string `yaml:"serverKey,omitempty"`
	ClientKey string `yaml:"clientKey,omitempty"`
	// BootstrapFile is the block that the node begins with (its
	// General.BootstrapFile) as seen from here; needed only where raftmig is to
	// put the block of a new consenter there.
	BootstrapFile string `yaml:"bootstrapFile,omitempty"`
	// Participation is the URL of the node's Admin endpoint (https://host:port),
	// where it is told to join channels; needed only where raftmig is to add the
	// node to a network without a system channel.
	Participation string `yaml:"participation,omitempty"`
	// Operations is the host:port of the operations endpoints, "" if off.
	Operations string `yaml:"operations,omitempty"`
	// LedgerDir, WALDir and SnapDir are the node's FileLedger.Location,
	// Consensus.WALDir and Consensus.SnapDir as seen from here.
	LedgerDir string `yaml:"ledgerDir,omitempty"`
	WALDir    string `yaml:"walDir,omitempty"`
	SnapDir   string `yaml:"snapDir,omitempty"`
}

// Process is a node that can be stopped, started and backed up.
type Process struct {
	Name string `yaml:"name"`
	// Address is host:port. A process that serves several lists them in Addresses.
	Address   string   `yaml:"address"`
	Addresses []string `yaml:"addresses,omitempty"`
	// Log is the file that its log goes to.
	Log string `yaml:"log,omitempty"`
	// Data are the folders that a backup must contain.
	Data    []string `yaml:"data,omitempty"`
	Control Control  `yaml:"control"`
}

// Control says how a process is stopped and started.
type Control struct {
	// Kind is "process" (a child of raftmig on this machine), "command" (the
	// operator's own commands) or "manual" (raftmig tells the operator and waits).
	Kind string `yaml:"kind"`

	// For kind process.
	Command []string `yaml:"command,omitempty"`
	Env     []string `yaml:"env,omitempty"` // NAME=value, added to a minimal environment
	Dir     string   `yaml:"dir,omitempty"`
	PIDFile string   `yaml:"pidFile,omitempty"`
	// Ready says how the process is asked whether it serves, once its addresses
	// accept connections: "zookeeper" (srvr, which has to be whitelisted) or
	// "kafka" (metadata, without TLS), both at Address; "" asks nothing more.
	Ready string `yaml:"ready,omitempty"`
	// Attempts is how often the process is started in all if it ends before it
	// is ready; default once. A Kafka broker ends while ZooKeeper still holds
	// the session of its killed predecessor.
	Attempts int `yaml:"attempts,omitempty"`

	// For kind command: run without a shell; Status exits 0 while the process
	// runs, and with another code when it is down. 126, 127 and 255 are those of
	// a shell or ssh that could not look.
	Start  []string `yaml:"start,omitempty"`
	Stop   []string `yaml:"stop,omitempty"`
	Status []string `yaml:"status,omitempty"`

	// StopTimeout bounds an orderly stop; default 60s.
	StopTimeout time.Duration `yaml:"stopTimeout,omitempty"`
	// StartTimeout bounds readiness; default 60s.
	StartTimeout time.Duration `yaml:"startTimeout,omitempty"`
}

// Identity is an MSP folder with a signing certificate and key.
type Identity struct {
	MSPID  string `yaml:"mspID"`
	MSPDir string `yaml:"mspDir"`
	// TLSCert and TLSKey are used where a node demands client certificates.
	TLSCert string `yaml:"tlsCert,omitempty"`
	TLSKey  string `yaml:"tlsKey,omitempty"`
}

// Raft are the options of the consenter metadata; zero values take Fabric's
// defaults (500ms, 10, 1, 5, 16 MiB).
type Raft struct {
	TickInterval         time.Duration `yaml:"tickInterval,omitempty"`
	ElectionTick         uint32        `yaml:"electionTick,omitempty"`
	HeartbeatTick        uint32        `yaml:"heartbeatTick,omitempty"`
	MaxInflightBlocks    uint32        `yaml:"maxInflightBlocks,omitempty"`
	SnapshotIntervalSize uint32        `yaml:"snapshotIntervalSize,omitempty"` // bytes
}

// Backup says where backups go; default: the run's folder.
type Backup struct {
	Dir string `yaml:"dir,omitempty"`
}
