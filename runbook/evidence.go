package runbook

import "time"

// Evidence is what an effect found or did, kept in the journal and the report.
// It holds no secrets.
type Evidence struct {
	Summary string `json:"summary"`
	// AlreadyDone is set where a mutating effect found its goal reached.
	AlreadyDone  bool               `json:"already_done,omitempty"`
	Seconds      float64            `json:"seconds"`
	Facts        *Facts             `json:"facts,omitempty"`
	ChannelList  *ChannelList       `json:"channel_list,omitempty"`
	Channels     []ChannelState     `json:"channels,omitempty"`
	Metadata     *ConsenterMetadata `json:"metadata,omitempty"`
	Update       *UpdateReceipt     `json:"update,omitempty"`
	Backup       *BackupReceipt     `json:"backup,omitempty"`
	Flush        []FlushState       `json:"flush,omitempty"`
	Processes    []ProcessState     `json:"processes,omitempty"`
	Transactions []TransactionProof `json:"transactions,omitempty"`
	Signatures   []SignatureState   `json:"signatures,omitempty"`
	Findings     []Finding          `json:"findings,omitempty"`
}

// ChannelState is one channel as every node sees it.
type ChannelState struct {
	Name   string      `json:"name"`
	System bool        `json:"system"`
	Nodes  []NodeState `json:"nodes"`
}

// NodeState is one channel as one node sees it.
type NodeState struct {
	Node           string `json:"node"`
	Type           string `json:"type"`
	State          string `json:"state"`
	Height         uint64 `json:"height"`
	LastBlockHash  string `json:"last_block_hash"` // hex SHA-256 of the last block's header
	ConfigSequence uint64 `json:"config_sequence"`
	MetadataHash   string `json:"metadata_hash,omitempty"` // hex SHA-256 of the consensus metadata, "" if empty
	// LastBlockIsConfig: the last block is a config block. ConsenterMetadataEmpty:
	// its consenter metadata has no value.
	LastBlockIsConfig      bool `json:"last_block_is_config"`
	ConsenterMetadataEmpty bool `json:"consenter_metadata_empty"`
	// KafkaOffset is the offset of the last record that is in a block, as the
	// last block says (last_offset_persisted); 0 if it says none.
	KafkaOffset int64 `json:"kafka_offset,omitempty"`
	// Endpoints are the channel's orderer endpoints, sorted; of channels on Raft only.
	Endpoints []string `json:"endpoints,omitempty"`
	// Leader is the Raft ID of the leader that this node reported last, 0 if none.
	Leader uint64 `json:"leader"`
	// Error says why the node's view could not be read; the rest is then void.
	Error string `json:"error,omitempty"`
}

// ChannelList is the list of channels and where each was found.
type ChannelList struct {
	System  string              `json:"system"`
	Names   []string            `json:"names"`   // all, the system channel first, the rest sorted
	Sources map[string][]string `json:"sources"` // source ("system channel", "ledger of orderer0", "kafka topics", "inventory") → names
}

// ConsenterMetadata is the Raft metadata that goes into every channel.
type ConsenterMetadata struct {
	Bytes      []byte      `json:"bytes"` // etcdraft.ConfigMetadata, marshalled
	Hash       string      `json:"hash"`  // hex SHA-256 of Bytes
	Consenters []Consenter `json:"consenters"`
	Options    RaftOptions `json:"options"`
	// Changes say how it differs from what the channels have, one a line; of
	// operations on Raft.
	Changes []string `json:"changes,omitempty"`
}

// Consenter is one entry of the consenter set. Certificates are shown as
// fingerprints: hex SHA-256 of the DER.
type Consenter struct {
	Node       string    `json:"node"`
	Host       string    `json:"host"`
	Port       uint32    `json:"port"`
	ClientCert string    `json:"client_cert"`
	ServerCert string    `json:"server_cert"`
	NotAfter   time.Time `json:"not_after"`
}

// RaftOptions are the options of the consenter metadata.
type RaftOptions struct {
	TickInterval         string `json:"tick_interval"`
	ElectionTick         uint32 `json:"election_tick"`
	HeartbeatTick        uint32 `json:"heartbeat_tick"`
	MaxInflightBlocks    uint32 `json:"max_inflight_blocks"`
	SnapshotIntervalSize uint32 `json:"snapshot_interval_size"` // bytes
}

// UpdateReceipt proves a configuration update.
type UpdateReceipt struct {
	Channel  string `json:"channel"`
	Change   Change `json:"change"`
	Node     string `json:"node"`     // that it was sent to
	Status   string `json:"status"`   // of the Broadcast, "" if nothing was sent
	Block    uint64 `json:"block"`    // config block that carries it
	Sequence uint64 `json:"sequence"` // config sequence after it
	Hash     string `json:"hash"`     // hex SHA-256 of that block's header
}

// BackupReceipt describes a backup.
type BackupReceipt struct {
	Dir      string            `json:"dir"`
	Manifest string            `json:"manifest"` // hex SHA-256 of the manifest file
	Files    int               `json:"files"`
	Bytes    int64             `json:"bytes"`
	Heights  map[string]uint64 `json:"heights"` // channel → height inside the copy
}

