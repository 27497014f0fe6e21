package msgprocessor

import (
	"fmt"

	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
)

// SigFilter evaluates a message's signature against one policy or, in
// maintenance mode, against another (spec 1.6). It looks at the state only,
// not at the capability.
type SigFilter struct {
	Normal, Maintenance string // names of policies
	Logger              *zap.SugaredLogger
}

// WritersFilter is the filter of those who send messages.
func WritersFilter(logger *zap.SugaredLogger) SigFilter {
	return SigFilter{Normal: policies.ChannelWriters, Maintenance: policies.ChannelOrdererWriters, Logger: logger}
}

// ReadersFilter is the filter of those who ask for blocks.
func ReadersFilter(logger *zap.SugaredLogger) SigFilter {
	return SigFilter{Normal: policies.ChannelReaders, Maintenance: policies.ChannelOrdererReaders, Logger: logger}
}

// Apply implements Rule. A signature that does not suffice is ErrPermissionDenied.
func (f SigFilter) Apply(config channelconfig.Resources, msg *protoutil.Message) error {
	o, err := ordererConfig(config)
	if err != nil {
		return err
	}
	signed, err := msg.SignedData()
	if err != nil {
		return fmt.Errorf("could not convert message to signedData: %w", err)
	}
	name := f.Normal
	if o.ConsensusState() == ab.ConsensusType_STATE_MAINTENANCE {
		name = f.Maintenance
	}
	policy, ok := config.PolicyManager().GetPolicy(name)
	if !ok {
		return fmt.Errorf("could not find policy %s", name)
	}
	if err := policy.EvaluateSignedData(signed); err != nil {
		f.Logger.Warnw("SigFilter evaluation failed", "error", err.Error(), "ConsensusState", o.ConsensusState(), "policyName", name)
		return fmt.Errorf("%s: %w", err.Error(), ErrPermissionDenied)
	}
	return nil
}
