package onboarding

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/cluster"
)

// Limits of the pause between two looks at inactive channels (spec 5.4); the
// longest is General.Cluster.ReplicationBackgroundRefreshInterval.
const (
	DefaultFirstInterval   = 10 * time.Second
	DefaultRefreshInterval = 5 * time.Minute
)

// InactiveConfig is what an InactiveChainReplicator needs.
type InactiveConfig struct {
	Config
	// SystemChannel is the channel whose configuration names the orderers to ask.
	SystemChannel string
	// CreateChain makes and starts the chain of a channel whose ledger is up to
	// date: (*multichannel.Registrar).CreateChain.
	CreateChain func(channelID string) error
	// FirstInterval and RefreshInterval are the shortest and the longest pause;
	// 0 means the defaults.
	FirstInterval, RefreshInterval time.Duration
}

// InactiveChainReplicator watches over the channels that this node does not
// order, and starts their chains when it has become a consenter of them. It
// implements inactive.Tracker.
type InactiveChainReplicator struct {
	cfg InactiveConfig

	mu       sync.Mutex
	channels map[string]*cb.Block // genesis blocks, where known
	added    chan struct{}
}

// NewInactiveChainReplicator returns a replicator that begins with Run.
func NewInactiveChainReplicator(cfg InactiveConfig) *InactiveChainReplicator {
	cfg.Config = cfg.Config.withDefaults()
	if cfg.FirstInterval == 0 {
		cfg.FirstInterval = DefaultFirstInterval
	}
	if cfg.RefreshInterval == 0 {
		cfg.RefreshInterval = DefaultRefreshInterval
	}
	return &InactiveChainReplicator{cfg: cfg, channels: map[string]*cb.Block{}, added: make(chan struct{}, 1)}
}

// TrackChain implements inactive.Tracker.
func (r *InactiveChainReplicator) TrackChain(channelID string, genesis *cb.Block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, tracked := r.channels[channelID]; tracked && known != nil {
		return
	}
	r.cfg.Logger.Infof("Adding %s to the set of chains to track", channelID)
	r.channels[channelID] = genesis
	select {
	case r.added <- struct{}{}:
	default:
	}
}

// Channels returns the channels that are watched, sorted.
func (r *InactiveChainReplicator) Channels() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.channels))
	for name := range r.channels {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Run looks at the inactive channels until ctx ends: after the first interval,
// then with pauses that double up to the refresh interval. A new channel makes
// them short again.
func (r *InactiveChainReplicator) Run(ctx context.Context) {
	pause := r.cfg.FirstInterval
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.added:
			pause = r.cfg.FirstInterval
			timer.Reset(pause)
		case <-timer.C:
			r.look(ctx)
			pause = min(2*pause, r.cfg.RefreshInterval)
			timer.Reset(pause)
		}
	}
}

// look tries each inactive channel once.
func (r *InactiveChainReplicator) look(ctx context.Context) {
	names := r.Channels()
	if len(names) == 0 {
		return
	}
	r.cfg.Logger.Infof("Found %d inactive chains: %v", len(names), names)
	for _, name := range names {
		switch err := r.activate(ctx, name); {
		case err == nil:
			r.cfg.Logger.Infof("Chain of channel %s is active now", name)
		case ctx.Err() != nil:
			return
		case notServiced(err):
			r.cfg.Logger.Infof("I do not belong to channel %s or am forbidden pulling it (%v), skipping chain retrieval", name, err)
		default:
			r.cfg.Logger.Warnf("Could not replicate channel %s, will try again: %s", name, err)
		}
	}
}

// activate brings the ledger of a channel up to date and starts its chain, if
// this node is one of its consenters.
func (r *InactiveChainReplicator) activate(ctx context.Context, channelID string) error {
	r.mu.Lock()
	genesis := r.channels[channelID]
	r.mu.Unlock()
	ledger, err := r.cfg.appendGenesis(channelID, genesis)
	if err != nil {
		return err
	}
	config, err := r.configOf(channelID)
	if err != nil {
		return err
	}
	endpoints, err := endpointsIn(config)
	if err != nil {
		return err
	}
	if channelID != r.cfg.SystemChannel {
		endpoints = append(endpoints, r.systemEndpoints()...)
	}
	height, err := r.cfg.participant(ctx, channelID, endpoints)
	if err != nil {
		return err
	}
	r.cfg.Logger.Infof("I need to pull channel %s", channelID)
	if err := r.cfg.pull(ctx, channelID, ledger, endpoints, height); err != nil {
		return err
	}
	// The new chain may turn out to be inactive again, and be tracked anew.
	r.mu.Lock()
	delete(r.channels, channelID)
	r.mu.Unlock()
	if err := r.cfg.CreateChain(channelID); err != nil {
		r.TrackChain(channelID, genesis)
		return err
	}
	return nil
}

func (r *InactiveChainReplicator) configOf(channelID string) (channelconfig.Resources, error) {
	ledger, err := r.cfg.Ledgers.GetOrCreate(channelID)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger of channel %s: %w", channelID, err)
	}
	block, err := blockledger.LastConfigBlock(ledger)
	if err != nil {
		return nil, fmt.Errorf("finding the configuration of channel %s: %w", channelID, err)
	}
	return resourcesOf(block)
}

// systemEndpoints are the orderers that the system channel knows; none if its
// ledger cannot be read, as the channel's own are asked too.
func (r *InactiveChainReplicator) systemEndpoints() []cluster.Endpoint {
	config, err := r.configOf(r.cfg.SystemChannel)
	if err != nil {
		r.cfg.Logger.Warnf("Could not read the system channel's orderers: %s", err)
		return nil
	}
	endpoints, err := endpointsIn(config)
	if err != nil {
		r.cfg.Logger.Warnf("Could not read the system channel's orderers: %s", err)
	}
	return endpoints
}
