package msgprocessor

import (
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// SystemChannelSupport is what the system channel's processor needs besides.
type SystemChannelSupport interface {
	ChannelSupport
	ChannelCreationSupport
}

// SystemChannel processes the messages of the system channel and those for
// channels that do not exist: a CONFIG_UPDATE for one of these creates it.
type SystemChannel struct {
	*StandardChannel
	templator Templator
}

var _ Processor = (*SystemChannel)(nil)

// NewSystemChannel returns the processor of the system channel.
func NewSystemChannel(support SystemChannelSupport, o Options) *SystemChannel {
	t := Templator{NewBundle: o.NewBundle, Logger: o.Logger}
	filter := SystemChannelFilter{Support: support, Templator: t}
	return &SystemChannel{newStandardChannel(support, o, o.rules(filter)), t}
}

// ProcessNormalMsg implements Processor; a message for another channel is one
// for a channel that does not exist.
func (s *SystemChannel) ProcessNormalMsg(msg *protoutil.Message) (uint64, error) {
	h, err := msg.ChannelHeader()
	if err != nil {
		return 0, err
	}
	if h.ChannelId != s.channelID() {
		return 0, ErrChannelDoesNotExist
	}
	return s.StandardChannel.ProcessNormalMsg(msg)
}

func (s *SystemChannel) channelID() string {
	return s.support.Resources().ConfigtxValidator().ChannelID()
}

// ProcessConfigUpdateMsg implements Processor: an update for an unknown channel
// becomes an ORDERER_TRANSACTION that creates it (spec 7.3).
func (s *SystemChannel) ProcessConfigUpdateMsg(msg *protoutil.Message) (*protoutil.Message, uint64, error) {
	h, err := msg.ChannelHeader()
	if err != nil {
		return nil, 0, err
	}
	if h.ChannelId == s.channelID() {
		return s.StandardChannel.ProcessConfigUpdateMsg(msg)
	}
	config := s.support.Resources()
	template, err := s.templator.NewChannelConfig(config, msg.Envelope)
	if err != nil {
		return nil, 0, err
	}
	next, err := template.ConfigtxValidator().ProposeConfigUpdate(msg.Envelope)
	if err != nil {
		return nil, 0, fmt.Errorf("error validating channel creation transaction for new channel '%s', could not successfully apply update to template configuration: %w", h.ChannelId, err)
	}
	inner, err := s.wrap(cb.HeaderType_CONFIG, h.ChannelId, next)
	if err != nil {
		return nil, 0, err
	}
	wrapped, err := s.wrap(cb.HeaderType_ORDERER_TRANSACTION, config.ConfigtxValidator().ChannelID(), inner.Envelope)
	if err != nil {
		return nil, 0, err
	}
	if err := s.rules.Apply(config, wrapped); err != nil {
		return nil, 0, err
	}
	return wrapped, config.ConfigtxValidator().Sequence(), nil
}

// ProcessConfigMsg implements Processor for CONFIG and ORDERER_TRANSACTION.
func (s *SystemChannel) ProcessConfigMsg(msg *protoutil.Message) (*protoutil.Message, uint64, error) {
	const abort = "Abort processing config msg because "
	p, err := protoutil.EnvelopePayload(msg.Envelope)
	if err != nil {
		return nil, 0, fmt.Errorf(abort+"payload unmarshalling error: %w", err)
	}
	h, err := header(p)
	if err != nil {
		return nil, 0, fmt.Errorf(abort+"channel header unmarshalling error: %w", err)
	}
	switch cb.HeaderType(h.Type) {
	case cb.HeaderType_CONFIG:
		return s.StandardChannel.ProcessConfigMsg(msg)
	case cb.HeaderType_ORDERER_TRANSACTION:
		inner, err := protoutil.UnmarshalEnvelope(p.Data)
		if err != nil {
			return nil, 0, fmt.Errorf(abort+"payload data unmarshalling error: %w", err)
		}
		update, err := lastUpdate(inner)
		if err != nil {
			return nil, 0, fmt.Errorf(abort+"payload data unmarshalling error: %w", err)
		}
		return s.ProcessConfigUpdateMsg(update)
	}
	return nil, 0, fmt.Errorf(abort+"of unexpected envelope type %s", cb.HeaderType(h.Type))
}
