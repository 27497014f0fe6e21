package channelconfig

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/configtx"
	"raftmig/orderer/msp"
	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
)

// Bundle is one consistent, immutable view of a channel configuration. What
// its methods return must not be changed.
type Bundle struct {
	channel   *channelConfig
	policies  policies.Manager
	validator configtx.Validator
}

var _ Resources = (*Bundle)(nil)

// NewBundle decodes and checks a configuration (spec 7.2). It does not ask
// whether its capabilities are supported. The configuration must not be
// changed afterwards.
func NewBundle(channelID string, config *cb.Config) (*Bundle, error) {
	return newBundle(channelID, config, msp.New)
}

// NewBundleFromEnvelope is NewBundle for the configuration in a CONFIG
// envelope, of the channel that its header names.
func NewBundleFromEnvelope(env *cb.Envelope) (*Bundle, error) {
	return newBundleFromEnvelope(env, msp.New)
}

func newBundleFromEnvelope(env *cb.Envelope, newMSP mspConstructor) (*Bundle, error) {
	payload, err := protoutil.UnmarshalPayload(env.GetPayload())
	if err != nil {
		return nil, fmt.Errorf("failed to unmarshal payload from envelope: %w", err)
	}
	config := &cb.ConfigEnvelope{}
	if err := proto.Unmarshal(payload.Data, config); err != nil {
		return nil, fmt.Errorf("failed to unmarshal config envelope from payload: %w", err)
	}
	if payload.Header == nil {
		return nil, errors.New("envelope header cannot be nil")
	}
	header, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil {
		return nil, fmt.Errorf("failed to unmarshal channel header: %w", err)
	}
	return newBundle(header.ChannelId, config.Config, newMSP)
}

func newBundle(channelID string, config *cb.Config, newMSP mspConstructor) (*Bundle, error) {
	if err := checkCapabilityLevels(config); err != nil {
		return nil, err
	}
	channel, err := newChannelConfig(config.ChannelGroup, newMSP)
	if err != nil {
		return nil, fmt.Errorf("initializing channelconfig failed: %w", err)
	}
	pm, err := policies.NewManager(ChannelGroup, config.ChannelGroup, channel.msps)
	if err != nil {
		return nil, fmt.Errorf("initializing policymanager failed: %w", err)
	}
	validator, err := configtx.NewValidator(channelID, config, ChannelGroup, pm)
	if err != nil {
		return nil, fmt.Errorf("initializing configtx manager failed: %w", err)
	}
	return &Bundle{channel: channel, policies: pm, validator: validator}, nil
}

// checkCapabilityLevels refuses channel and application capabilities without
// orderer capabilities.
func checkCapabilityLevels(config *cb.Config) error {
	switch {
	case config == nil:
		return errors.New("channelconfig Config cannot be nil")
	case config.ChannelGroup == nil:
		return errors.New("config must contain a channel group")
	}
	orderer, ok := config.ChannelGroup.Groups[OrdererGroup]
	if !ok || hasCapabilities(orderer) {
		return nil
	}
	if hasCapabilities(config.ChannelGroup) {
		return errors.New("cannot enable channel capabilities without orderer support first")
	}
	if hasCapabilities(config.ChannelGroup.Groups[ApplicationGroup]) {
		return errors.New("cannot enable application capabilities without orderer support first")
	}
	return nil
}

func hasCapabilities(group *cb.ConfigGroup) bool {
	_, ok := group.GetValues()[CapabilitiesKey]
	return ok
}

// ConfigtxValidator judges updates of this configuration.
func (b *Bundle) ConfigtxValidator() configtx.Validator { return b.validator }

// PolicyManager finds the policies of this configuration.
func (b *Bundle) PolicyManager() policies.Manager { return b.policies }

// MSPManager holds the MSPs of all groups.
func (b *Bundle) MSPManager() msp.Manager { return b.channel.msps }

// ChannelConfig returns the channel-level values.
func (b *Bundle) ChannelConfig() Channel { return b.channel }

// OrdererConfig returns the Orderer group, if there is one.
func (b *Bundle) OrdererConfig() (Orderer, bool) {
	if b.channel.orderer == nil {
		return nil, false
	}
	return b.channel.orderer, true
}

// ApplicationConfig returns the Application group, if there is one.
func (b *Bundle) ApplicationConfig() (Application, bool) {
	if b.channel.application == nil {
		return nil, false
	}
	return b.channel.application, true
}

// ConsortiumsConfig returns the Consortiums group, if there is one.
func (b *Bundle) ConsortiumsConfig() (Consortiums, bool) {
	if b.channel.consortiums == nil {
		return nil, false
	}
	return b.channel.consortiums, true
}
