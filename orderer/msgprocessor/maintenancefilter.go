package msgprocessor

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// NewBundleFunc gives a channel configuration its meaning; an error says why
// it is not valid.
type NewBundleFunc func(channelID string, config *cb.Config) (channelconfig.Resources, error)

// MaintenanceFilter enforces the rules by which a channel enters maintenance
// mode, changes its consensus type and leaves maintenance mode (spec 1.3). It
// applies to CONFIG messages that carry the next configuration.
type MaintenanceFilter struct {
	NewBundle NewBundleFunc
	Logger    *zap.SugaredLogger
}

// migrationTargets are the consensus types that may be changed to.
var migrationTargets = map[string]bool{
	channelconfig.ConsensusEtcdRaft: true, channelconfig.ConsensusSolo: true, channelconfig.ConsensusKafka: true,
}

// Apply implements Rule.
func (f MaintenanceFilter) Apply(config channelconfig.Resources, msg *protoutil.Message) error {
	current, err := ordererConfig(config)
	if err != nil {
		return err
	}
	next, err := protoutil.ConfigEnvelope(msg.Envelope)
	if err != nil {
		return fmt.Errorf("envelope unmarshalling failed: %w", err)
	}
	channelID := config.ConfigtxValidator().ChannelID()
	nextOrderer, err := f.parse(channelID, next)
	if err == nil {
		err = f.inspect(current, nextOrderer, next.LastUpdate)
	}
	if err != nil {
		return fmt.Errorf("config transaction inspection failed: %w", err)
	}
	if current.Capabilities().ConsensusTypeMigration() {
		f.announce(channelID, current, nextOrderer)
	}
	return nil
}

func (f MaintenanceFilter) parse(channelID string, next *cb.ConfigEnvelope) (channelconfig.Orderer, error) {
	if next.LastUpdate == nil {
		return nil, errors.New("updated config does not include a config update")
	}
	bundle, err := f.NewBundle(channelID, next.Config)
	if err != nil {
		return nil, fmt.Errorf("failed to parse config: %w", err)
	}
	o, ok := bundle.OrdererConfig()
	if !ok {
		return nil, errors.New("next config is missing orderer group")
	}
	return o, nil
}

// inspect applies rules 4 to 11 of spec 1.3 in their order. Rule 9, the type changes
// and the next state is NORMAL, cannot be met: rule 6 or rule 8 has been.
func (f MaintenanceFilter) inspect(current, next channelconfig.Orderer, update *cb.Envelope) error {
	fromType, toType := current.ConsensusType(), next.ConsensusType()
	fromState, toState := current.ConsensusState(), next.ConsensusState()
	if !current.Capabilities().ConsensusTypeMigration() {
		switch {
		case toState != ab.ConsensusType_STATE_NORMAL:
			return fmt.Errorf("next config attempted to change ConsensusType.State to %s, but capability is disabled", toState)
		case fromType != toType:
			return fmt.Errorf("next config attempted to change ConsensusType.Type from %s to %s, but capability is disabled", fromType, toType)
		}
		return nil
	}
	if fromState != toState {
		if err := onlyConsensusType(update); err != nil {
			return err
		}
		if fromType != toType {
			return fmt.Errorf("attempted to change ConsensusType.Type from %s to %s, but ConsensusType.State is changing from %s to %s",
				fromType, toType, fromState, toState)
		}
		if !bytes.Equal(current.ConsensusMetadata(), next.ConsensusMetadata()) {
			return fmt.Errorf("attempted to change ConsensusType.Metadata, but ConsensusType.State is changing from %s to %s", fromState, toState)
		}
	}
	if fromType == toType {
		return nil
	}
	change := fmt.Sprintf("attempted to change consensus type from %s to %s", fromType, toType)
	switch {
	case fromState == ab.ConsensusType_STATE_NORMAL:
		return fmt.Errorf("%s, but current config ConsensusType.State is not in maintenance mode", change)
	case !migrationTargets[toType]:
		return fmt.Errorf("%s, transition not supported", change)
	}
	if toType == channelconfig.ConsensusEtcdRaft {
		if err := proto.Unmarshal(next.ConsensusMetadata(), &etcdraft.ConfigMetadata{}); err != nil {
			return fmt.Errorf("failed to unmarshal etcdraft metadata configuration: %w", err)
		}
	}
	return nil
}

func (f MaintenanceFilter) announce(channelID string, current, next channelconfig.Orderer) {
	if from, to := current.ConsensusType(), next.ConsensusType(); from != to {
		f.Logger.Infof("[channel: %s] consensus-type migration: about to change from %s to %s", channelID, from, to)
	}
	if from, to := current.ConsensusState(), next.ConsensusState(); from != to {
		f.Logger.Infof("[channel: %s] maintenance mode: ConsensusType.State about to change from %s to %s", channelID, from, to)
	}
}

// onlyConsensusType refuses an update whose write set holds anything but the
// ConsensusType value (spec 1.4).
func onlyConsensusType(update *cb.Envelope) error {
	e, err := protoutil.EnvelopeToConfigUpdate(update)
	if err != nil {
		return fmt.Errorf("envelope to config update unmarshalling error: %w", err)
	}
	u, err := protoutil.UnmarshalConfigUpdate(e.ConfigUpdate)
	if err != nil {
		return fmt.Errorf("config update unmarshalling error: %w", err)
	}
	ws := u.GetWriteSet()
	orderer := ws.GetGroups()[channelconfig.OrdererGroup]
	switch {
	case len(ws.GetGroups()) == 0:
		return errors.New("config update contains no changes")
	case len(ws.Values) > 0:
		return errors.New("config update contains changes to values in group Channel")
	case len(ws.Groups) > 1:
		return errors.New("config update contains changes to more than one group")
	case orderer == nil:
		return errors.New("update does not contain the Orderer group")
	case len(orderer.Groups) > 0:
		return errors.New("config update contains changes to groups within the Orderer group")
	case orderer.Values[channelconfig.ConsensusTypeKey] == nil:
		return errors.New("config update does not contain the ConsensusType value")
	case len(orderer.Values) > 1:
		return errors.New("config update contain more then just the ConsensusType value in the Orderer group")
	}
	return nil
}
