package msgprocessor

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/timestamppb"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// ChannelSupport is what a processor needs of its channel.
type ChannelSupport interface {
	protoutil.Signer
	// Resources returns the configuration in force. One such view serves for
	// the whole of a message.
	Resources() channelconfig.Resources
	// ProposeConfigUpdate returns the configuration that a CONFIG_UPDATE makes
	// of the current one, after all checks of configuration and consenter.
	ProposeConfigUpdate(update *cb.Envelope) (*cb.ConfigEnvelope, error)
}

// Options are what all processors of a process share.
type Options struct {
	NewBundle NewBundleFunc
	// Now is the clock for expiry and for the timestamps of config messages.
	Now func() time.Time
	// NoExpirationChecks lets expired identities in.
	NoExpirationChecks bool
	// Logger is named "orderer.common.msgprocessor".
	Logger *zap.SugaredLogger
}

func (o Options) rules(last ...Rule) RuleSet {
	rules := RuleSet{EmptyRejectRule{}, SizeFilter{}}
	if !o.NoExpirationChecks {
		// before SigFilter, which costs more
		rules = append(rules, ExpirationFilter{Now: o.Now})
	}
	return append(append(rules, WritersFilter(o.Logger)), last...)
}

// StandardChannel processes the messages of an application channel.
type StandardChannel struct {
	support     ChannelSupport
	options     Options
	rules       RuleSet
	maintenance MaintenanceFilter
}

var _ Processor = (*StandardChannel)(nil)

// NewStandardChannel returns the processor of an application channel.
func NewStandardChannel(support ChannelSupport, o Options) *StandardChannel {
	return newStandardChannel(support, o, o.rules())
}

func newStandardChannel(support ChannelSupport, o Options, rules RuleSet) *StandardChannel {
	return &StandardChannel{support, o, rules, MaintenanceFilter{NewBundle: o.NewBundle, Logger: o.Logger}}
}

// ClassifyMsg implements Processor.
func (s *StandardChannel) ClassifyMsg(h *cb.ChannelHeader) Classification { return Classify(h) }

// Classify says how a message with that header is processed (spec 6.2).
func Classify(h *cb.ChannelHeader) Classification {
	switch cb.HeaderType(h.GetType()) {
	case cb.HeaderType_CONFIG_UPDATE:
		return ConfigUpdateMsg
	case cb.HeaderType_CONFIG, cb.HeaderType_ORDERER_TRANSACTION:
		return ConfigMsg
	default:
		return NormalMsg
	}
}

// ProcessNormalMsg implements Processor. In maintenance mode normal messages
// are refused before any rule is asked (spec 1.6).
func (s *StandardChannel) ProcessNormalMsg(msg *protoutil.Message) (uint64, error) {
	config := s.support.Resources()
	o, err := ordererConfig(config)
	if err != nil {
		return 0, err
	}
	if o.Capabilities().ConsensusTypeMigration() && o.ConsensusState() != ab.ConsensusType_STATE_NORMAL {
		return 0, fmt.Errorf("normal transactions are rejected: %w", ErrMaintenanceMode)
	}
	return config.ConfigtxValidator().Sequence(), s.rules.Apply(config, msg)
}

// ProcessConfigUpdateMsg implements Processor (spec 1.2).
func (s *StandardChannel) ProcessConfigUpdateMsg(msg *protoutil.Message) (*protoutil.Message, uint64, error) {
	config := s.support.Resources()
	seq := config.ConfigtxValidator().Sequence()
	if err := s.rules.Apply(config, msg); err != nil {
		return nil, 0, fmt.Errorf("config update for existing channel did not pass initial checks: %w", err)
	}
	channelID := config.ConfigtxValidator().ChannelID()
	next, err := s.support.ProposeConfigUpdate(msg.Envelope)
	if err != nil {
		return nil, 0, fmt.Errorf("error applying config update to existing channel '%s': %w", channelID, err)
	}
	wrapped, err := s.wrap(cb.HeaderType_CONFIG, channelID, next)
	if err != nil {
		return nil, 0, err
	}
	// The wrapped message is larger, and this node's own signature must pass too.
	if err := s.rules.Apply(config, wrapped); err != nil {
		return nil, 0, fmt.Errorf("config update for existing channel did not pass final checks: %w", err)
	}
	if err := s.maintenance.Apply(config, wrapped); err != nil {
		return nil, 0, fmt.Errorf("config update for existing channel did not pass maintenance checks: %w", err)
	}
	return wrapped, seq, nil
}

// ProcessConfigMsg implements Processor: the update inside is processed anew.
func (s *StandardChannel) ProcessConfigMsg(msg *protoutil.Message) (*protoutil.Message, uint64, error) {
	update, err := lastUpdate(msg.Envelope)
	if err != nil {
		return nil, 0, err
	}
	return s.ProcessConfigUpdateMsg(update)
}

func lastUpdate(env *cb.Envelope) (*protoutil.Message, error) {
	c, err := protoutil.ConfigEnvelope(env)
	if err != nil {
		return nil, err
	}
	if c.LastUpdate == nil {
		return nil, errors.New("config message does not include a config update")
	}
	return protoutil.NewMessage(c.LastUpdate), nil
}

// wrap returns data in an envelope signed by this orderer. As in Fabric the
// header has version 0, epoch 0, whole seconds and no transaction ID.
func (s *StandardChannel) wrap(t cb.HeaderType, channelID string, data proto.Message) (*protoutil.Message, error) {
	sh, err := protoutil.NewSignatureHeader(s.support)
	if err != nil {
		return nil, err
	}
	ch := &cb.ChannelHeader{
		Type: int32(t), ChannelId: channelID,
		Timestamp: &timestamppb.Timestamp{Seconds: s.options.Now().Unix()},
	}
	b, err := protoutil.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("marshalling %s message: %w", t, err)
	}
	payload, err := protoutil.Marshal(&cb.Payload{
		Header: &cb.Header{ChannelHeader: protoutil.MustMarshal(ch), SignatureHeader: protoutil.MustMarshal(sh)},
		Data:   b,
	})
	if err != nil {
		return nil, fmt.Errorf("marshalling %s message: %w", t, err)
	}
	signature, err := s.support.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("signing %s message: %w", t, err)
	}
	return protoutil.NewMessage(&cb.Envelope{Payload: payload, Signature: signature}), nil
}
