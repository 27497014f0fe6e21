// Package solo orders the channels of a network with a single orderer, in this
// process and for tests only, as Fabric's consenter of that name does.
//
// A message is accepted when the chain's loop has it; it is in no log until its
// block is written, so an orderer that is killed loses the batch that it was
// collecting. One that is stopped in order writes that batch first (Fabric's
// drops it). Blocks carry no consenter metadata, and so a channel that migrated
// to Raft is recognized at the next start as one that came from Kafka is (spec
// 2.3).
//
// On a node of cluster type no solo chain is activated, as no Kafka chain is: an
// orderer that joins such a network has the genesis block only of a channel that
// began on solo, and would begin to order it by itself. (Fabric's does.)
package solo

import (
	"errors"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/inactive"
	"raftmig/orderer/protoutil"
)

// errHalted is what a chain that was halted answers, in Fabric's words.
var errHalted = errors.New("Exiting") //nolint:staticcheck // Fabric's text

// Options of the solo consenter.
type Options struct {
	// Inactive is set on nodes of cluster type only; it is told of channels that
	// a migration has left behind.
	Inactive inactive.Tracker
	// Logger is named orderer.consensus.solo.
	Logger *zap.SugaredLogger
}

// Consenter makes solo chains.
type Consenter struct{ Options }

// New returns a consenter.
func New(o Options) *Consenter { return &Consenter{o} }

// HandleChain implements consensus.Consenter. The metadata of the last block
// does not matter.
func (c *Consenter) HandleChain(support consensus.ConsenterSupport, _ *cb.Metadata) (consensus.Chain, error) {
	if c.Inactive != nil {
		c.Logger.Infow("This node was migrated from solo to Raft, skipping activation of solo chain", "channel", support.ChannelID())
		c.Inactive.TrackChain(support.ChannelID(), support.Block(0))
		return inactive.NewChain(inactive.NotServiced(support.ChannelID())), nil
	}
	c.Logger.Warn("Use of the Solo orderer is deprecated and remains only for use in test environments but may be removed in the future.")
	return &Chain{
		support: support, log: c.Logger.With("channel", support.ChannelID()),
		submissions: make(chan submission), exit: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

type submission struct {
	msg       *protoutil.Message
	configSeq uint64
	isConfig  bool
}

// Chain orders one channel.
type Chain struct {
	support     consensus.ConsenterSupport
	log         *zap.SugaredLogger
	submissions chan submission
	exit        chan struct{}
	halt        sync.Once
	done        chan struct{} // closed when the loop has ended

	pending bool // the loop's: messages are left in the block cutter
}

// Order implements consensus.Chain: it returns when the loop has the message.
func (c *Chain) Order(msg *protoutil.Message, configSeq uint64) error {
	return c.submit(submission{msg: msg, configSeq: configSeq})
}

// Configure implements consensus.Chain, as Order.
func (c *Chain) Configure(config *protoutil.Message, configSeq uint64) error {
	return c.submit(submission{msg: config, configSeq: configSeq, isConfig: true})
}

func (c *Chain) submit(s submission) error {
	select {
	case c.submissions <- s:
		return nil
	case <-c.exit:
		return errHalted
	}
}

// WaitReady implements consensus.Chain; a solo chain is always ready.
func (c *Chain) WaitReady() error { return nil }

// Errored returns a channel that is closed when the chain halts.
func (c *Chain) Errored() <-chan struct{} { return c.exit }

// Start implements consensus.Chain.
func (c *Chain) Start() { go c.run() }

// Halt stops a chain that was started and returns when what it accepted is
// written. Further calls do nothing.
func (c *Chain) Halt() {
	c.halt.Do(func() { close(c.exit) })
	<-c.done
}

// run is the loop. The timer runs from the first message of a batch; a batch
// that is cut and leaves a message does not start it anew.
func (c *Chain) run() {
	defer close(c.done)
	var timer <-chan time.Time
	for {
		select {
		case s := <-c.submissions:
			c.order(s)
		case <-timer:
			timer = nil
			c.log.Debug("Batch timer expired, creating block")
			c.cut()
		case <-c.exit:
			c.cut()
			return
		}
		switch {
		case !c.pending:
			timer = nil
		case timer == nil:
			timer = time.After(c.support.SharedConfig().BatchTimeout())
		}
	}
}

// order handles one message. Only one that was judged by an older
// configuration is judged anew.
func (c *Chain) order(s submission) {
	stale := s.configSeq < c.support.Sequence()
	if s.isConfig {
		c.orderConfig(s.msg, stale)
		return
	}
	if stale {
		if _, err := c.support.ProcessNormalMsg(s.msg); err != nil {
			c.log.Warnf("Discarding bad normal message: %s", err)
			return
		}
	}
	batches, pending := c.support.BlockCutter().Ordered(s.msg)
	for _, batch := range batches {
		c.support.WriteBlock(c.support.CreateNextBlock(batch), nil)
	}
	c.pending = pending
}

// orderConfig writes a config message as a block of its own, behind the batch
// that was being collected.
func (c *Chain) orderConfig(msg *protoutil.Message, stale bool) {
	if stale {
		var err error
		if msg, _, err = c.support.ProcessConfigMsg(msg); err != nil {
			c.log.Warnf("Discarding bad config message: %s", err)
			return
		}
	}
	c.cut()
	c.support.WriteConfigBlock(c.support.CreateNextBlock([]*protoutil.Message{msg}), nil)
}

// cut writes the batch that is being collected, if there is one.
func (c *Chain) cut() {
	c.pending = false
	if batch := c.support.BlockCutter().Cut(); len(batch) > 0 {
		c.support.WriteBlock(c.support.CreateNextBlock(batch), nil)
	}
}
