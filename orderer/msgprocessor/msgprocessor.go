// Package msgprocessor decides whether a message may be ordered on a channel:
// the filters in Fabric's order, maintenance mode, configuration updates and
// channel creation (spec 1, 6.2, 6.3, 7.3). It is pure.
package msgprocessor

import (
	"errors"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// Errors that Broadcast maps to a status (spec 1.6): NOT_FOUND, FORBIDDEN,
// SERVICE_UNAVAILABLE. Every other error is a BAD_REQUEST.
var (
	ErrChannelDoesNotExist = errors.New("channel does not exist")
	ErrPermissionDenied    = errors.New("permission denied")
	ErrMaintenanceMode     = errors.New("maintenance mode")
)

// Classification says how a message is processed.
type Classification int

// The kinds of messages by header type (spec 6.2).
const (
	NormalMsg Classification = iota
	ConfigUpdateMsg
	ConfigMsg
)

// Processor validates the messages of one channel.
type Processor interface {
	// ClassifyMsg looks at the header type only.
	ClassifyMsg(header *cb.ChannelHeader) Classification
	// ProcessNormalMsg returns the config sequence against which the message was found valid.
	ProcessNormalMsg(msg *protoutil.Message) (configSeq uint64, err error)
	// ProcessConfigUpdateMsg turns a CONFIG_UPDATE into the CONFIG or
	// ORDERER_TRANSACTION message to be ordered.
	ProcessConfigUpdateMsg(msg *protoutil.Message) (config *protoutil.Message, configSeq uint64, err error)
	// ProcessConfigMsg validates anew a message that ProcessConfigUpdateMsg made
	// under an older configuration, and returns it as it would be made now.
	ProcessConfigMsg(msg *protoutil.Message) (config *protoutil.Message, configSeq uint64, err error)
}
