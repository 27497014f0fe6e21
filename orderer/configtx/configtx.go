package configtx

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
)

// Validator judges configuration updates against one channel's configuration.
type Validator interface {
	// ChannelID is the channel that the configuration belongs to.
	ChannelID() string
	// Sequence is the configuration's sequence number.
	Sequence() uint64
	// ConfigProto returns the configuration. It must not be changed.
	ConfigProto() *cb.Config
	// ProposeConfigUpdate applies a CONFIG_UPDATE envelope and returns the
	// configuration that would result, with the update in it.
	ProposeConfigUpdate(update *cb.Envelope) (*cb.ConfigEnvelope, error)
	// Validate checks that config is what its own LastUpdate makes of the
	// current configuration.
	Validate(config *cb.ConfigEnvelope) error
}
