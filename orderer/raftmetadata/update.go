package raftmetadata

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// FromConfigUpdate returns the Raft metadata that an update sets, or nil if it
// does not change the ConsensusType value: its version in the write set is that
// of the read set, where an absent value counts as 0 (spec 4.7).
func FromConfigUpdate(update *cb.ConfigUpdate) (*etcdraft.ConfigMetadata, error) {
	written := update.GetWriteSet().GetGroups()[channelconfig.OrdererGroup].GetValues()[channelconfig.ConsensusTypeKey]
	read := update.GetReadSet().GetGroups()[channelconfig.OrdererGroup].GetValues()[channelconfig.ConsensusTypeKey]
	if written == nil || written.Version == read.GetVersion() {
		return nil, nil
	}
	ct := &ab.ConsensusType{}
	if err := proto.Unmarshal(written.Value, ct); err != nil {
		return nil, fmt.Errorf("failed to unmarshal consensusType config update: %w", err)
	}
	md := &etcdraft.ConfigMetadata{}
	if err := proto.Unmarshal(ct.Metadata, md); err != nil {
		return nil, fmt.Errorf("failed to unmarshal updated (new) etcdraft metadata configuration: %w", err)
	}
	return md, nil
}

// FromConfigEnvelope returns the Raft metadata that a CONFIG envelope sets
// through its last update, or nil if it does not change the ConsensusType
// value. Any other header type gives nil.
func FromConfigEnvelope(env *cb.Envelope) (*etcdraft.ConfigMetadata, error) {
	h, err := protoutil.ChannelHeader(env)
	if err != nil {
		return nil, err
	}
	if h.Type != int32(cb.HeaderType_CONFIG) {
		return nil, nil
	}
	config, err := protoutil.ConfigEnvelope(env)
	if err != nil {
		return nil, err
	}
	if config.LastUpdate == nil {
		return nil, nil
	}
	signed, err := protoutil.EnvelopeToConfigUpdate(config.LastUpdate)
	if err != nil {
		return nil, fmt.Errorf("could not read config update: %w", err)
	}
	update, err := protoutil.UnmarshalConfigUpdate(signed.ConfigUpdate)
	if err != nil {
		return nil, fmt.Errorf("could not read config update: %w", err)
	}
	return FromConfigUpdate(update)
}

// OfConfigBlock returns the Raft metadata in force with a config block (of type
// CONFIG). It returns an error if the channel is not a Raft channel by then.
func OfConfigBlock(block *cb.Block) (*etcdraft.ConfigMetadata, error) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return nil, err
	}
	config, err := protoutil.ConfigEnvelope(env)
	if err != nil {
		return nil, err
	}
	orderer := config.GetConfig().GetChannelGroup().GetGroups()[channelconfig.OrdererGroup]
	value := orderer.GetValues()[channelconfig.ConsensusTypeKey]
	if value == nil {
		return nil, errors.New("no orderer config in config block")
	}
	ct := &ab.ConsensusType{}
	if err := proto.Unmarshal(value.Value, ct); err != nil {
		return nil, fmt.Errorf("failed to unmarshal ConsensusType: %w", err)
	}
	if ct.Type != channelconfig.ConsensusEtcdRaft {
		return nil, fmt.Errorf("consensus type is %q, not %q", ct.Type, channelconfig.ConsensusEtcdRaft)
	}
	return Unmarshal(ct.Metadata)
}
