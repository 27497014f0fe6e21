package multichannel

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/filerepo"
	"raftmig/orderer/follower"
	"raftmig/orderer/metrics"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

// Participation is what joining, following and removing channels needs beyond
// what every registrar has (spec 9).
type Participation struct {
	// JoinBlocks keeps the blocks of channels that are being joined, so that a
	// restart goes on. Without it none is looked at. The ledger factory has to
	// remove a channel's join block and its consenter's files with its ledger.
	JoinBlocks *filerepo.Repo
	// Follower is how channels are followed; the registrar fills in the rest.
	Follower follower.Options
	// StopTracking ends the tracking of inactive channels, as the system channel
	// is being removed. It may be nil, and is not to wait for it.
	StopTracking func()
	// Removed is told of every channel that is gone, and of one whose joining
	// failed. It may be nil.
	Removed func(channelID string)
	// Metrics may be nil.
	Metrics metrics.Provider
}

// ChannelList implements channelparticipation.ChannelManagement.
func (r *Registrar) ChannelList() types.ChannelList {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list types.ChannelList
	names := map[string]bool{}
	for _, m := range []func(func(string) bool){maps.Keys(r.chains), maps.Keys(r.followers), maps.Keys(r.removals)} {
		for name := range m {
			names[name] = true
		}
	}
	if r.system != nil {
		list.SystemChannel = &types.ChannelInfoShort{Name: r.system.ChannelID()}
		delete(names, r.system.ChannelID())
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		list.Channels = append(list.Channels, types.ChannelInfoShort{Name: name})
	}
	return list
}

// ChannelInfo implements channelparticipation.ChannelManagement.
func (r *Registrar) ChannelInfo(channelID string) (types.ChannelInfo, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if c, ok := r.chains[channelID]; ok {
		return infoOf(channelID, c), nil
	}
	if f, ok := r.followers[channelID]; ok {
		return infoOf(channelID, f), nil
	}
	if info, ok := r.removals[channelID]; ok {
		return info, nil
	}
	return types.ChannelInfo{}, types.ErrChannelNotExist
}

func infoOf(channelID string, c interface {
	consensus.StatusReporter
	Height() uint64
},
) types.ChannelInfo {
	relation, status := c.StatusReport()
	return types.ChannelInfo{Name: channelID, ConsensusRelation: relation, Status: status, Height: c.Height()}
}

// clusterConsenter returns the consenter of a configuration. Without a system
// channel it has to be one of a cluster type.
func (r *Registrar) clusterConsenter(config channelconfig.Resources) (consensus.ClusterConsenter, error) {
	o, ok := config.OrdererConfig()
	if !ok {
		return nil, errors.New("config does not contain orderer config")
	}
	c, ok := r.consenters[o.ConsensusType()]
	switch known := o.ConsensusType(); {
	case !ok && known != channelconfig.ConsensusKafka && known != channelconfig.ConsensusSolo:
		return nil, fmt.Errorf("failed to find a consenter for consensus type: %s", known)
	case ok:
		if cc, ok := c.(consensus.ClusterConsenter); ok {
			return cc, nil
		}
	}
	return nil, errors.New("failed cast: clusterConsenter is not a consensus.ClusterConsenter")
}

// followerChain is a follower with the channel's resources.
type followerChain struct{ *follower.Chain }

func (f followerChain) start() { f.Start() }

// newFollower makes a channel's follower, which takes the channel's place.
func (r *Registrar) newFollower(res *resources, joinBlock *cb.Block, evicted bool) (followerChain, error) {
	consenter, err := r.clusterConsenter(res.current())
	if err != nil {
		return followerChain{}, err
	}
	o := r.options.Participation.Follower
	o.ChannelID, o.Ledger, o.JoinBlock, o.Evicted = res.channelID, res.ledger, joinBlock, evicted
	o.IsChannelMember, o.Signer, o.Become = consenter.IsChannelMember, r.options.Signer, r.SwitchFollowerToChain
	o.OnConfig = func(b *cb.Block) { r.followConfig(res, b) }
	o.Report = func(relation types.ConsensusRelation, status types.Status) {
		r.metrics.set(res.channelID, relation, status)
	}
	f, err := follower.New(o)
	if err != nil {
		return followerChain{}, fmt.Errorf("failed to create follower for channel %s: %w", res.channelID, err)
	}
	if r.options.OnConfig != nil { // others may ask this node for blocks
		r.options.OnConfig(res.channelID, res.current())
	}
	r.mu.Lock()
	r.followers[res.channelID] = f
	r.mu.Unlock()
	return followerChain{f}, nil
}

// followConfig puts the configuration of a block that a follower stored into
// force: for those who still read from the chain that was there before, and for
// the TLS CAs of others.
func (r *Registrar) followConfig(res *resources, configBlock *cb.Block) {
	env, err := protoutil.EnvelopeAt(configBlock, 0)
	if err == nil {
		var bundle channelconfig.Resources
		if _, bundle, err = r.bundleOf(env); err == nil {
			res.config.Store(&bundle)
			if r.options.OnConfig != nil {
				r.options.OnConfig(res.channelID, bundle)
			}
			return
		}
	}
	r.log().Errorf("[channel: %s] Config block [%d] does not apply: %s", res.channelID, configBlock.Header.Number, err)
}

// participationMetrics are participation_status and
// participation_consensus_relation (spec 4.10).
type participationMetrics struct{ status, relation metrics.Gauge }

func newParticipationMetrics(p metrics.Provider) *participationMetrics {
	if p == nil {
		p = metrics.Disabled{}
	}
	gauge := func(name, help string) metrics.Gauge {
		return p.NewGauge(metrics.Opts{
			Namespace: "participation", Name: name, Help: help,
			LabelNames: []string{"channel"}, StatsdFormat: "%{#fqname}.%{channel}",
		})
	}
	return &participationMetrics{
		status:   gauge("status", "The channel participation status of the node: 0 if inactive, 1 if active, 2 if onboarding, 3 if failed."),
		relation: gauge("consensus_relation", "The channel participation consensus relation of the node: 0 if other, 1 if consenter, 2 if follower, 3 if config-tracker."),
	}
}

func (m *participationMetrics) report(channelID string, c consensus.StatusReporter) {
	relation, status := c.StatusReport()
	m.set(channelID, relation, status)
}

func (m *participationMetrics) set(channelID string, relation types.ConsensusRelation, status types.Status) {
	m.relation.With("channel", channelID).Set(map[types.ConsensusRelation]float64{
		types.ConsensusRelationConsenter: 1, types.ConsensusRelationFollower: 2, types.ConsensusRelationConfigTracker: 3,
	}[relation])
	m.status.With("channel", channelID).Set(map[types.Status]float64{
		types.StatusActive: 1, types.StatusOnBoarding: 2, types.StatusFailed: 3,
	}[status])
}

// log is the registrar's logger.
func (r *Registrar) log() *zap.SugaredLogger { return r.options.Logger }
