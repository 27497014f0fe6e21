package channelparticipation

import (
	"bytes"
	"errors"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// ValidateJoinBlock returns the channel that a block would join and whether it
// is an application channel, or why no channel can be joined with the block:
// it has to be a config block, with its data unharmed, of a system channel
// (Consortiums) or an application channel (Application).
func ValidateJoinBlock(block *cb.Block) (channelID string, isAppChannel bool, err error) {
	if !protoutil.IsConfigBlock(block) {
		return "", false, errors.New("block is not a config block")
	}
	if block.Header == nil {
		return "", false, errors.New("block header is nil")
	}
	if !bytes.Equal(protoutil.BlockDataHash(block.Data), block.Header.DataHash) {
		return "", false, errors.New("the block's data is not what its header claims")
	}
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return "", false, err
	}
	config, err := channelconfig.NewBundleFromEnvelope(env)
	if err != nil {
		return "", false, err
	}
	channelID = config.ConfigtxValidator().ChannelID()
	if _, ok := config.ConsortiumsConfig(); ok {
		return channelID, false, nil
	}
	if _, ok := config.ApplicationConfig(); !ok {
		return "", false, errors.New("invalid config: must have at least one of application or consortiums")
	}
	return channelID, true, nil
}
