package runbook

// KafkaFacts is what a Kafka cluster says of itself.
type KafkaFacts struct {
	Error string `json:"error,omitempty"` // why it could not be asked, or not in full
	// Version is Kafka.Version as the inventory has it, "" if it does not say.
	Version string `json:"version,omitempty"`
	// TLS and SASL tell how the brokers were asked.
	TLS     bool          `json:"tls,omitempty"`
	SASL    bool          `json:"sasl,omitempty"`
	Brokers []KafkaBroker `json:"brokers,omitempty"`
	Topics  []KafkaTopic  `json:"topics,omitempty"` // of the channels
	// Listeners were tried one by one, if they are asked with TLS or SASL.
	Listeners []KafkaListener `json:"listeners,omitempty"`
	// ClientCert is the certificate that is shown to brokers.
	ClientCert *CertFacts `json:"client_cert,omitempty"`
}

// KafkaListener is a broker's address that clients with TLS or SASL use.
type KafkaListener struct {
	Address string `json:"address"`
	// Error says why TLS or SASL failed; an address that accepts no connection
	// is not told here.
	Error string     `json:"error,omitempty"`
	Cert  *CertFacts `json:"cert,omitempty"`
}

// KafkaBroker is a live broker.
type KafkaBroker struct {
	ID      int32  `json:"id"`
	Address string `json:"address"`
	// Settings are those that it tells, by their name in server.properties.
	Settings map[string]string `json:"settings,omitempty"`
	// Requests are the versions of requests that it takes; nil if unknown.
	Requests map[string]VersionRange `json:"requests,omitempty"`
}

// Requests whose versions follow from Kafka.Version.
const (
	RequestProduce = "produce"
	RequestFetch   = "fetch"
)

// VersionRange are versions from Min to Max.
type VersionRange struct {
	Min int16 `json:"min"`
	Max int16 `json:"max"`
}

// KafkaTopic is the topic of a channel; without partitions it does not exist.
type KafkaTopic struct {
	Name       string           `json:"name"`
	Partitions []KafkaPartition `json:"partitions,omitempty"`
	// Settings are those in force for the topic, its own or the brokers', by
	// their name for topics (retention.ms); Kafka's own defaults are left out.
	Settings map[string]string `json:"settings,omitempty"`
}

// KafkaPartition is a partition of a topic; Leader is -1 if it has none,
// Earliest the first offset that is still there and Latest the one behind the
// last, -1 if unknown.
type KafkaPartition struct {
	ID       int32   `json:"id"`
	Leader   int32   `json:"leader"`
	Replicas []int32 `json:"replicas"`
	InSync   []int32 `json:"in_sync"`
	Earliest int64   `json:"earliest"`
	Latest   int64   `json:"latest"`
}

// BrokerFacts is what was seen of one broker or ZooKeeper process.
type BrokerFacts struct {
	Node    string `json:"node"`
	Tier    Tier   `json:"tier"`
	Address string `json:"address"`
	// Addresses are all that the inventory names.
	Addresses []string `json:"addresses,omitempty"`
	Error     string   `json:"error,omitempty"`
	// Mode is what a ZooKeeper node says that it is: leader, follower, observer,
	// standalone, or ModeNoQuorum; "" if it does not tell.
	Mode string `json:"mode,omitempty"`
	// Data are the data folders of a broker, as they are seen from here.
	Data []DataFacts `json:"data,omitempty"`
}

// Modes of ZooKeeper nodes that mean trouble in an ensemble.
const (
	ModeLeader     = "leader"
	ModeStandalone = "standalone"
	ModeNoQuorum   = "without quorum"
)

// DataFacts is a data folder of a broker.
type DataFacts struct {
	Path  string `json:"path"`
	Error string `json:"error,omitempty"` // why it cannot be looked into
	// Broker is the broker.id in its meta.properties, -1 if there is none.
	Broker int32 `json:"broker"`
	// Memory names the file system if it lies in memory: tmpfs, ramfs.
	Memory string `json:"memory,omitempty"`
	Used   int64  `json:"used"` // bytes
	Free   int64  `json:"free"` // bytes on its file system
}
