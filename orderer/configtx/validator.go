package configtx

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
)

type validator struct {
	channelID string
	namespace string // name of the root group, "Channel"
	config    *cb.Config
	elements  map[string]*element
	policies  policies.Manager
}

// NewValidator returns the validator of a channel's configuration, whose root
// group is called namespace ("Channel"). The modification policies are looked
// up in pm, which must have been built from the same configuration. The
// configuration must not be changed afterwards.
func NewValidator(channelID string, config *cb.Config, namespace string, pm policies.Manager) (Validator, error) {
	switch {
	case config == nil:
		return nil, errors.New("nil config parameter")
	case config.ChannelGroup == nil:
		return nil, errors.New("nil channel group")
	}
	if err := ValidateChannelID(channelID); err != nil {
		return nil, fmt.Errorf("bad channel ID: %w", err)
	}
	elements, err := flatten(config.ChannelGroup, namespace)
	if err != nil {
		return nil, fmt.Errorf("error converting config to map: %w", err)
	}
	return &validator{channelID: channelID, namespace: namespace, config: config, elements: elements, policies: pm}, nil
}

func (v *validator) ChannelID() string { return v.channelID }

func (v *validator) Sequence() uint64 { return v.config.Sequence }

func (v *validator) ConfigProto() *cb.Config { return v.config }

func (v *validator) ProposeConfigUpdate(envelope *cb.Envelope) (*cb.ConfigEnvelope, error) {
	update, err := protoutil.EnvelopeToConfigUpdate(envelope)
	if err != nil {
		return nil, fmt.Errorf("error converting envelope to config update: %w", err)
	}
	elements, err := v.authorize(update)
	if err != nil {
		return nil, fmt.Errorf("error authorizing update: %w", err)
	}
	group, err := v.assemble(elements)
	if err != nil {
		return nil, err
	}
	return &cb.ConfigEnvelope{
		Config:     &cb.Config{Sequence: v.config.Sequence + 1, ChannelGroup: group},
		LastUpdate: envelope,
	}, nil
}

func (v *validator) Validate(config *cb.ConfigEnvelope) error {
	switch {
	case config == nil:
		return errors.New("config envelope is nil")
	case config.Config == nil:
		return errors.New("config envelope has nil config")
	case config.Config.Sequence != v.config.Sequence+1:
		return fmt.Errorf("config currently at sequence %d, cannot validate config at sequence %d", v.config.Sequence, config.Config.Sequence)
	}
	update, err := protoutil.EnvelopeToConfigUpdate(config.LastUpdate)
	if err != nil {
		return err
	}
	elements, err := v.authorize(update)
	if err != nil {
		return err
	}
	group, err := v.assemble(elements)
	if err != nil {
		return err
	}
	if !proto.Equal(group, config.Config.ChannelGroup) {
		return errors.New("ConfigEnvelope LastUpdate did not produce the supplied config result")
	}
	return nil
}

// assemble builds the resulting configuration. Configurations of Fabric 1.0
// could have empty mod_policies; once there are orderer capabilities, an update
// fills them with "Admins" (spec 7.1).
func (v *validator) assemble(elements map[string]*element) (*cb.ConfigGroup, error) {
	root := "/" + v.namespace
	_, fill := elements[valueKey(root+"/Orderer/Capabilities")]
	group, err := assemble(elements, root, fill)
	if err != nil {
		return nil, fmt.Errorf("could not turn configMap back to channelGroup: %w", err)
	}
	return group, nil
}
