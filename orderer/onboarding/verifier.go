package onboarding

import (
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/cluster"
	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
)

// Verifier checks the blocks of one channel, one buffer after the other, against
// the configuration that the blocks before have led to.
type Verifier struct {
	channelID string
	current   channelconfig.Resources
}

// NewVerifier begins at a config block that is believed.
func NewVerifier(configBlock *cb.Block) (*Verifier, error) {
	config, err := resourcesOf(configBlock)
	if err != nil {
		return nil, err
	}
	return &Verifier{channelID: config.ConfigtxValidator().ChannelID(), current: config}, nil
}

// NewGenesisVerifier begins before a channel's genesis block, which is believed
// whoever sends it: the first block to be verified has to be that one.
func NewGenesisVerifier(channelID string) *Verifier { return &Verifier{channelID: channelID} }

// Verify checks consecutive blocks that follow those checked before.
func (v *Verifier) Verify(blocks []*cb.Block) error {
	if err := cluster.VerifyBlocks(blocks, v.signatures); err != nil {
		return err
	}
	for i := len(blocks) - 1; i >= 0; i-- {
		if !isChannelConfig(blocks[i]) {
			continue
		}
		next, err := resourcesOf(blocks[i])
		if err != nil {
			return fmt.Errorf("configuration in block [%d]: %w", blocks[i].Header.Number, err)
		}
		if id := next.ConfigtxValidator().ChannelID(); id != v.channelID {
			return fmt.Errorf("configuration in block [%d] is that of channel %s, not of %s", blocks[i].Header.Number, id, v.channelID)
		}
		v.current = next
		break
	}
	return nil
}

func (v *Verifier) signatures(signatures []*protoutil.SignedData, config *cb.ConfigEnvelope) error {
	rules := v.current
	if config != nil {
		bundle, err := channelconfig.NewBundle(v.channelID, config.Config)
		if err != nil {
			return err
		}
		rules = bundle
	}
	if rules == nil {
		return errors.New("no configuration to verify with")
	}
	policy, ok := rules.PolicyManager().GetPolicy(policies.BlockValidation)
	if !ok {
		return fmt.Errorf("policy %s wasn't found", policies.BlockValidation)
	}
	return policy.EvaluateSignedData(signatures)
}

// isChannelConfig reports whether a block carries its channel's configuration.
func isChannelConfig(block *cb.Block) bool {
	if !protoutil.IsConfigBlock(block) {
		return false
	}
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return false
	}
	h, err := protoutil.ChannelHeader(env)
	return err == nil && h.Type == int32(cb.HeaderType_CONFIG)
}

func resourcesOf(configBlock *cb.Block) (channelconfig.Resources, error) {
	env, err := protoutil.EnvelopeAt(configBlock, 0)
	if err != nil {
		return nil, err
	}
	return channelconfig.NewBundleFromEnvelope(env)
}

// endpointsIn returns the orderers that a configuration names.
func endpointsIn(config channelconfig.Resources) ([]cluster.Endpoint, error) {
	ord, ok := config.OrdererConfig()
	if !ok {
		return nil, errors.New("the configuration has no Orderer group")
	}
	return cluster.EndpointsOf(config.ChannelConfig(), ord), nil
}
