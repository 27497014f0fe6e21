package msgprocessor

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// ChannelCreationSupport is what deciding about a new channel needs.
type ChannelCreationSupport interface {
	// ChannelsCount is the number of channels including the system channel.
	ChannelsCount() int
	// ValidateConsensusMetadata checks the consenter's metadata (spec 4.3).
	ValidateConsensusMetadata(oldConfig, newConfig channelconfig.Orderer, newChannel bool) error
}

// SystemChannelFilter checks the creation of a channel: limits, maintenance
// mode, and that the new configuration is what its own update makes of the
// template (spec 6.3). It lets all other messages pass.
type SystemChannelFilter struct {
	Support   ChannelCreationSupport
	Templator Templator
}

// Apply implements Rule.
func (f SystemChannelFilter) Apply(config channelconfig.Resources, msg *protoutil.Message) error {
	p, err := protoutil.UnmarshalPayload(msg.GetPayload())
	if err != nil {
		return fmt.Errorf("bad payload: %w", err)
	}
	if p.Header == nil {
		return errors.New("missing payload header")
	}
	h, err := header(p)
	if err != nil {
		return fmt.Errorf("bad channel header: %w", err)
	}
	if h.Type != int32(cb.HeaderType_ORDERER_TRANSACTION) {
		return nil
	}
	o, err := ordererConfig(config)
	if err != nil {
		return err
	}
	// strictly greater, as the count includes the system channel
	if limit := o.MaxChannelsCount(); limit > 0 && uint64(f.Support.ChannelsCount()) > limit {
		return fmt.Errorf("channel creation would exceed maximimum number of channels: %d", limit)
	}
	if o.ConsensusState() != ab.ConsensusType_STATE_NORMAL {
		return fmt.Errorf("channel creation is not permitted: %w", ErrMaintenanceMode)
	}
	inner, err := protoutil.UnmarshalEnvelope(p.Data)
	if err != nil {
		return fmt.Errorf("payload data error unmarshalling to envelope: %w", err)
	}
	claimed, err := wrappedConfig(inner)
	if err != nil {
		return err
	}
	return f.inspect(config, o, claimed)
}

// wrappedConfig returns the configuration inside a channel creation.
func wrappedConfig(env *cb.Envelope) (*cb.ConfigEnvelope, error) {
	p, err := protoutil.UnmarshalPayload(env.Payload)
	if err != nil {
		return nil, fmt.Errorf("error unmarshalling wrapped configtx envelope payload: %w", err)
	}
	if p.Header == nil {
		return nil, errors.New("wrapped configtx envelope missing header")
	}
	h, err := header(p)
	if err != nil {
		return nil, fmt.Errorf("error unmarshalling wrapped configtx envelope channel header: %w", err)
	}
	if h.Type != int32(cb.HeaderType_CONFIG) {
		return nil, errors.New("wrapped configtx envelope not a config transaction")
	}
	c := &cb.ConfigEnvelope{}
	if err := proto.Unmarshal(p.Data, c); err != nil {
		return nil, fmt.Errorf("error unmarshalling wrapped configtx config envelope from payload: %w", err)
	}
	if c.LastUpdate == nil {
		return nil, errors.New("updated config does not include a config update")
	}
	return c, nil
}

func (f SystemChannelFilter) inspect(config channelconfig.Resources, old channelconfig.Orderer, claimed *cb.ConfigEnvelope) error {
	template, err := f.Templator.NewChannelConfig(config, claimed.LastUpdate)
	if err != nil {
		return fmt.Errorf("error constructing new channel config from update: %w", err)
	}
	proposed, err := template.ConfigtxValidator().ProposeConfigUpdate(claimed.LastUpdate)
	if err != nil {
		return fmt.Errorf("error proposing channel update to new channel config: %w", err)
	}
	if !proto.Equal(proposed, claimed) {
		return errors.New("config proposed by the channel creation request did not match the config received with the channel creation request")
	}
	bundle, err := f.Templator.NewBundle(template.ConfigtxValidator().ChannelID(), proposed.Config)
	if err != nil {
		return fmt.Errorf("config does not validly parse: %w", err)
	}
	if err := template.ValidateNew(bundle); err != nil {
		return fmt.Errorf("new bundle invalid: %w", err)
	}
	o, ok := bundle.OrdererConfig()
	if !ok {
		return errors.New("config is missing orderer group")
	}
	if err := f.Support.ValidateConsensusMetadata(old, o, true); err != nil {
		return fmt.Errorf("consensus metadata update for channel creation is invalid: %w", err)
	}
	return CapabilitiesSupported(bundle)
}

// CapabilitiesSupported returns an error if a configuration asks for channel
// or orderer capabilities that this engine does not know.
func CapabilitiesSupported(config channelconfig.Resources) error {
	if o, ok := config.OrdererConfig(); ok {
		if err := o.Capabilities().Supported(); err != nil {
			return fmt.Errorf("config update is not compatible: %w", err)
		}
	}
	if err := config.ChannelConfig().Capabilities().Supported(); err != nil {
		return fmt.Errorf("config update is not compatible: %w", err)
	}
	return nil
}
