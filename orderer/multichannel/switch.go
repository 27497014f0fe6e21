package multichannel

import (
	"fmt"

	"raftmig/orderer/consensus"
	"raftmig/orderer/follower"
	"raftmig/orderer/types"
)

// SwitchFollowerToChain puts a chain in the place of a follower that has ended
// because this node has become a consenter of its channel. A follower that was
// removed meanwhile is left alone.
func (r *Registrar) SwitchFollowerToChain(f *follower.Chain) {
	r.creating.Lock()
	defer r.creating.Unlock()
	r.mu.RLock()
	current := r.followers[f.ChannelID] == f
	r.mu.RUnlock()
	if !current || r.halting {
		return
	}
	if err := r.becomeConsenter(f.ChannelID); err != nil {
		r.fail("Failed to switch channel %s from follower to consenter: %w", f.ChannelID, err)
		return
	}
	r.log().Infof("Created and started channel %s", f.ChannelID)
}

func (r *Registrar) becomeConsenter(channelID string) error {
	res, err := r.openExisting(channelID)
	if err == nil && res == nil {
		err = fmt.Errorf("the ledger of channel %s is empty", channelID)
	}
	if err != nil {
		return err
	}
	c, err := r.newChainSupport(res)
	if err != nil {
		return err
	}
	if repo := r.options.Participation.JoinBlocks; repo != nil {
		if err := repo.Remove(channelID); err != nil {
			return err
		}
	}
	r.mu.Lock() // the channel is there all the time
	r.chains[channelID] = c
	delete(r.followers, channelID)
	r.mu.Unlock()
	c.start()
	return nil
}

// Evicted is told of a chain that has stopped because this node is no consenter
// of its channel any more (etcdraft's option of that name). Without a system
// channel the channel is followed from then on; with one, the consenter has it
// tracked (spec 4.9). A chain that was removed or replaced meanwhile is left alone.
func (r *Registrar) Evicted(channelID string, chain consensus.Chain) {
	r.creating.Lock()
	defer r.creating.Unlock()
	c := r.Chain(channelID)
	if c == nil || c.chain != chain || r.halting {
		r.log().Infof("Channel %s consenter was removed", channelID)
		return
	}
	if r.SystemChannel() != nil {
		r.metrics.set(channelID, types.ConsensusRelationConfigTracker, types.StatusInactive)
		return
	}
	c.writer.flush()
	res, err := r.openExisting(channelID)
	if err == nil {
		var f followerChain
		if f, err = r.newFollower(res, nil, true); err == nil {
			r.mu.Lock() // the channel is there all the time
			delete(r.chains, channelID)
			r.mu.Unlock()
			f.start()
			r.log().Infof("Created and started a follower.Chain for channel %s", channelID)
			return
		}
	}
	r.fail("Failed to switch channel %s from consenter to follower: %w", channelID, err)
}
