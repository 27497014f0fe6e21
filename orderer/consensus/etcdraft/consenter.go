package etcdraft

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.uber.org/zap"

	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/inactive"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// Consenter makes the Raft chains of a node and hands them the messages of
// other nodes. It implements consensus.Consenter and cluster.Handler.
type Consenter struct {
	opts    Options
	metrics *chainMetrics

	mu       sync.RWMutex
	chains   map[string]*Chain
	inactive inactive.Tracker // nil without a system channel
}

// New returns a consenter without chains. It returns an error if a required
// option is missing.
func New(opts Options) (*Consenter, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	return &Consenter{opts: opts, metrics: newChainMetrics(opts.Metrics), chains: map[string]*Chain{}, inactive: opts.Inactive}, nil
}

// OnConsensus passes a consensus message to the chain of its channel.
func (c *Consenter) OnConsensus(channel string, sender uint64, req *ab.ConsensusRequest) error {
	chain, err := c.chain(channel)
	if err != nil {
		return err
	}
	return chain.consensusMessage(req, sender)
}

// OnSubmitBegin returns a channel that is closed when the chain takes no more
// transactions whose senders keep them until they are answered.
func (c *Consenter) OnSubmitBegin(channel string) (<-chan struct{}, error) {
	chain, err := c.chain(channel)
	if err != nil {
		return nil, err
	}
	return chain.drained.sealed, chain.running()
}

// OnSubmit passes a forwarded transaction to the chain of its channel.
func (c *Consenter) OnSubmit(channel string, sender uint64, msg *protoutil.Message, configSeq uint64, answered bool) error {
	chain, err := c.chain(channel)
	if err != nil {
		return err
	}
	s := submission{msg: msg, configSeq: configSeq}
	if answered {
		return chain.take(s)
	}
	return chain.submitMessage(s, sender)
}

// OnSubmitEnd waits until what was forwarded to the chain of the channel is in
// blocks, if it leads.
func (c *Consenter) OnSubmitEnd(ctx context.Context, channel string) {
	if chain, err := c.chain(channel); err == nil {
		chain.settle(ctx)
	}
}

func (c *Consenter) chain(channel string) (*Chain, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	chain := c.chains[channel]
	if chain == nil {
		return nil, fmt.Errorf("channel %s doesn't exist", channel)
	}
	return chain, nil
}

// HandleChain makes the chain of a channel, or an inactive chain if this node
// is not among its consenters. metadata is that of the last block; where it is
// empty on a channel of more than one block, the channel was migrated from
// another consensus type and a new Raft group begins (spec 2.3).
func (c *Consenter) HandleChain(support consensus.ConsenterSupport, metadata *cb.Metadata) (consensus.Chain, error) {
	channel := support.ChannelID()
	config, err := raftmetadata.Unmarshal(support.SharedConfig().ConsensusMetadata())
	if err != nil {
		return nil, err
	}
	if config.Options == nil {
		return nil, raftmetadata.ErrNoOptions
	}
	migration := raftmetadata.IsMigration(metadata, support.Height())
	if migration {
		c.opts.Logger.Debugf("Block metadata is nil at block height=%d, it is consensus-type migration", support.Height())
	}
	bm, err := raftmetadata.ReadBlockMetadata(metadata, config)
	if err != nil {
		return nil, fmt.Errorf("failed to read Raft metadata: %w", err)
	}
	id, member := raftmetadata.ConsenterIDOf(c.opts.ServerCert, bm, config)
	if !member {
		tracker := c.tracker()
		if tracker == nil {
			return nil, errors.New("without a system channel, a follower should have been created: not in the channel")
		}
		c.opts.Logger.Warnw("Could not find this node's certificate among the consenters", "channel", channel)
		tracker.TrackChain(channel, support.Block(0))
		return inactive.NewChain(inactive.NotServiced(channel)), nil
	}
	chain, err := c.newChain(support, config, bm, id, migration)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chains[channel] = chain
	return chain, nil
}

func (c *Consenter) newChain(support consensus.ConsenterSupport, config *etcdraft.ConfigMetadata,
	bm *etcdraft.BlockMetadata, id uint64, migration bool,
) (*Chain, error) {
	channel := support.ChannelID()
	log := c.opts.Logger.With("channel", channel, "node", id)
	consenters, err := raftmetadata.Consenters(bm, config)
	if err != nil {
		return nil, err
	}
	if err := raftmetadata.VerifyRaftOptions(config.Options); err != nil {
		return nil, err
	}
	tick, err := c.tickInterval(config.Options, log)
	if err != nil {
		return nil, err
	}
	last := support.Block(support.Height() - 1)
	if last == nil {
		return nil, errors.New("failed to get last block")
	}
	walDir := filepath.Join(c.opts.WALDir, channel)
	store, fresh, err := openStorage(storageConfig{
		walDir: walDir, snapDir: filepath.Join(c.opts.SnapDir, channel),
		catchUpEntries: DefaultCatchUpEntries, log: log, atStep: c.opts.atStep,
	})
	if err != nil {
		return nil, fmt.Errorf("failed to restore persisted raft data: %w", err)
	}
	chain := c.assemble(support, config.Options, bm, consenters, id, store, tick, last)
	chain.fresh, chain.migration, chain.walDir = fresh, migration, walDir
	return chain, nil
}

