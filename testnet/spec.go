package testnet

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/localconfig"
	"raftmig/testnet/clone"
)

// Spec says what network is wanted. Zero values take the defaults of
// Spec.withDefaults.
type Spec struct {
	Name          string   `json:"name"`           // default: the folder's name
	SystemChannel string   `json:"system_channel"` // default: syschannel
	Channels      []string `json:"channels"`       // application channels, default: ch1, ch2
	Orderers      int      `json:"orderers"`       // 1 to 9, default 3
	OrdererOrgs   int      `json:"orderer_orgs"`   // default 1
	AppOrgs       int      `json:"app_orgs"`       // default 1
	Brokers       int      `json:"brokers"`        // 1 to 9, default 4; none with ConsensusRaft
	// Consensus is ConsensusKafka (default) or ConsensusRaft.
	Consensus string `json:"consensus,omitempty"`
	// NoSystemChannel has orderers start empty and join channels, as from Fabric
	// 2.3 on; with ConsensusRaft only.
	NoSystemChannel bool `json:"no_system_channel,omitempty"`
	// Kafka is KafkaEmbedded (default) or KafkaApache.
	Kafka string `json:"kafka"`
	// ZooKeeper, Replication (default.replication.factor, N) and MinISR
	// (min.insync.replicas, M) shape a real Kafka: 3, 5 or 7 nodes, default 3;
	// 1 < M < N < Brokers, default 3 and 2.
	ZooKeeper   int `json:"zookeeper,omitempty"`
	Replication int `json:"replication,omitempty"`
	MinISR      int `json:"min_isr,omitempty"`
	// KafkaTLS has orderers and brokers of a real Kafka authenticate each other,
	// KafkaSASL has orderers log in with SASL/PLAIN.
	KafkaTLS  bool `json:"kafka_tls,omitempty"`
	KafkaSASL bool `json:"kafka_sasl,omitempty"`
	// KafkaHome is an installation of Apache Kafka; "" for that of `make kafka`.
	KafkaHome string `json:"kafka_home,omitempty"`
	// BatchTimeout and MaxMessageCount cut blocks; default 200ms and 500.
	BatchTimeout    time.Duration `json:"batch_timeout"`
	MaxMessageCount uint32        `json:"max_message_count"`
	// Acknowledge is Consensus.AcknowledgeAt of our orderers, which counts on Raft:
	// localconfig.AcknowledgeAtSubmission (default) or AcknowledgeAtCommit.
	Acknowledge string `json:"acknowledge,omitempty"`
	// Capability of the channels: V1_4_2 or V1_4_3 (default). With V1_4_2 the
	// admins are listed in the MSPs; NodeOUs need V1_4_3.
	Capability string `json:"capability"`
	// AdminCerts lists admins in the MSPs though V1_4_3 could do without.
	AdminCerts bool `json:"admin_certs"`
	// CryptoConfig and Configtx are the user's own files; "" for generated ones.
	CryptoConfig string `json:"crypto_config,omitempty"`
	Configtx     string `json:"configtx,omitempty"`
	// GenesisProfile and ChannelProfiles name profiles of Configtx; where there
	// is only one candidate they may be left out. Channels take the profiles in turn.
	GenesisProfile  string   `json:"genesis_profile,omitempty"`
	ChannelProfiles []string `json:"channel_profiles,omitempty"`
	// OrdererBin is a real Fabric orderer to run in place of ours.
	OrdererBin string `json:"orderer_bin,omitempty"`
	// OrdererBinNodes names the nodes that run it; none means all.
	OrdererBinNodes []string `json:"orderer_bin_nodes,omitempty"`
	// BasePort is the first of a row of ports; 0 finds free ones.
	BasePort int `json:"base_port,omitempty"`
	// Program is the raftmig that the nodes run; "" for the one that runs now.
	Program string `json:"-"`
	// Raft are the options that the runbook writes into the channels. The default
	// is quick elections: a tick of 100ms, 10 ticks.
	Raft inventory.Raft `json:"raft"`

	shape      *clone.Shape // of a network that is cloned
	clonedFrom []string
}

