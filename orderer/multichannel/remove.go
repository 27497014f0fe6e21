package multichannel

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/types"
)

// RemoveChannel implements channelparticipation.ChannelManagement: it halts the
// channel and deletes its ledger and what else is kept for it. It returns when
// all is gone. A removal that was cut short is finished by the ledger factory at
// the next start; one that failed can be asked for again.
func (r *Registrar) RemoveChannel(channelID string) error {
	if err := r.mayRemove(channelID); err != nil {
		return err // at once, even if another channel is being made
	}
	if system := r.SystemChannel(); system != nil {
		if _, _, err := r.mayRemoveSystem(system); err != nil {
			return err
		}
		system.halt() // not under the lock: its chain may be about to make a channel
	}
	r.creating.Lock()
	defer r.creating.Unlock()
	if err := r.mayRemove(channelID); err != nil {
		return err
	}
	if r.halting {
		return errStopping
	}
	if system := r.SystemChannel(); system != nil {
		return r.removeSystemChannel(system)
	}
	return r.removeOne(channelID)
}

// mayRemove returns why a channel cannot be removed, by what there is (spec 9).
func (r *Registrar) mayRemove(channelID string) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	removal, underWay := r.removals[channelID]
	switch {
	case underWay && removal.Status != types.StatusFailed:
		return types.ErrChannelPendingRemoval
	case r.system != nil && r.system.ChannelID() != channelID:
		return types.ErrSystemChannelExists
	case r.chains[channelID] == nil && r.followers[channelID] == nil && !underWay:
		return types.ErrChannelNotExist
	}
	return nil
}

// removeOne halts and deletes one channel. The caller holds creating.
func (r *Registrar) removeOne(channelID string) error {
	info, err := r.ChannelInfo(channelID)
	if err != nil {
		return err
	}
	if info.Status == types.StatusFailed {
		info.Status = types.StatusInactive // tried again
	}
	r.mu.Lock()
	c, f := r.chains[channelID], r.followers[channelID]
	delete(r.chains, channelID)
	delete(r.followers, channelID)
	info.Height = 0
	r.removals[channelID] = info
	delete(r.opened, channelID)
	r.mu.Unlock()
	if f != nil {
		f.Halt()
	}
	if c != nil {
		r.haltForGood(c)
	}
	return r.removeFiles(channelID)
}

// haltForGood halts a chain that will not be started again.
func (r *Registrar) haltForGood(c *ChainSupport) {
	c.halt()
	r.forget(c)
}

// forget has the consenter forget a chain that is halted.
func (r *Registrar) forget(c *ChainSupport) {
	if consenter, err := r.clusterConsenter(c.Resources()); err == nil {
		consenter.ForgetChain(c.ChannelID())
	}
}

// removeFiles deletes what is on disk of a channel that is in removals.
func (r *Registrar) removeFiles(channelID string) error {
	err := r.options.Ledgers.Remove(channelID)
	r.mu.Lock()
	info := r.removals[channelID]
	if err != nil {
		info.Status = types.StatusFailed
		r.removals[channelID] = info
	} else {
		delete(r.removals, channelID)
	}
	r.mu.Unlock()
	if err != nil {
		r.metrics.set(channelID, info.ConsensusRelation, info.Status)
		r.log().Errorf("Failed to remove channel %s: %s", channelID, err)
		return err
	}
	r.gone(channelID)
	r.log().Infof("Removed channel: %s", channelID)
	return nil
}

// gone tells those who are told of configurations that a channel is no more.
func (r *Registrar) gone(channelID string) {
	if removed := r.options.Participation.Removed; removed != nil {
		removed(channelID)
	}
}

// removeSystemChannel deletes the system channel and every channel that this
// node is no consenter of, and begins anew with the others (spec 9). The system
// channel's chain is halted.
func (r *Registrar) removeSystemChannel(system *ChainSupport) error {
	channelID := system.ChannelID()
	consenter, leaving, err := r.mayRemoveSystem(system)
	if err != nil { // not since it was asked before the system channel was halted
		r.fail("Cannot remove system channel %s: %w", channelID, err)
		return err
	}
	if stop := r.options.Participation.StopTracking; stop != nil {
		stop()
	}
	consenter.RemoveInactiveChainRegistry()
	// the others go on if this fails, without new channels, and it may be tried again
	if err := r.removeOne(channelID); err != nil {
		return fmt.Errorf("failed removing ledger for system channel %s: %w", channelID, err)
	}
	r.mu.Lock()
	r.system = nil
	r.mu.Unlock()
	r.log().Infof("removed system channel: %s", channelID)
	r.haltApplications()
	var failed []string
	for _, id := range leaving {
		r.log().Infof("Not a member of channel %s, removing it", id)
		if err := r.removeOne(id); err != nil {
			failed = append(failed, id)
		}
	}
	// until they are replaced, the halted chains say that they are
	if err := r.buildAndStart(); err != nil {
		r.fail("Failed to start the channels after the removal of the system channel: %w", err)
		return err
	}
	if len(failed) > 0 {
		return errors.New("failed removing ledger for channel(s): " + strings.Join(failed, ", "))
	}
	return nil
}

// mayRemoveSystem finds out what could be in the way of the system channel's
// removal. leaving are the channels to be removed with it.
func (r *Registrar) mayRemoveSystem(system *ChainSupport) (consenter consensus.ClusterConsenter, leaving []string, err error) {
	if kind := system.SharedConfig().ConsensusType(); kind != channelconfig.ConsensusEtcdRaft {
		return nil, nil, fmt.Errorf("cannot remove %s system channel: %s", kind, system.ChannelID())
	}
	if consenter, err = r.clusterConsenter(system.Resources()); err != nil {
		return nil, nil, err
	}
	leaving, err = r.channelsToLeave(system)
	return consenter, leaving, err
}

// channelsToLeave returns the application channels that this node is no
// consenter of.
func (r *Registrar) channelsToLeave(system *ChainSupport) (leaving []string, err error) {
	for _, id := range r.ChannelIDs() {
		c := r.Chain(id)
		if c == system {
			continue
		}
		member, err := r.isMember(c.resources)
		if err != nil {
			return nil, fmt.Errorf("failed to determine channel membership for channel: %s: %w", id, err)
		}
		if !member {
			leaving = append(leaving, id)
		}
	}
	return leaving, nil
}

// haltApplications halts the chains that are left when the system channel is gone.
func (r *Registrar) haltApplications() {
	var wg sync.WaitGroup
	r.mu.RLock()
	for _, c := range r.chains {
		wg.Go(func() { r.haltForGood(c) })
	}
	r.mu.RUnlock()
	wg.Wait()
}
