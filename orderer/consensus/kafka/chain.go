package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/consensus"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
)

// Chain orders one channel's messages through a Kafka topic. It implements
// consensus.Chain and consensus.AsyncOrderer.
type Chain struct {
	consenter *Consenter
	support   consensus.ConsenterSupport
	id        string
	log       *zap.SugaredLogger

	sequencer *Sequencer    // belongs to the run goroutine once that is started
	ingress   *gate         // closed while messages may be taken
	errored   *gate         // closed while blocks cannot be made
	started   chan struct{} // closed when the start phase is over
	done      chan struct{} // closed when the run goroutine has ended

	ctx    context.Context // ends when the chain is halted
	cancel context.CancelFunc
	start  sync.Once

	halting atomic.Bool
	halted  chan struct{} // closed when everything is released

	helpers  sync.WaitGroup // goroutines that post records for the run goroutine
	reviving atomic.Bool    // one of them posts a CONNECT

	// Set before started is closed.
	producer   *producer
	consumer   sarama.Consumer
	records    sarama.PartitionConsumer
	replicaIDs []int32
}

func newChain(c *Consenter, support consensus.ConsenterSupport, metadata *cb.Metadata) (*Chain, error) {
	id := support.ChannelID()
	last, err := restore(metadata.GetValue())
	if err != nil {
		return nil, fmt.Errorf("[channel: %s] Ledger may be corrupted:cannot unmarshal orderer metadata in most recent block", id)
	}
	height := support.Height()
	if height == 0 {
		return nil, fmt.Errorf("[channel: %s] the ledger has no genesis block", id)
	}
	c.log.Infof("[channel: %s] Starting chain with last persisted offset %d and last recorded block [%d]",
		id, last.LastOffsetPersisted, height-1)
	ctx, cancel := context.WithCancel(context.Background())
	sequencer := NewSequencer(last, height-1, support.BlockCutter(), rules{support})
	chain := &Chain{
		consenter: c, support: support, id: id, log: c.log,
		sequencer: sequencer,
		ingress:   newGate(!sequencer.IngressBlocked()),
		errored:   newGate(false),
		started:   make(chan struct{}),
		done:      make(chan struct{}),
		halted:    make(chan struct{}),
		ctx:       ctx, cancel: cancel,
	}
	chain.measure()
	return chain, nil
}

// rules answers the sequencer's questions from the channel.
type rules struct{ consensus.ConsenterSupport }

func (r rules) Resubmission() bool { return r.SharedConfig().Capabilities().Resubmission() }

var (
	_ Rules                  = rules{}
	_ msgprocessor.Processor = rules{}
	_ consensus.Chain        = (*Chain)(nil)
	_ consensus.AsyncOrderer = (*Chain)(nil)
	_ consensus.Consenter    = (*Consenter)(nil)
)

// Start implements consensus.Chain.
func (c *Chain) Start() { c.start.Do(func() { go c.run() }) }

// Halt implements consensus.Chain. A start phase that is under way is given up.
func (c *Chain) Halt() {
	if c.halting.Swap(true) {
		c.log.Warnf("[channel: %s] Halting of chain requested again", c.id)
		<-c.halted
		return
	}
	defer close(c.halted)
	c.log.Infof("[channel: %s] Halting of chain requested", c.id)
	c.cancel()
	c.start.Do(func() { close(c.done) }) // it never ran
	<-c.done
	c.helpers.Wait()
	c.disconnect()
}

// WaitReady implements consensus.Chain.
func (c *Chain) WaitReady() error {
	if !isClosed(c.started) {
		return errors.New("backing Kafka cluster has not completed booting; try again later")
	}
	if c.ctx.Err() == nil {
		select {
		case <-c.ingress.wait():
			return nil
		case <-c.ctx.Done():
		}
	}
	return errors.New("consenter for this channel has been halted")
}

// Errored implements consensus.Chain.
func (c *Chain) Errored() <-chan struct{} {
	if isClosed(c.started) {
		return c.errored.wait()
	}
	booting := make(chan struct{})
	close(booting)
	return booting
}

// Order implements consensus.Chain.
func (c *Chain) Order(msg *protoutil.Message, configSeq uint64) error {
	result := make(chan error, 1)
	c.OrderAsync(msg, configSeq, func(err error) { result <- err })
	return <-result
}

// OrderAsync implements consensus.AsyncOrderer. It blocks while too much is
// under way.
func (c *Chain) OrderAsync(msg *protoutil.Message, configSeq uint64, done func(error)) {
	c.enqueue(Regular{Payload: msg.Bytes(), ConfigSeq: configSeq, Class: ClassNormal}, done)
}

// Configure implements consensus.Chain.
func (c *Chain) Configure(config *protoutil.Message, configSeq uint64) error {
	result := make(chan error, 1)
	c.enqueue(Regular{Payload: config.Bytes(), ConfigSeq: configSeq, Class: ClassConfig}, func(err error) { result <- err })
	return <-result
}

// errEnqueue is what clients are told whenever a record cannot be posted.
var errEnqueue = errors.New("cannot enqueue")

func (c *Chain) enqueue(record Regular, done func(error)) {
	if !isClosed(c.started) {
		c.log.Warnf("[channel: %s] Will not enqueue, consenter for this channel hasn't started yet", c.id)
		done(errEnqueue)
		return
	}
	if c.ctx.Err() != nil {
		c.log.Warnf("[channel: %s] consenter for this channel has been halted", c.id)
		done(errEnqueue)
		return
	}
	c.producer.send(record.Marshal(), func(_ int64, err error) {
		if err != nil {
			c.log.Errorf("[channel: %s] cannot enqueue envelope because = %s", c.id, err)
			err = errEnqueue
		}
		done(err)
	})
}

func (c *Chain) retry() retrier { return retrier{c.consenter.config.Retry, c.log, c.id} }

func (c *Chain) measure() {
	c.consenter.metrics.lastOffsetPersisted.With("channel", c.id).Set(float64(c.sequencer.LastOffsetPersisted()))
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
