// Package channelcfg reads channel configurations out of blocks, builds the
// three configuration updates of the migration with fabric-config, signs and
// submits them.
//
// Updates are minimal: the write set holds the ConsensusType value and nothing
// else, as the maintenance filter demands (spec 1.4); values keep their
// modification policy and any field that this program does not know.
package channelcfg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// View is a channel's configuration as one config block says it.
type View struct {
	Channel   string
	Block     *cb.Block
	Config    *cb.Config
	Consensus *ab.ConsensusType
	// LastUpdate is the CONFIG_UPDATE that led here; nil in a genesis block.
	LastUpdate *cb.Envelope
}

// FromBlock decodes a CONFIG block.
func FromBlock(block *cb.Block) (*View, error) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return nil, err
	}
	h, err := protoutil.ChannelHeader(env)
	if err != nil {
		return nil, err
	}
	ce, err := protoutil.ConfigEnvelope(env)
	if err != nil {
		return nil, fmt.Errorf("channel %s, block %d: %w", h.ChannelId, block.GetHeader().GetNumber(), err)
	}
	if ce.Config.GetChannelGroup() == nil {
		return nil, fmt.Errorf("channel %s, block %d: configuration without channel group", h.ChannelId, block.GetHeader().GetNumber())
	}
	v := &View{Channel: h.ChannelId, Block: block, Config: ce.Config, LastUpdate: ce.LastUpdate}
	if v.Consensus, err = consensusOf(ce.Config); err != nil {
		return nil, fmt.Errorf("channel %s: %w", h.ChannelId, err)
	}
	return v, nil
}

var errNoOrderer = errors.New("the configuration has no Orderer group with a ConsensusType")

func consensusOf(config *cb.Config) (*ab.ConsensusType, error) {
	value, ok := consensusValue(config)
	if !ok {
		return nil, errNoOrderer
	}
	ct := &ab.ConsensusType{}
	if err := proto.Unmarshal(value.Value, ct); err != nil {
		return nil, fmt.Errorf("decoding ConsensusType: %w", err)
	}
	return ct, nil
}

func consensusValue(config *cb.Config) (*cb.ConfigValue, bool) {
	group := config.GetChannelGroup().GetGroups()[channelconfig.OrdererGroup]
	value, ok := group.GetValues()[channelconfig.ConsensusTypeKey]
	return value, ok && value != nil
}

// Number is the number of the config block.
func (v *View) Number() uint64 { return v.Block.GetHeader().GetNumber() }

// Hash is the hex SHA-256 of the config block's header.
func (v *View) Hash() string { return BlockHash(v.Block) }

// Sequence is the configuration's sequence number.
func (v *View) Sequence() uint64 { return v.Config.GetSequence() }

// Type is the consensus type: kafka, etcdraft, solo.
func (v *View) Type() string { return v.Consensus.GetType() }

// State is STATE_NORMAL or STATE_MAINTENANCE.
func (v *View) State() string { return v.Consensus.GetState().String() }

// MetadataHash is the hex SHA-256 of the consensus metadata, "" if empty.
func (v *View) MetadataHash() string { return HexHash(v.Consensus.GetMetadata()) }

// System reports whether this is the system channel: it has consortiums.
func (v *View) System() bool {
	_, ok := v.Config.GetChannelGroup().GetGroups()[channelconfig.ConsortiumsGroup]
	return ok
}

// ChannelCapabilities are the names of the channel-level capabilities, sorted.
func (v *View) ChannelCapabilities() ([]string, error) {
	return capabilities(v.Config.GetChannelGroup())
}

// OrdererCapabilities are the names of the Orderer group's capabilities, sorted.
func (v *View) OrdererCapabilities() ([]string, error) {
	return capabilities(v.Config.GetChannelGroup().GetGroups()[channelconfig.OrdererGroup])
}

func capabilities(group *cb.ConfigGroup) ([]string, error) {
	caps := &cb.Capabilities{}
	if err := proto.Unmarshal(group.GetValues()[channelconfig.CapabilitiesKey].GetValue(), caps); err != nil {
		return nil, fmt.Errorf("decoding Capabilities: %w", err)
	}
	names := make([]string, 0, len(caps.Capabilities))
	for name := range caps.Capabilities {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}

// BatchTimeout is the channel's batch timeout, 0 if it is absent or unreadable.
func (v *View) BatchTimeout() time.Duration {
	bt := &ab.BatchTimeout{}
	group := v.Config.GetChannelGroup().GetGroups()[channelconfig.OrdererGroup]
	if proto.Unmarshal(group.GetValues()[channelconfig.BatchTimeoutKey].GetValue(), bt) != nil {
		return 0
	}
	d, err := time.ParseDuration(bt.Timeout)
	if err != nil {
		return 0
	}
	return d
}

// KafkaBrokers are the broker addresses in the configuration, if any.
func (v *View) KafkaBrokers() []string {
	kb := &ab.KafkaBrokers{}
	group := v.Config.GetChannelGroup().GetGroups()[channelconfig.OrdererGroup]
	if proto.Unmarshal(group.GetValues()[channelconfig.KafkaBrokersKey].GetValue(), kb) != nil {
		return nil
	}
	return kb.Brokers
}

// BlockHash is the hex SHA-256 of a block's header.
func BlockHash(block *cb.Block) string {
	return hex.EncodeToString(protoutil.BlockHeaderHash(block.GetHeader()))
}

// HexHash is the hex SHA-256 of b, "" if b is empty.
func HexHash(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