// ProcessState is one process of the network.
type ProcessState struct {
	Node      string    `json:"node"`
	Tier      Tier      `json:"tier"`
	Running   bool      `json:"running"`
	PID       int       `json:"pid,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
}

// TransactionProof is a transaction seen in a block on every node.
type TransactionProof struct {
	Channel string `json:"channel"`
	TxID    string `json:"tx_id"`
	Block   uint64 `json:"block"`
}

// Facts are the observations that the preflight checks judge.
type Facts struct {
	Now         time.Time      `json:"now"`
	Network     string         `json:"network"`
	Orderers    []OrdererFacts `json:"orderers"`
	Brokers     []BrokerFacts  `json:"brokers"`
	Channels    []ChannelFacts `json:"channels"`
	ChannelList ChannelList    `json:"channel_list"`
	Admin       IdentityFacts  `json:"admin"` // who reads the channels, signs first and sends
	// Admins are the further administrators who sign.
	Admins []IdentityFacts `json:"admins,omitempty"`
	// AwaitSignatures says that the run waits for signatures of others.
	AwaitSignatures bool        `json:"await_signatures,omitempty"`
	Backup          SpaceFacts  `json:"backup"`
	Kafka           *KafkaFacts `json:"kafka,omitempty"` // nil: it was not asked
	// Raft is set where the facts are for an operation on Raft; other checks
	// judge them then.
	Raft *RaftFacts `json:"raft,omitempty"`
}

// RaftFacts are the observations for an operation on Raft.
type RaftFacts struct {
	Operation Operation `json:"operation"`
	Members   []string  `json:"members"`   // the consenters to be
	Witnesses []string  `json:"witnesses"` // those that must run and prove the change
	// Reached are the channels whose configuration is the goal already.
	Reached []string `json:"reached,omitempty"`
	// Faults are what is wrong with the new certificates and their files.
	Faults []string `json:"faults,omitempty"`
}

// OrdererFacts is what was seen of one orderer.
type OrdererFacts struct {
	Node        string        `json:"node"`
	Address     string        `json:"address"`
	Error       string        `json:"error,omitempty"`   // why it could not be reached
	Version     string        `json:"version,omitempty"` // "" if it could not be read
	TLS         bool          `json:"tls"`
	ServedCert  *CertFacts    `json:"served_cert,omitempty"`  // leaf seen on the cluster address
	ClientCert  *CertFacts    `json:"client_cert,omitempty"`  // from its files
	ServerCert  *CertFacts    `json:"server_cert,omitempty"`  // from its files
	ClusterHost string        `json:"cluster_host,omitempty"` // consenter host and port to be
	ClusterPort uint32        `json:"cluster_port,omitempty"`
	RaftState   []string      `json:"raft_state,omitempty"`   // leftovers found in WAL and snapshot folders
	RaftDirs    string        `json:"raft_dirs,omitempty"`    // why WAL or snapshot folder cannot be used, "" if they can
	ClockOffset time.Duration `json:"clock_offset,omitempty"` // node minus here, 0 if unknown
	ClockKnown  bool          `json:"clock_known"`
	// What its log says of its Kafka section, "" if nothing: Kafka.Version,
	// Kafka.TLS.Enabled and Kafka.SASLPlain.Enabled.
	KafkaVersion string `json:"kafka_version,omitempty"`
	KafkaTLS     string `json:"kafka_tls,omitempty"`
	KafkaSASL    string `json:"kafka_sasl,omitempty"`
}

// CertFacts describes a certificate.
type CertFacts struct {
	Fingerprint string    `json:"fingerprint"` // hex SHA-256 of the DER
	PublicKey   string    `json:"public_key"`  // hex SHA-256 of the PKIX public key
	Subject     string    `json:"subject"`
	SANs        []string  `json:"sans"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
}

// ChannelFacts is what a channel's configuration says.
type ChannelFacts struct {
	Name                string        `json:"name"`
	System              bool          `json:"system"`
	Type                string        `json:"type"`
	State               string        `json:"state"`
	OrdererCapabilities []string      `json:"orderer_capabilities"`
	ChannelCapabilities []string      `json:"channel_capabilities"`
	OrdererMSPs         []string      `json:"orderer_msps"`
	AdminPolicy         string        `json:"admin_policy,omitempty"`         // why the administrators together do not satisfy /Channel/Orderer/Admins, "" if they do
	MissingAdmins       []string      `json:"missing_admins,omitempty"`       // where they do not: MSP IDs of the orderer organizations of whom none of them is an administrator
	WritersPolicy       string        `json:"writers_policy,omitempty"`       // why the first administrator alone does not satisfy /Channel/Orderer/Writers
	UntrustedConsenters []string      `json:"untrusted_consenters,omitempty"` // nodes whose TLS certs do not chain to this channel's orderer orgs, with the reason
	ExpiringCAs         []CertFacts   `json:"expiring_cas,omitempty"`         // CA certificates of its MSPs, soonest first
	BatchTimeout        time.Duration `json:"batch_timeout"`
	AbsoluteMaxBytes    uint32        `json:"absolute_max_bytes,omitempty"` // 0 if unknown
	Nodes               []NodeState   `json:"nodes"`
}

// IdentityFacts describes an administrator.
type IdentityFacts struct {
	MSPID    string    `json:"msp_id"`
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"`
	Error    string    `json:"error,omitempty"` // why it cannot sign
}

// SpaceFacts compares what a backup needs with what there is, in bytes.
type SpaceFacts struct {
	Dir    string `json:"dir"`
	Needed int64  `json:"needed"`
	Free   int64  `json:"free"`
	Error  string `json:"error,omitempty"`
	// WayBack are the file systems that a restoration writes to, beside the
	// data that is there.
	WayBack []VolumeFacts `json:"way_back,omitempty"`
}

// VolumeFacts compares what is needed on a file system with what is free once
// the backup is taken, in bytes.
type VolumeFacts struct {
	Path   string `json:"path"` // a folder on it
	Needed int64  `json:"needed"`
	Free   int64  `json:"free"`
}