// What orders transactions at first.
const (
	ConsensusKafka = channelconfig.ConsensusKafka
	ConsensusRaft  = channelconfig.ConsensusEtcdRaft
)

// What the brokers are.
const (
	KafkaEmbedded = "embedded" // kfake, one process
	KafkaApache   = "apache"   // Apache Kafka and ZooKeeper, a JVM for each node
)

const (
	maxOrderers = 9
	maxBrokers  = 9
	maxOrgs     = 9
	maxChannels = 500
)

var networkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// nameFrom makes a network name from the name of a folder.
func nameFrom(folder string) string {
	name := strings.Map(func(r rune) rune {
		if r < 128 && (r == '.' || r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '-'
	}, folder)
	name = strings.TrimLeft(name, "._-")
	name = name[:min(len(name), 64)]
	if name == "" {
		return "testnet"
	}
	return name
}

func (s Spec) withDefaults(name string) Spec {
	orDefault(&s.Name, name)
	if !s.NoSystemChannel {
		orDefault(&s.SystemChannel, "syschannel")
	}
	if s.Channels == nil {
		s.Channels = []string{"ch1", "ch2"}
	}
	orDefault(&s.Orderers, 3)
	orDefault(&s.OrdererOrgs, 1)
	orDefault(&s.AppOrgs, 1)
	orDefault(&s.Consensus, ConsensusKafka)
	if s.ordersByKafka() {
		orDefault(&s.Brokers, 4)
		orDefault(&s.Kafka, KafkaEmbedded)
	}
	if s.Kafka == KafkaApache {
		orDefault(&s.ZooKeeper, 3)
		orDefault(&s.Replication, 3)
		orDefault(&s.MinISR, 2)
	}
	orDefault(&s.BatchTimeout, 200*time.Millisecond)
	orDefault(&s.MaxMessageCount, 500)
	orDefault(&s.Acknowledge, localconfig.AcknowledgeAtSubmission)
	orDefault(&s.Capability, "V1_4_3")
	orDefault(&s.Raft.TickInterval, 100*time.Millisecond)
	orDefault(&s.Raft.ElectionTick, 10)
	orDefault(&s.Raft.HeartbeatTick, 1)
	return s
}

func orDefault[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

// ordersByKafka tells whether the network begins with Kafka. Manifests of older
// versions do not say.
func (s *Spec) ordersByKafka() bool { return s.Consensus != ConsensusRaft }

// nodeOUs tells whether certificates carry roles.
func (s *Spec) nodeOUs() bool { return s.Capability != "V1_4_2" && !s.AdminCerts }

// validate returns everything that is wrong with s, joined.
func (s *Spec) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !networkName.MatchString(s.Name) {
		bad("network name %q: use up to 64 letters, digits, dots, dashes and underscores", s.Name)
	}
	if s.Consensus != ConsensusKafka && s.Consensus != ConsensusRaft {
		bad("consensus %q: %s or %s", s.Consensus, ConsensusKafka, ConsensusRaft)
	}
	if s.NoSystemChannel {
		errs = append(errs, s.validateJoined())
	} else if err := inventory.ValidChannel(s.SystemChannel); err != nil {
		bad("system channel: %w", err)
	}
	if len(s.Channels) > maxChannels {
		bad("%d channels: at most %d", len(s.Channels), maxChannels)
	}
	seen := map[string]bool{s.SystemChannel: true}
	for _, c := range s.Channels {
		if err := inventory.ValidChannel(c); err != nil {
			bad("channel: %w", err)
		}
		if seen[c] {
			bad("channel %s is named twice", c)
		}
		seen[c] = true
	}
	between := func(what string, n, low, high int) {
		if n < low || n > high {
			bad("%d %s: %d to %d are possible", n, what, low, high)
		}
	}
	if s.CryptoConfig == "" && s.shape == nil {
		between("orderers", s.Orderers, 1, maxOrderers)
		between("orderer organizations", s.OrdererOrgs, 1, min(maxOrgs, max(s.Orderers, 1)))
		between("application organizations", s.AppOrgs, 1, maxOrgs)
	}
	if s.ordersByKafka() {
		between("brokers", s.Brokers, 1, maxBrokers)
		errs = append(errs, s.validateKafka())
	} else {
		errs = append(errs, s.validateRaft())
	}
	if s.BatchTimeout <= 0 {
		bad("batch timeout %v: it must be positive", s.BatchTimeout)
	}
	if s.Acknowledge != localconfig.AcknowledgeAtSubmission && s.Acknowledge != localconfig.AcknowledgeAtCommit {
		bad("acknowledge %q: submission or commit", s.Acknowledge)
	}
	if s.shape == nil && s.Capability != "V1_4_2" && s.Capability != "V1_4_3" {
		bad("capability %q: V1_4_2 or V1_4_3", s.Capability)
	}
	if s.BasePort < 0 || s.BasePort > 65535-maxPorts || (s.BasePort > 0 && s.BasePort < 1024) {
		bad("base port %d: 1024 to %d are possible", s.BasePort, 65535-maxPorts)
	}
	if s.Configtx != "" && s.CryptoConfig == "" {
		bad("a configtx.yaml needs the crypto-config.yaml that its MSP folders come from")
	}
	return errors.Join(errs...)
}

// validateJoined checks a network without system channel.
func (s *Spec) validateJoined() error {
	switch {
	case s.ordersByKafka():
		return errors.New("on Kafka channels are created through a system channel; only a network on etcdraft can be without one")
	case s.SystemChannel != "":
		return fmt.Errorf("system channel %s: the network is to have none", s.SystemChannel)
	case len(s.Channels) == 0:
		return errors.New("a network without system channel needs an application channel")
	}
	return nil
}

// validateRaft checks that nothing is asked for that only Kafka has.
func (s *Spec) validateRaft() error {
	switch {
	case s.Brokers != 0 || s.Kafka == KafkaApache || s.ZooKeeper != 0 || s.Replication != 0 || s.MinISR != 0 || s.KafkaHome != "" || s.secured():
		return errors.New("a network on etcdraft has no Kafka: no brokers, no ZooKeeper nodes, none of their settings")
	case s.Configtx != "":
		return errors.New("a configtx.yaml of your own is for networks on Kafka; clone a network on etcdraft from its config blocks")
	}
	return nil
}

// runsFabric tells whether the node called name runs OrdererBin.
func (s *Spec) runsFabric(name string) bool {
	return s.OrdererBin != "" && (len(s.OrdererBinNodes) == 0 || slices.Contains(s.OrdererBinNodes, name))
}

// warnings are what is allowed and yet not advisable.
func (s *Spec) warnings() []string {
	var w []string
	switch {
	case s.Orderers < 3:
		w = append(w, fmt.Sprintf("%d orderers: with fewer than 3 a Raft ordering service does not survive the loss of one", s.Orderers))
	case s.Orderers%2 == 0:
		w = append(w, fmt.Sprintf("%d orderers: an even number of consenters survives no more losses than %d would", s.Orderers, s.Orderers-1))
	}
	if s.ordersByKafka() && s.Brokers < 4 {
		w = append(w, fmt.Sprintf("%d brokers: Fabric's guide asks for 4, so that channels can be created while one is down", s.Brokers))
	}
	return w
}

// maxPorts bounds the ports of a network.
const maxPorts = 3*maxOrderers + 2*maxBrokers + 3*maxZooKeeper

// ports is the number of ports that a network takes: three for each orderer
// (service, operations, admin), one for each broker, three for each ZooKeeper
// node (clients, quorum, election), and a second one for each broker that has
// TLS or SASL.
func (s *Spec) ports() int {
	n := 3*s.Orderers + s.Brokers + 3*s.ZooKeeper
	if s.secured() {
		n += s.Brokers
	}
	return n
}

// secured tells whether orderers have to prove themselves to the brokers.
func (s *Spec) secured() bool { return s.KafkaTLS || s.KafkaSASL }
