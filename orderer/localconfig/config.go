package localconfig

import "time"

// TopLevel is the whole of orderer.yaml.
type TopLevel struct {
	General              General
	FileLedger           FileLedger
	Kafka                Kafka
	Debug                Debug
	Consensus            Consensus `config:"open"`
	Operations           Operations
	Metrics              Metrics
	ChannelParticipation ChannelParticipation
	Admin                Admin

	notes []Note
}

// Note is something that the operator should be told about the configuration
// and that is no reason not to start.
type Note struct {
	Warning bool
	Text    string
}

// Notes returns what Load noticed, in the order of the keys.
func (t *TopLevel) Notes() []Note { return t.notes }

// General holds what all consensus types have in common.
type General struct {
	ListenAddress     string
	ListenPort        uint16
	TLS               TLS
	Cluster           Cluster
	Keepalive         Keepalive
	ConnectionTimeout time.Duration // 0: the gRPC server's own limit of 5s for a handshake
	GenesisMethod     string        // the former name of BootstrapMethod
	GenesisFile       string        // the former name of BootstrapFile
	BootstrapMethod   string        // "file" or "none"
	BootstrapFile     string
	Profile           Profile
	LocalMSPDir       string
	LocalMSPID        string
	BCCSP             BCCSP `config:"open"`
	Authentication    Authentication
	MaxRecvMsgSize    int32 // bytes
	MaxSendMsgSize    int32 // bytes
}

// TLS configures one TLS endpoint. For General.TLS the texts are paths; for
// Kafka.TLS they are PEM content.
type TLS struct {
	Enabled               bool
	PrivateKey            string
	Certificate           string
	RootCAs               []string
	ClientAuthRequired    bool
	ClientRootCAs         []string
	TLSHandshakeTimeShift time.Duration
}

// Cluster configures the traffic between orderers.
type Cluster struct {
	ListenAddress                        string
	ListenPort                           uint16
	ServerCertificate                    string
	ServerPrivateKey                     string
	ClientCertificate                    string
	ClientPrivateKey                     string
	RootCAs                              []string
	DialTimeout                          time.Duration
	RPCTimeout                           time.Duration
	ReplicationBufferSize                int // bytes
	ReplicationPullTimeout               time.Duration
	ReplicationRetryTimeout              time.Duration
	ReplicationBackgroundRefreshInterval time.Duration
	ReplicationMaxRetries                int
	SendBufferSize                       int // messages
	CertExpirationWarningThreshold       time.Duration
	TLSHandshakeTimeShift                time.Duration
}

// Keepalive configures the gRPC server's keepalive.
type Keepalive struct {
	ServerMinInterval time.Duration
	ServerInterval    time.Duration
	ServerTimeout     time.Duration
}

// Authentication limits what clients may send.
type Authentication struct {
	// TimeWindow is how far a Deliver request's timestamp may be from now.
	TimeWindow time.Duration
	// NoExpirationChecks lets identities with expired certificates in.
	NoExpirationChecks bool
}

// Profile configures the pprof endpoint.
type Profile struct {
	Enabled bool
	Address string
}

// BCCSP configures the crypto provider. Only SW with SHA2 and 256 is supported.
type BCCSP struct {
	Default string
	SW      SW     `config:"open"`
	PKCS11  PKCS11 `config:"open"`
}

// SW configures the software crypto provider.
type SW struct {
	Security     int
	Hash         string
	FileKeystore FileKeystore `config:"open"`
}

// FileKeystore names the folder with private keys; empty means the MSP's own.
type FileKeystore struct {
	KeyStorePath string `name:"KeyStore"`
}

// PKCS11 configures a hardware crypto provider.
type PKCS11 struct {
	Library  string
	Label    string
	Pin      string `config:"secret"`
	Hash     string
	Security int

	FileKeystore FileKeystore `config:"open"`
}

// FileLedger says where the ledgers are.
type FileLedger struct {
	Location string
	Prefix   string // without effect
}

// Kafka configures the Kafka consenter.
type Kafka struct {
	Retry     Retry
	Verbose   bool
	Version   Version // e.g. "1.0.0"; the consenter interprets it
	TLS       TLS     `config:"secret"`
	SASLPlain SASLPlain
	Topic     Topic
}

// Version is a Kafka protocol version as written in the file.
type Version string

// SASLPlain is the SASL/PLAIN user.
type SASLPlain struct {
	Enabled  bool
	User     string
	Password string `config:"secret"`
}

// Retry says how long and how often Kafka operations are tried.
type Retry struct {
	ShortInterval   time.Duration
	ShortTotal      time.Duration
	LongInterval    time.Duration
	LongTotal       time.Duration
	NetworkTimeouts NetworkTimeouts
	Metadata        Metadata
	Producer        Producer
	Consumer        Consumer
}

// NetworkTimeouts are the limits of the Kafka client's sockets.
type NetworkTimeouts struct {
	DialTimeout  time.Duration
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
}

// Metadata configures the retries of metadata requests.
type Metadata struct {
	RetryMax     int
	RetryBackoff time.Duration
}

// Producer configures the retries of the producer.
type Producer struct {
	RetryMax     int
	RetryBackoff time.Duration
}

// Consumer configures the retries of the consumer.
type Consumer struct {
	RetryBackoff time.Duration
}

// Topic configures the topics that the orderer creates.
type Topic struct {
	ReplicationFactor int16
}

// Debug names folders into which every request is written; empty means off.
type Debug struct {
	BroadcastTraceDir string
	DeliverTraceDir   string
}

// Consensus configures the etcdraft consenter.
type Consensus struct {
	WALDir  string
	SnapDir string
	// EvictionSuspicion is how long a node is leaderless before it suspects its
	// eviction; 0 means unset.
	EvictionSuspicion time.Duration
	// TickIntervalOverride replaces the channels' tick interval; 0 means unset.
	TickIntervalOverride time.Duration
	// AcknowledgeAt says when a client is answered SUCCESS: when the leader has the
	// message (AcknowledgeAtSubmission, the default and what Fabric does, spec 4.6) or
	// when this node sees it in a block (AcknowledgeAtCommit). Fabric ignores the key.
	AcknowledgeAt string
}

// Values of Consensus.AcknowledgeAt.
const (
	AcknowledgeAtSubmission = "submission"
	AcknowledgeAtCommit     = "commit"
)

// Operations configures the operations endpoint.
type Operations struct {
	ListenAddress string
	TLS           TLS
}

// Metrics selects the metrics provider: prometheus, statsd or disabled.
type Metrics struct {
	Provider string
	Statsd   Statsd
}

// Statsd configures the statsd provider.
type Statsd struct {
	Network       string
	Address       string
	WriteInterval time.Duration
	Prefix        string
}

// Admin configures the channel participation endpoint.
type Admin struct {
	ListenAddress string
	TLS           TLS
}

// ChannelParticipation configures the channel participation API.
type ChannelParticipation struct {
	Enabled            bool
	MaxRequestBodySize uint32 // bytes
}
