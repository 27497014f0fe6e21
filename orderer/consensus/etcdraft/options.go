package etcdraft

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"raftmig/orderer/cluster"
	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/inactive"
	"raftmig/orderer/metrics"
)

// Defaults of the keys below Consensus (spec 8.2) and of the checks (spec 4.9).
const (
	DefaultEvictionSuspicion   = 10 * time.Minute
	DefaultLeaderCheckInterval = 10 * time.Second
	// DefaultCatchUpEntries is how many entries before a snapshot stay in
	// memory for slow followers (spec 4.8).
	DefaultCatchUpEntries = 4
	// maxSnapshotFiles is how many snapshot files are kept (spec 4.8).
	maxSnapshotFiles = 4
)

// Options configures the consenter of all Raft channels of a node.
type Options struct {
	// WALDir and SnapDir hold one folder per channel (spec 4.8).
	WALDir, SnapDir string
	// EvictionSuspicion is how long a channel may have no leader before this
	// node asks others whether it was removed. 0 means the default.
	EvictionSuspicion time.Duration
	// LeaderCheckInterval is how often that is looked at. 0 means the default.
	LeaderCheckInterval time.Duration
	// TickIntervalOverride replaces the tick interval of all channels if not 0.
	TickIntervalOverride time.Duration
	// RPCTimeout limits the wait for a forwarded transaction to be written. 0
	// means cluster.DefaultRPCTimeout.
	RPCTimeout time.Duration
	// AcknowledgeAtCommit has messages of this node's clients acknowledged when
	// this node sees them in a block, instead of when the leader has them (spec
	// 4.6). What the other nodes do does not matter.
	AcknowledgeAtCommit bool
	// ServerCert is this node's cluster server certificate, PEM or DER; its
	// public key says which consenter of a channel this node is.
	ServerCert []byte
	// Comm carries the messages between consenters.
	Comm *cluster.Comm
	// NewPuller makes a source of blocks for a channel that is behind:
	// (*cluster.PullerFactory).ForChain.
	NewPuller func(support consensus.ConsenterSupport) (BlockPuller, error)
	// Inactive takes the channels that this node is no consenter of. Without a
	// tracker (no system channel) HandleChain returns an error for them.
	Inactive inactive.Tracker
	// Evicted is told of a chain that has stopped because this node is no
	// consenter of its channel any more (spec 4.9). It may be nil.
	Evicted func(channelID string, chain consensus.Chain)
	// Metrics may be nil; Logger is named orderer.consensus.etcdraft.
	Metrics metrics.Provider
	Logger  *zap.SugaredLogger
	// Fatal is called when a channel cannot go on without the risk of losing
	// data: its disk fails, or its ledger and Raft log contradict each other.
	// The chain has stopped by then. A server ends the process.
	Fatal func(error)

	// atStep is called at each step of storage, see storageStep.
	atStep func(storageStep) error
}

// BlockPuller gets verified blocks of a channel from other orderers.
type BlockPuller = cluster.ChainPuller

func (o *Options) setDefaults() error {
	if o.WALDir == "" || o.SnapDir == "" {
		return errors.New("Consensus.WALDir and Consensus.SnapDir must be set")
	}
	if len(o.ServerCert) == 0 {
		return errors.New("the cluster server certificate is missing")
	}
	if o.Comm == nil || o.NewPuller == nil {
		return errors.New("etcdraft needs cluster communication and a block puller")
	}
	if o.EvictionSuspicion == 0 {
		o.EvictionSuspicion = DefaultEvictionSuspicion
	}
	if o.LeaderCheckInterval == 0 {
		o.LeaderCheckInterval = DefaultLeaderCheckInterval
	}
	if o.RPCTimeout == 0 {
		o.RPCTimeout = cluster.DefaultRPCTimeout
	}
	if o.Metrics == nil {
		o.Metrics = metrics.Disabled{}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop().Sugar()
	}
	if o.Fatal == nil {
		log := o.Logger
		o.Fatal = func(err error) { log.Errorf("Fatal: %v", err) }
	}
	return nil
}
