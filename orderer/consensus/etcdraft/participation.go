package etcdraft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/inactive"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
	"raftmig/orderer/types"
)

var _ consensus.ClusterConsenter = (*Consenter)(nil)

// IsChannelMember implements consensus.ClusterConsenter: by the public key of
// this node's cluster server certificate, as everywhere.
func (c *Consenter) IsChannelMember(configBlock *cb.Block) (bool, error) {
	env, err := protoutil.EnvelopeAt(configBlock, 0)
	if err != nil {
		return false, err
	}
	config, err := channelconfig.NewBundleFromEnvelope(env)
	if err != nil {
		return false, err
	}
	o, ok := config.OrdererConfig()
	if !ok {
		return false, errors.New("no orderer config in bundle")
	}
	md, err := raftmetadata.Unmarshal(o.ConsensusMetadata())
	if err != nil {
		return false, err
	}
	roots, err := raftmetadata.VerifyOptions(o)
	if err != nil {
		return false, fmt.Errorf("failed to create x509 verify options from orderer config: %w", err)
	}
	if err := raftmetadata.Verify(md, roots); err != nil {
		return false, fmt.Errorf("failed to validate config metadata of ordering config: %w", err)
	}
	for _, consenter := range md.Consenters {
		if raftmetadata.SamePublicKey(c.opts.ServerCert, consenter.ServerTlsCert) ||
			raftmetadata.SamePublicKey(c.opts.ServerCert, consenter.ClientTlsCert) {
			return true, nil
		}
	}
	return false, nil
}

func (c *Consenter) tracker() inactive.Tracker {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.inactive
}

// RemoveInactiveChainRegistry implements consensus.ClusterConsenter.
func (c *Consenter) RemoveInactiveChainRegistry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inactive = nil
}

// ForgetChain implements consensus.ClusterConsenter.
func (c *Consenter) ForgetChain(channelID string) {
	c.mu.Lock()
	delete(c.chains, channelID)
	c.mu.Unlock()
	c.opts.Comm.Remove(channelID)
}

// onEvicted forgets a chain that has stopped for good and has the channel
// watched or followed, so that a new chain begins if this node is added again
// (spec 4.9).
func (c *Consenter) onEvicted(chain *Chain) {
	c.mu.Lock()
	current := c.chains[chain.channel] == chain
	if current {
		delete(c.chains, chain.channel)
	}
	tracker := c.inactive
	c.mu.Unlock()
	if !current { // removed, or replaced, meanwhile
		return
	}
	chain.noConsenter.Store(true)
	if tracker != nil {
		tracker.TrackChain(chain.channel, nil)
	}
	if c.opts.Evicted != nil {
		c.opts.Evicted(chain.channel, chain)
	}
}

// StatusReport implements consensus.StatusReporter.
func (c *Chain) StatusReport() (types.ConsensusRelation, types.Status) {
	relation, status := types.ConsensusRelationConsenter, types.StatusActive
	if c.noConsenter.Load() {
		relation = types.ConsensusRelationConfigTracker
	}
	select {
	case <-c.stopped:
		status = types.StatusInactive
	default:
	}
	return relation, status
}

// RemoveStorage deletes the log and the snapshots of a channel below WALDir and
// SnapDir. No chain of the channel may be there. Removing what is not there is
// no error; if it is cut short it has to be called again before the channel is
// joined anew: a log of an earlier channel of the same name would be continued.
func RemoveStorage(walDir, snapDir, channelID string) error {
	for _, dir := range []string{snapDir, walDir} { // a log without its snapshots is told from none
		if dir == "" {
			continue
		}
		path := filepath.Join(dir, channelID)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := errors.Join(os.RemoveAll(path), syncDir(dir)); err != nil {
			return fmt.Errorf("removing the Raft storage of channel %s: %w", channelID, err)
		}
	}
	return nil
}