// assemble makes a chain of its parts.
func (c *Consenter) assemble(support consensus.ConsenterSupport, options *etcdraft.Options, bm *etcdraft.BlockMetadata,
	consenters map[uint64]*etcdraft.Consenter, id uint64, store raftStorage, tick time.Duration, last *cb.Block,
) *Chain {
	channel := support.ChannelID()
	log := c.opts.Logger.With("channel", channel, "node", id)
	ctx, cancel := context.WithCancel(context.Background())
	chain := &Chain{
		channel: channel, id: id, opts: &c.opts, support: support, log: log,
		metrics: c.metrics.with(channel), comm: c.opts.Comm, rpc: c.opts.Comm.RPC(channel),
		cert:        c.opts.ServerCert,
		submissions: make(chan submission, submissionQueue), catchUps: make(chan *cb.Block),
		ctx: ctx, cancel: cancel, stopped: make(chan struct{}), drained: newDrained(),
		blockMeta: bm, consenters: consenters,
	}
	chain.lastBlocks.ctx, chain.lastBlocks.cancel = context.WithCancel(context.Background())
	if c.opts.AcknowledgeAtCommit {
		chain.acks = newAcknowledgements()
	}
	chain.evicted = func() { c.onEvicted(chain) }
	chain.config = &raft.Config{
		ID:              id,
		ElectionTick:    int(options.ElectionTick),
		HeartbeatTick:   int(options.HeartbeatTick),
		MaxSizePerMsg:   uint64(support.SharedConfig().BatchSize().GetPreferredMaxBytes()),
		MaxInflightMsgs: int(options.MaxInflightBlocks),
		Storage:         store.entries(),
		Logger:          libraryLogger{log},
		// A node that comes back does not disturb; a leader cut off steps down;
		// followers do not propose blocks (spec 4.5).
		PreVote: true, CheckQuorum: true, DisableProposalForwarding: true,
	}
	chain.initRunState(store, last, options)
	chain.node = chain.newNode(store, tick, options)
	return chain
}

func (c *Consenter) tickInterval(o *etcdraft.Options, log *zap.SugaredLogger) (time.Duration, error) {
	if override := c.opts.TickIntervalOverride; override != 0 {
		log.Infof("TickIntervalOverride is set, overriding channel configuration tick interval to %v", override)
		return override, nil
	}
	tick, err := time.ParseDuration(o.TickInterval)
	if err != nil || tick <= 0 {
		return 0, fmt.Errorf("failed to parse TickInterval (%s) to time duration", o.TickInterval)
	}
	return tick, nil
}

func (c *Chain) initRunState(store raftStorage, last *cb.Block, o *etcdraft.Options) {
	interval := o.SnapshotIntervalSize
	if interval == 0 {
		interval = raftmetadata.DefaultSnapshotIntervalSize
	}
	c.runState = runState{
		leadership:   leadership{self: c.id, maxInflight: int(o.MaxInflightBlocks)},
		lastBlock:    last,
		appliedIndex: c.blockMeta.RaftIndex,
		snapshots:    snapshotPolicy{interval: interval},
	}
	if sn := store.snapshot(); !raft.IsEmptySnap(sn) {
		c.confState = sn.Metadata.ConfState
		if block, err := protoutil.UnmarshalBlock(sn.Data); err == nil {
			c.snapshots.lastBlock = block.Header.Number
		}
	}
	c.metrics.clusterSize.Set(float64(len(c.blockMeta.ConsenterIds)))
	c.metrics.isLeader.Set(0)
	c.metrics.activeNodes.Set(0)
	c.metrics.committedBlockNumber.Set(float64(last.Header.Number))
	c.metrics.snapshotBlock.Set(float64(c.snapshots.lastBlock))
}

func (c *Chain) newNode(store raftStorage, tick time.Duration, o *etcdraft.Options) *node {
	return &node{
		id: c.id, channel: c.channel, log: c.log, rpc: c.rpc, store: store, tick: tick,
		electionTimeout: tick * time.Duration(o.ElectionTick),
		heartbeatTicks:  int(o.HeartbeatTick),
		observePersist:  c.metrics.persistDuration.Observe,
		onActive:        c.setActive,
		onFatal:         c.fatal,
		messages:        make(chan raftpb.Message, messageQueue),
		proposals:       make(chan *proposal, int(o.MaxInflightBlocks)+2),
		requests:        make(chan func(*raft.RawNode)),
		out:             make(chan applied),
		stop:            make(chan struct{}),
		done:            make(chan struct{}),
		tracker:         activeTracker{self: c.id},
		unreachable:     map[uint64]bool{},
	}
}
