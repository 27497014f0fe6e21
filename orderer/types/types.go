// Package types is what the channel participation API says about the channels
// of an orderer (spec 9): the JSON bodies and the errors with Fabric's texts.
package types

import "errors"

// ErrorResponse is the body of every answer that is not a success.
type ErrorResponse struct {
	Error string `json:"error"`
}

// ChannelList is the body of the list of channels.
type ChannelList struct {
	// SystemChannel is nil if there is none.
	SystemChannel *ChannelInfoShort `json:"systemChannel"`
	// Channels are the application channels; nil if there are none.
	Channels []ChannelInfoShort `json:"channels"`
}

// ChannelInfoShort names a channel and where more can be asked about it.
type ChannelInfoShort struct {
	Name string `json:"name"`
	// URL is relative to the endpoint.
	URL string `json:"url"`
}

// ChannelInfo is the body that describes one channel.
type ChannelInfo struct {
	Name              string            `json:"name"`
	URL               string            `json:"url"`
	ConsensusRelation ConsensusRelation `json:"consensusRelation"`
	Status            Status            `json:"status"`
	// Height is the number of blocks.
	Height uint64 `json:"height"`
}

// ConsensusRelation says what an orderer is to a channel's consensus.
type ConsensusRelation string

// The relations.
const (
	// ConsensusRelationConsenter: it is one of the channel's consenters.
	ConsensusRelationConsenter ConsensusRelation = "consenter"
	// ConsensusRelationFollower: it is none, and takes the channel's blocks from others.
	ConsensusRelationFollower ConsensusRelation = "follower"
	// ConsensusRelationConfigTracker: it is none, and only looks whether that changes.
	ConsensusRelationConfigTracker ConsensusRelation = "config-tracker"
	// ConsensusRelationOther: the consensus type knows no such distinction (kafka, solo).
	ConsensusRelationOther ConsensusRelation = "other"
)

// Status says how an orderer is doing with a channel.
type Status string

// The states.
const (
	// StatusActive: it orders the channel, or follows it from its join block on.
	StatusActive Status = "active"
	// StatusOnBoarding: it is fetching the blocks up to its join block.
	StatusOnBoarding Status = "onboarding"
	// StatusInactive: it does not do anything with the channel.
	StatusInactive Status = "inactive"
	// StatusFailed: the last operation on the channel failed.
	StatusFailed Status = "failed"
)

// Errors of joining and removing channels.
var (
	ErrSystemChannelExists      = errors.New("system channel exists")
	ErrChannelAlreadyExists     = errors.New("channel already exists")
	ErrAppChannelsAlreadyExists = errors.New("application channels already exist")
	ErrChannelNotExist          = errors.New("channel does not exist")
	ErrChannelPendingRemoval    = errors.New("channel pending removal")
	ErrChannelRemovalFailure    = errors.New("channel removal failure")
)
