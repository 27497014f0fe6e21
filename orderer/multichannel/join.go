package multichannel

import (
	"errors"
	"fmt"
	"slices"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/consensus/inactive"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

var errStopping = errors.New("the orderer is stopping")

// errRestart is what a system channel that was joined answers until the restart.
var errRestart = errors.New("system channel creation pending: server requires restart")

// mayJoin returns why a channel cannot be joined, by what there is (spec 9).
func (r *Registrar) mayJoin(channelID string, isAppChannel bool) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if removal, ok := r.removals[channelID]; ok {
		if removal.Status == types.StatusFailed {
			return types.ErrChannelRemovalFailure
		}
		return types.ErrChannelPendingRemoval
	}
	if r.system != nil {
		return types.ErrSystemChannelExists
	}
	if r.chains[channelID] != nil || r.followers[channelID] != nil {
		return types.ErrChannelAlreadyExists
	}
	if !isAppChannel && len(r.chains)+len(r.followers)+len(r.removals) > 0 {
		return types.ErrAppChannelsAlreadyExists
	}
	return nil
}

// JoinChannel implements channelparticipation.ChannelManagement: with a genesis
// block that names this node it becomes a consenter at once, else it follows
// the channel from the join block on, which is on disk before anything else, so
// that a crash does not end it. A system channel is serviced from the next start
// of the process on.
func (r *Registrar) JoinChannel(channelID string, block *cb.Block, isAppChannel bool) (types.ChannelInfo, error) {
	if err := r.mayJoin(channelID, isAppChannel); err != nil {
		return types.ChannelInfo{}, err // at once, even if another channel is being made
	}
	r.creating.Lock()
	defer r.creating.Unlock()
	if err := r.mayJoin(channelID, isAppChannel); err != nil {
		return types.ChannelInfo{}, err
	}
	if r.halting {
		return types.ChannelInfo{}, errStopping
	}
	if r.options.Participation.JoinBlocks == nil {
		return types.ChannelInfo{}, errors.New("channel participation API is disabled")
	}
	member, err := r.judgeJoinBlock(block)
	if err != nil {
		return types.ChannelInfo{}, err
	}
	if err := r.makeRoom(channelID); err != nil {
		return types.ChannelInfo{}, err
	}
	if err := r.options.Participation.JoinBlocks.Save(channelID, protoutil.MustMarshal(block)); err != nil {
		return types.ChannelInfo{}, fmt.Errorf("failed saving joinblock to file repo for channel %s: %w", channelID, err)
	}
	info, err := r.joinWith(channelID, block, isAppChannel, member)
	if err != nil {
		if err := r.options.Ledgers.Remove(channelID); err != nil {
			r.log().Warnf("Failed to cleanup ledger: %v", err)
		}
		r.gone(channelID)
		return types.ChannelInfo{}, err
	}
	r.log().Infof("Joining channel: %v", info)
	return info, nil
}

// judgeJoinBlock checks that this engine can service the channel of a join
// block, and returns whether the block makes this node a consenter. It changes
// nothing.
func (r *Registrar) judgeJoinBlock(block *cb.Block) (member bool, err error) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return false, fmt.Errorf("failed extracting config envelope from block: %w", err)
	}
	_, bundle, err := r.bundleOf(env)
	if err != nil {
		return false, fmt.Errorf("failed creating ledger resources: %w", err)
	}
	consenter, err := r.clusterConsenter(bundle)
	if err != nil {
		return false, err
	}
	if member, err = consenter.IsChannelMember(block); err != nil {
		return false, fmt.Errorf("failed to determine cluster membership from join-block: %w", err)
	}
	return member, nil
}

// makeRoom deletes what an earlier channel of the same name, or another engine,
// left: a join begins on nothing (issues 4016 and 5198 of Fabric). A ledger with
// blocks is not touched; all of those are in use, or the process would not run.
func (r *Registrar) makeRoom(channelID string) error {
	ids, err := r.options.Ledgers.ChannelIDs()
	if err != nil {
		return err
	}
	if slices.Contains(ids, channelID) {
		l, err := r.options.Ledgers.GetOrCreate(channelID)
		if err != nil {
			return fmt.Errorf("error getting ledger for channel: %s: %w", channelID, err)
		}
		if l.Height() > 0 {
			return fmt.Errorf("there is a ledger of channel %s that is not in use", channelID)
		}
	}
	if err := r.options.Ledgers.Remove(channelID); err != nil {
		return fmt.Errorf("removing what is left of an earlier channel %s: %w", channelID, err)
	}
	return nil
}

func (r *Registrar) joinWith(channelID string, block *cb.Block, isAppChannel, member bool) (types.ChannelInfo, error) {
	if !isAppChannel {
		return r.joinSystemChannel(block)
	}
	c, err := r.buildJoined(channelID, block, member)
	if err != nil {
		return types.ChannelInfo{}, err
	}
	c.start()
	return r.ChannelInfo(channelID)
}

// buildJoined makes the chain or the follower of a join block that is on disk.
func (r *Registrar) buildJoined(channelID string, block *cb.Block, member bool) (startable, error) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return nil, err
	}
	res, err := r.open(env, nil)
	if err != nil {
		return nil, err
	}
	if res.ledger.Height() > block.Header.Number { // it is newer than the join block, or the same
		if res, err = r.openExisting(channelID); err != nil {
			return nil, err
		}
	}
	if block.Header.Number > 0 || !member {
		return r.newFollower(res, block, false)
	}
	if res.ledger.Height() == 0 {
		if err := res.ledger.Append(block); err != nil {
			return nil, fmt.Errorf("failed to append join block to the ledger: %w", err)
		}
	}
	c, err := r.newChainSupport(res)
	if err != nil {
		return nil, fmt.Errorf("failed to create chain support: %w", err)
	}
	// from here on the ledger says it all
	if err := r.options.Participation.JoinBlocks.Remove(channelID); err != nil {
		c.chain.Halt()
		r.forget(c)
		return nil, fmt.Errorf("failed removing joinblock for channel %s: %w", channelID, err)
	}
	r.add(c)
	return c, nil
}

// joinSystemChannel makes a system channel that does nothing but say that the
// process has to be restarted; the join block makes the next start bootstrap.
func (r *Registrar) joinSystemChannel(block *cb.Block) (types.ChannelInfo, error) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return types.ChannelInfo{}, err
	}
	res, err := r.open(env, nil)
	if err != nil {
		return types.ChannelInfo{}, err
	}
	if block.Header.Number == 0 {
		if err := res.ledger.Append(block); err != nil {
			return types.ChannelInfo{}, fmt.Errorf("error appending config block to the ledger: %w", err)
		}
	}
	c := &ChainSupport{Signer: r.options.Signer, registrar: r, resources: res, chain: inactive.NewChain(errRestart), status: pendingRestart{}}
	c.Processor = msgprocessor.NewStandardChannel(c, r.options.Processing)
	r.metrics.report(res.channelID, c)
	r.mu.Lock()
	r.system = c
	r.mu.Unlock()
	r.add(c)
	r.log().Infof("System channel creation pending: server requires restart! Channel %s, config block number: %d", res.channelID, block.Header.Number)
	return r.ChannelInfo(res.channelID)
}

// pendingRestart is the status of a system channel that was joined.
type pendingRestart struct{}

// StatusReport implements consensus.StatusReporter.
func (pendingRestart) StatusReport() (types.ConsensusRelation, types.Status) {
	return types.ConsensusRelationConsenter, types.StatusInactive
}
