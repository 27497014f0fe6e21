package etcdraft

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/raftmetadata"
)

// ValidateConsensusMetadata checks the Raft metadata of a configuration update
// before it is ordered (spec 4.3): the consenter set itself, at most one change
// of members, and no avoidable loss of the quorum. For a new channel the
// consenters have to be among those of the system channel, whose chain this is.
//
// No metadata at all is refused as metadata without options. Fabric accepts it
// as no change; but the block that carries it removes every consenter, and all
// orderers of the channel end.
func (c *Chain) ValidateConsensusMetadata(oldConfig, newConfig channelconfig.Orderer, newChannel bool) error {
	if newConfig == nil || newChannel && newConfig.ConsensusType() != channelconfig.ConsensusEtcdRaft && len(newConfig.ConsensusMetadata()) == 0 {
		return nil
	}
	if oldConfig == nil {
		return errors.New("the current configuration has no orderer config")
	}
	old, err := raftmetadata.Unmarshal(oldConfig.ConsensusMetadata())
	if err != nil {
		return err
	}
	next := &etcdraft.ConfigMetadata{}
	if err := proto.Unmarshal(newConfig.ConsensusMetadata(), next); err != nil {
		return fmt.Errorf("failed to unmarshal new etcdraft metadata configuration: %w", err)
	}
	verify, err := raftmetadata.VerifyOptions(newConfig)
	if err != nil {
		return fmt.Errorf("failed to create x509 verify options from old and new orderer config: %w", err)
	}
	if err := raftmetadata.Verify(next, verify); err != nil {
		return fmt.Errorf("invalid new config metadata: %w", err)
	}
	if newChannel {
		return raftmetadata.VerifySubset(next.Consenters, old.Consenters)
	}
	bm, _ := c.membership()
	consenters, err := raftmetadata.Consenters(bm, old)
	if err != nil {
		return err
	}
	changes, err := raftmetadata.MembershipChanges(bm, consenters, next.Consenters)
	if err != nil {
		return err
	}
	verify.CurrentTime = time.Now()
	for _, added := range changes.Added {
		if err := raftmetadata.VerifyConsenter(added, verify); err != nil {
			return fmt.Errorf("consenter %s:%d has invalid certificates: %w", added.Host, added.Port, err)
		}
	}
	if active := c.activeNodes(); changes.UnacceptableQuorumLoss(active) {
		return fmt.Errorf("%d out of %d nodes are alive, configuration will result in quorum loss", len(active), len(consenters))
	}
	return nil
}
