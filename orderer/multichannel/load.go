package multichannel

import (
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// loadJoinBlocks reads the join blocks that are on disk.
func (r *Registrar) loadJoinBlocks() (map[string]*cb.Block, error) {
	repo := r.options.Participation.JoinBlocks
	blocks := map[string]*cb.Block{}
	if repo == nil {
		return blocks, nil
	}
	names, err := repo.Names()
	if err != nil {
		return nil, fmt.Errorf("Error listing join block file repo: %w", err) //nolint:staticcheck // Fabric's text
	}
	for _, name := range names {
		b, err := repo.Read(name)
		if err != nil {
			return nil, fmt.Errorf("Error reading join block file: '%s', error: %w", name, err) //nolint:staticcheck // Fabric's text
		}
		if blocks[name], err = protoutil.UnmarshalBlock(b); err != nil {
			return nil, fmt.Errorf("Error unmarshalling join block file: '%s', error: %w", name, err) //nolint:staticcheck // Fabric's text
		}
	}
	return blocks, nil
}

// buildApplicationChannels makes the channels of a node without a system
// channel: those that are being joined, then those of the ledgers.
func (r *Registrar) buildApplicationChannels(apps []*resources) ([]startable, error) {
	joined, err := r.loadJoinBlocks()
	if err != nil {
		return nil, err
	}
	var built []startable
	for channelID, block := range joined {
		member, err := r.judgeJoinBlock(block)
		if err == nil && isSystem(block) {
			err = errors.New("the join-block of a system channel needs General.BootstrapMethod none")
		}
		if err != nil {
			return nil, fmt.Errorf("Error: %w, channel: %s", err, channelID) //nolint:staticcheck // Fabric's text
		}
		c, err := r.buildJoined(channelID, block, member)
		if err != nil {
			return nil, fmt.Errorf("Failed to join channel %s: %w", channelID, err) //nolint:staticcheck // as Fabric's
		}
		built = append(built, c)
	}
	for _, res := range apps {
		if joined[res.channelID] != nil {
			continue
		}
		c, err := r.buildFromLedger(res)
		if err != nil {
			return nil, err
		}
		built = append(built, c)
	}
	return built, nil
}

// isSystem reports whether a config block is of a system channel.
func isSystem(block *cb.Block) bool {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return false
	}
	c, err := protoutil.ConfigEnvelope(env)
	return err == nil && c.GetConfig().GetChannelGroup().GetGroups()[channelconfig.ConsortiumsGroup] != nil
}

func (r *Registrar) buildFromLedger(res *resources) (startable, error) {
	member, err := r.isMember(res)
	if err != nil {
		return nil, fmt.Errorf("Failed to determine cluster membership from config-block, channel: %s, error: %w", res.channelID, err) //nolint:staticcheck // Fabric's text
	}
	if !member {
		f, err := r.newFollower(res, nil, false)
		if err != nil {
			return nil, fmt.Errorf("Failed to create follower for channel '%s', error: %w", res.channelID, err) //nolint:staticcheck // Fabric's text
		}
		return f, nil
	}
	c, err := r.newChainSupport(res)
	if err != nil {
		return nil, fmt.Errorf("Failed to create chain support for channel '%s', error: %w", res.channelID, err) //nolint:staticcheck // Fabric's text
	}
	r.add(c)
	return c, nil
}

// isMember returns whether a ledger's configuration makes this node a consenter.
func (r *Registrar) isMember(res *resources) (bool, error) {
	consenter, err := r.clusterConsenter(res.current())
	if err != nil {
		return false, err
	}
	block, err := blockledger.LastConfigBlock(res.ledger)
	if err != nil {
		return false, err
	}
	return consenter.IsChannelMember(block)
}
