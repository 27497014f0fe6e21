package channelconfig

import (
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	pb "github.com/hyperledger/fabric-protos-go/peer"

	"raftmig/orderer/configtx"
	"raftmig/orderer/msp"
	"raftmig/orderer/policies"
)

// Names of groups and values in a channel configuration.
const (
	ChannelGroup     = "Channel"
	OrdererGroup     = "Orderer"
	ApplicationGroup = "Application"
	ConsortiumsGroup = "Consortiums"

	HashingAlgorithmKey          = "HashingAlgorithm"
	BlockDataHashingStructureKey = "BlockDataHashingStructure"
	OrdererAddressesKey          = "OrdererAddresses"
	ConsortiumKey                = "Consortium"
	CapabilitiesKey              = "Capabilities"
	ConsensusTypeKey             = "ConsensusType"
	BatchSizeKey                 = "BatchSize"
	BatchTimeoutKey              = "BatchTimeout"
	ChannelRestrictionsKey       = "ChannelRestrictions"
	KafkaBrokersKey              = "KafkaBrokers"
	MSPKey                       = "MSP"
	EndpointsKey                 = "Endpoints"
	AnchorPeersKey               = "AnchorPeers"
	ACLsKey                      = "ACLs"
	ChannelCreationPolicyKey     = "ChannelCreationPolicy"

	AdminsPolicyKey = "Admins"
)

// Consensus types.
const (
	ConsensusSolo     = "solo"
	ConsensusKafka    = "kafka"
	ConsensusEtcdRaft = "etcdraft"
)

// Resources is a consistent view of one channel configuration.
type Resources interface {
	ConfigtxValidator() configtx.Validator
	PolicyManager() policies.Manager
	MSPManager() msp.Manager
	ChannelConfig() Channel
	// OrdererConfig, ApplicationConfig and ConsortiumsConfig return false if
	// the configuration has no such group.
	OrdererConfig() (Orderer, bool)
	ApplicationConfig() (Application, bool)
	ConsortiumsConfig() (Consortiums, bool)
	// ValidateNew returns an error if next may not follow this configuration.
	ValidateNew(next Resources) error
}

// Channel holds the channel-level values.
type Channel interface {
	OrdererAddresses() []string
	Capabilities() ChannelCapabilities
}

// ChannelCapabilities are the switches of the channel-level capabilities (spec 7.4).
type ChannelCapabilities interface {
	// Supported returns an error that names a required but unknown capability.
	Supported() error
	MSPVersion() msp.Version
	ConsensusTypeMigration() bool
	OrgSpecificOrdererEndpoints() bool
}

// Org is an organization in a configuration.
type Org interface {
	// Name is the group key, MSPID the identifier of its MSP.
	Name() string
	MSPID() string
	MSP() msp.MSP
}

// OrdererOrg is an ordering organization.
type OrdererOrg interface {
	Org
	// Endpoints are host:port addresses of this organization's orderers.
	Endpoints() []string
}

// Orderer holds the values of the Orderer group.
type Orderer interface {
	ConsensusType() string
	ConsensusMetadata() []byte
	ConsensusState() ab.ConsensusType_State
	BatchSize() *ab.BatchSize
	BatchTimeout() time.Duration
	// MaxChannelsCount is the limit on channels; 0 means none.
	MaxChannelsCount() uint64
	// KafkaBrokers are host:port addresses.
	KafkaBrokers() []string
	Organizations() map[string]OrdererOrg
	Capabilities() OrdererCapabilities
}

// OrdererCapabilities are the switches of the orderer capabilities (spec 7.4).
type OrdererCapabilities interface {
	Supported() error
	PredictableChannelTemplate() bool
	Resubmission() bool
	ExpirationCheck() bool
	ConsensusTypeMigration() bool
	UseChannelCreationPolicyAsAdmins() bool
}

// Application holds the values of the Application group.
type Application interface {
	Organizations() map[string]ApplicationOrg
}

// ApplicationOrg is an application organization.
type ApplicationOrg interface {
	Org
	AnchorPeers() []*pb.AnchorPeer
}

// Consortiums maps the names of consortiums in a system channel.
type Consortiums interface {
	Consortiums() map[string]Consortium
}

// Consortium is one consortium.
type Consortium interface {
	ChannelCreationPolicy() *cb.Policy
	Organizations() map[string]Org
}
