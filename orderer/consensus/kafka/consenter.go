package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	cb "github.com/hyperledger/fabric-protos-go/common"
	gometrics "github.com/rcrowley/go-metrics"
	"go.uber.org/zap"

	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/inactive"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/metrics"
)

// InactiveTracker watches channels that this node does not order.
type InactiveTracker = inactive.Tracker

// HealthRegistry is where a chain registers its health check.
type HealthRegistry interface {
	// RegisterChecker adds a check under a component's name; check returns why
	// the component is not healthy.
	RegisterChecker(component string, check func(context.Context) error) error
}

// Options are what a Consenter needs. Only Config is required.
type Options struct {
	// Config is General.Kafka of orderer.yaml. TLS holds PEM content.
	Config  localconfig.Kafka
	Metrics metrics.Provider
	// PollInterval is how often the figures of the Kafka client are taken over. 0
	// means DefaultPollInterval.
	PollInterval time.Duration
	// Logger is named orderer.consensus.kafka, SaramaLogger
	// orderer.consensus.kafka.sarama.
	Logger, SaramaLogger *zap.SugaredLogger
	// Inactive is set on nodes of cluster type only. Their Kafka chains are
	// left-overs of a migration and are not activated (spec 2.2).
	Inactive InactiveTracker
	Health   HealthRegistry
	// Fatal is called when a chain cannot start after all retries. Fabric's
	// process ends there, and its operators rely on a supervisor that starts
	// it anew; so should the caller's. If Fatal returns or is nil, the chain
	// stays unavailable.
	Fatal func(error)
}

// Consenter makes Kafka chains. It implements consensus.Consenter.
type Consenter struct {
	opts     Options
	config   localconfig.Kafka
	client   *sarama.Config
	metrics  *consenterMetrics
	log      *zap.SugaredLogger
	closing  chan struct{}
	close    sync.Once
	detach   func()
	pollDone chan struct{}
}

// New makes the consenter and begins to report the Kafka client's metrics. An
// error says what is wrong with the configuration.
func New(opts Options) (*Consenter, error) {
	if opts.Metrics == nil {
		opts.Metrics = metrics.Disabled{}
	}
	if opts.PollInterval == 0 {
		opts.PollInterval = DefaultPollInterval
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop().Sugar()
	}
	if opts.SaramaLogger == nil {
		opts.SaramaLogger = zap.NewNop().Sugar()
	}
	registry := gometrics.NewRegistry()
	client, err := clientConfig(opts.Config, registry)
	if err != nil {
		return nil, err
	}
	c := &Consenter{
		opts: opts, config: opts.Config, client: client,
		metrics:  newMetrics(opts.Metrics),
		log:      opts.Logger,
		closing:  make(chan struct{}),
		detach:   saramaLog.attach(opts.Logger, opts.SaramaLogger),
		pollDone: make(chan struct{}),
	}
	go func() {
		defer close(c.pollDone)
		tick := time.NewTicker(opts.PollInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.metrics.poll(registry)
			case <-c.closing:
				return
			}
		}
	}()
	return c, nil
}

// Close ends the consenter's own work. Its chains are halted by their owner.
func (c *Consenter) Close() {
	c.close.Do(func() { close(c.closing) })
	<-c.pollDone
	c.detach()
}

// HandleChain implements consensus.Consenter.
func (c *Consenter) HandleChain(support consensus.ConsenterSupport, metadata *cb.Metadata) (consensus.Chain, error) {
	if c.opts.Inactive != nil {
		c.log.Infow("This node was migrated from Kafka to Raft, skipping activation of Kafka chain", "channel", support.ChannelID())
		c.opts.Inactive.TrackChain(support.ChannelID(), support.Block(0))
		return inactive.NewChain(inactive.NotServiced(support.ChannelID())), nil
	}
	chain, err := newChain(c, support, metadata)
	if err != nil {
		return nil, err
	}
	if c.opts.Health != nil {
		if err := c.opts.Health.RegisterChecker(chain.component(), chain.HealthCheck); err != nil {
			return nil, fmt.Errorf("registering health check of channel %s: %w", support.ChannelID(), err)
		}
	}
	return chain, nil
}

// fatal reports what the process should end for.
func (c *Consenter) fatal(err error) {
	c.log.Error(err)
	if c.opts.Fatal != nil {
		c.opts.Fatal(err)
	}
}
