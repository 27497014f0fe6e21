package follower

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/cluster"
	"raftmig/orderer/onboarding"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

// Fabric's pauses.
const (
	DefaultPullRetryMin  = 50 * time.Millisecond
	DefaultPullRetryMax  = time.Minute
	DefaultHeightPollMin = 500 * time.Millisecond
	DefaultHeightPollMax = 10 * time.Second
)

// Puller gets blocks of one channel from other orderers: *cluster.BlockPuller.
type Puller interface {
	PullBlock(ctx context.Context, number uint64) (*cb.Block, error)
	// Heights asks every orderer for its height.
	Heights(ctx context.Context) (map[string]uint64, error)
	Close()
}

// Options of a follower.
type Options struct {
	ChannelID string
	Ledger    blockledger.ReadWriter
	// JoinBlock may be nil if the ledger is not empty.
	JoinBlock *cb.Block
	// Evicted: the ledger was left by a chain that others have evicted.
	Evicted bool
	// IsChannelMember is that of the consenter.
	IsChannelMember func(configBlock *cb.Block) (bool, error)
	NewPuller       func(cluster.PullTarget) Puller
	// Signer signs the requests for blocks.
	Signer protoutil.Signer
	// MaxRetries limits the attempts for one block before a longer pause.
	MaxRetries int
	// OnConfig is told of every config block that was pulled and stored. It may
	// be nil.
	OnConfig func(configBlock *cb.Block)
	// Become is called once, on a goroutine of its own, when this node has
	// become a consenter. The follower has ended by then.
	Become func(*Chain)
	// Report is told of every change of relation and status.
	Report func(types.ConsensusRelation, types.Status)
	// Pauses; 0 means the defaults.
	PullRetryMin, PullRetryMax, HeightPollMin, HeightPollMax time.Duration
	Logger                                                   *zap.SugaredLogger // "orderer.commmon.follower"
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&o.PullRetryMin, DefaultPullRetryMin},
		{&o.PullRetryMax, DefaultPullRetryMax},
		{&o.HeightPollMin, DefaultHeightPollMin},
		{&o.HeightPollMax, DefaultHeightPollMax},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if o.Report == nil {
		o.Report = func(types.ConsensusRelation, types.Status) {}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop().Sugar()
	}
	o.Logger = o.Logger.With("channel", o.ChannelID)
}

// Chain follows one channel.
type Chain struct {
	Options
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once // start or halt, whichever is first

	// owned by the goroutine
	view     view
	config   *cb.Block // in force at the ledger's end; nil while that is empty
	judged   *cb.Block // the one that view.member was read from
	verifier *onboarding.Verifier
	puller   Puller // nil until it is needed, and after a new configuration

	mu       sync.Mutex
	relation types.ConsensusRelation
	status   types.Status
}

// New makes a follower that begins with Start.
func New(o Options) (*Chain, error) {
	o.setDefaults()
	c := &Chain{Options: o, done: make(chan struct{}), relation: types.ConsensusRelationFollower, status: types.StatusActive}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.view.evicted = o.Evicted
	if err := c.load(); err != nil {
		return nil, err
	}
	judged := c.config
	if o.JoinBlock != nil {
		c.view.join = o.JoinBlock.Header.Number + 1
		judged = o.JoinBlock
		if c.view.height < c.view.join {
			c.status = types.StatusOnBoarding
		}
		if _, err := endpointsOf(o.JoinBlock); err != nil {
			return nil, fmt.Errorf("error creating a block puller from join-block: %w", err)
		}
	} else if c.config == nil {
		return nil, errors.New("neither a ledger nor a join-block")
	}
	if member, err := o.IsChannelMember(judged); err != nil {
		return nil, fmt.Errorf("failed to determine cluster membership: %w", err)
	} else if member && !o.Evicted {
		c.relation = types.ConsensusRelationConsenter
	}
	o.Report(c.relation, c.status)
	return c, nil
}

// load reads what the ledger says.
func (c *Chain) load() error {
	c.view.height = c.Ledger.Height()
	if c.view.height == 0 {
		return nil
	}
	config, err := blockledger.LastConfigBlock(c.Ledger)
	if err != nil {
		return fmt.Errorf("finding the configuration in force: %w", err)
	}
	c.config = config
	return nil
}

// Start begins to follow and returns at once.
func (c *Chain) Start() {
	c.once.Do(func() {
		c.Logger.Infof("Follower started at height %d", c.Ledger.Height())
		go c.run()
	})
}

// Halt stops following and waits for the end.
func (c *Chain) Halt() {
	c.cancel()
	c.once.Do(func() { close(c.done) })
	<-c.done
}

// StatusReport implements consensus.StatusReporter.
func (c *Chain) StatusReport() (types.ConsensusRelation, types.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.relation, c.status
}

// Height is the number of blocks fetched.
func (c *Chain) Height() uint64 { return c.Ledger.Height() }

func (c *Chain) set(relation types.ConsensusRelation, status types.Status) {
	c.mu.Lock()
	changed := c.relation != relation || c.status != status
	c.relation, c.status = relation, status
	c.mu.Unlock()
	if changed {
		c.Report(relation, status)
	}
}

func (c *Chain) run() {
	become := c.follow()
	c.closePuller()
	close(c.done)
	if become {
		c.Logger.Info("Block pulling finished successfully, going to switch from follower to a consensus.Chain")
		go c.Become(c)
	}
}
