package etcdraft

import (
	"errors"
	"fmt"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// runState is what the run loop owns.
type runState struct {
	leadership leadership
	creator    *blockCreator // not nil while serving as leader
	// made are the blocks that this leader proposed and that are not applied
	// yet, oldest first, to spare decoding what was encoded here.
	made     []madeBlock
	epoch    uint64 // grows when blocks that were proposed have to be made anew
	orphans  orphans
	settling settling
	// succession says to whom this node may hand over when it stops.
	succession succession
	lastBlock  *cb.Block
	// appliedIndex and appliedTerm are those of the last entry applied; normal
	// entries up to appliedIndex are in the ledger.
	appliedIndex, appliedTerm uint64
	confState                 raftpb.ConfState
	snapshots                 snapshotPolicy
	transfer                  *transfer
	batchTimer                *time.Timer
	batchTimerOn              bool
	transferTimer             *time.Timer
	failed                    bool
	leaving                   bool // this node was removed, and passes on what it holds
}

// madeBlock is a block with the entry data that was made of it, and what it was
// made of.
type madeBlock struct {
	block    *cb.Block
	data     []byte
	messages []submission
}

// Start begins work. It returns at once.
func (c *Chain) Start() {
	c.log.Info("Starting Raft node")
	if err := c.start(); err != nil {
		c.log.Errorf("Failed to start chain, aborting: %s", err)
		c.Halt()
		c.opts.Fatal(fmt.Errorf("channel %s: %w", c.channel, err))
	}
}

func (c *Chain) start() error {
	if err := c.prepare(); err != nil {
		return err
	}
	go c.node.run()
	c.started.Store(true)
	if c.acks != nil {
		c.loops.Go(c.expireAcks)
	}
	c.loops.Add(3)
	go func() {
		defer c.loops.Done()
		<-c.stopped
		c.node.shutdown()
	}()
	go func() {
		defer c.loops.Done()
		c.run()
	}()
	go func() {
		defer c.loops.Done()
		c.watchLeader()
	}()
	return nil
}

// prepare does all of start but for the loops.
func (c *Chain) prepare() error {
	if err := c.running(); errors.Is(err, errStopped) {
		return err
	}
	c.configureComm()
	join := c.support.Height() > 1
	if join && c.migration {
		join = false
		c.log.Infof("Consensus-type migration detected, starting new raft node on an existing channel; height=%d", c.support.Height())
	}
	var peers []raft.Peer
	bm, _ := c.membership()
	switch {
	case c.fresh && join:
		c.log.Info("Starting raft node to join an existing channel")
	case c.fresh:
		c.log.Info("Starting raft node as part of a new channel")
		for _, id := range bm.ConsenterIds {
			peers = append(peers, raft.Peer{ID: id})
		}
	default:
		c.log.Info("Restarting raft node")
	}
	campaign := len(peers) > 0 && c.id == raftmetadata.FirstCampaigner(c.channel, len(peers))
	c.batchTimer, c.transferTimer = stoppedTimer(), stoppedTimer()
	return c.node.begin(c.config, peers, campaign)
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// run is the run loop: it translates between what happens and what leadership
// and the other deciders say.
func (c *Chain) run() {
	defer c.becomeIdle()
	c.updateGate()
	for !c.failed {
		submissions := c.submissions
		if !c.leadership.accepting() {
			submissions = nil
		}
		select {
		case s := <-submissions:
			c.takeSubmissions(s)
		case a := <-c.node.out:
			c.apply(a)
		case <-c.batchTimer.C:
			c.batchTimerOn = false
			c.onBatchTimeout()
		case <-c.transferTimer.C:
			c.tryTransfer()
		case block := <-c.catchUps:
			c.catchUpTo(block, nil)
		case step := <-c.drained.steps:
			step()
		case <-c.stopped:
			return
		}
		c.updateGate()
	}
}

// becomeIdle ends the run loop.
func (c *Chain) becomeIdle() {
	c.batchTimer.Stop()
	c.transferTimer.Stop()
	c.metrics.isLeader.Set(0)
	c.fault.shut()
	c.log.Info("Stop serving requests")
}

// fail stops the chain; the run loop ends after the current step.
func (c *Chain) fail(err error) {
	if c.failed {
		return
	}
	c.failed = true
	c.fatal(err)
}

func (c *Chain) updateGate() { c.ready.set(c.leadership.accepting() && !c.failed) }

// takeSubmissions orders a message and whatever else waits, as long as more
// may be taken.
func (c *Chain) takeSubmissions(s submission) {
	for n := 0; ; n++ {
		c.order(s)
		if n == submissionQueue || !c.leadership.accepting() {
			return
		}
		select {
		case s = <-c.submissions:
		default:
			return
		}
	}
}

// order turns a message into blocks when enough of them are there.
func (c *Chain) order(s submission) {
	if s.msg == nil {
		c.settleNow(s.settled)
		return
	}
	if !c.leadership.leads() {
		c.forwardLater(s) // it was accepted while this node was the leader
		return
	}
	config, err := isConfigMessage(s.msg)
	if err != nil {
		c.reject(s.msg, false, "bad message: %s", err)
		return
	}
	if config {
		c.orderConfig(s)
		return
	}
	if seq := c.support.Sequence(); s.configSeq < seq {
		c.log.Warnf("Normal message was validated against %d, although current config seq has advanced (%d)", s.configSeq, seq)
		if _, err := c.support.ProcessNormalMsg(s.msg); err != nil {
			c.reject(s.msg, false, "bad normal message: %s", err)
			return
		}
	}
	batches, pending := c.support.BlockCutter().Ordered(s.msg)
	c.setBatchTimer(pending)
	for _, batch := range batches {
		c.propose(batch, false)
	}
}

func (c *Chain) orderConfig(s submission) {
	if seq := c.support.Sequence(); s.configSeq < seq {
		c.log.Warnf("Config message was validated against %d, although current config seq has advanced (%d)", s.configSeq, seq)
		msg, newSeq, err := c.support.ProcessConfigMsg(s.msg)
		if err != nil {
			c.reject(s.msg, true, "bad config message: %s", err)
			return
		}
		s = submission{msg: msg, configSeq: newSeq}
	}
	if c.concernsThisLeader(s.msg) {
		c.beginTransfer(s)
		return
	}
	c.cutPending()
	c.propose([]*protoutil.Message{s.msg}, true)
	c.log.Info("Received config transaction, pause accepting transaction till it is committed")
}

func (c *Chain) reject(msg *protoutil.Message, config bool, format string, err error) {
	c.metrics.proposalFailures.Add(1)
	if c.acks != nil {
		c.acks.refused(digestOf(msg, config), fmt.Errorf(format, err))
	}
	c.log.Errorf("Failed to order message: "+format, err)
}

func isConfigMessage(msg *protoutil.Message) (bool, error) {
	h, err := msg.ChannelHeader()
	if err != nil {
		return false, err
	}
	t := cb.HeaderType(h.Type)
	return t == cb.HeaderType_CONFIG || t == cb.HeaderType_ORDERER_TRANSACTION, nil
}

// setBatchTimer runs the batch timer while messages are pending.
func (c *Chain) setBatchTimer(pending bool) {
	switch {
	case pending && !c.batchTimerOn:
		c.batchTimer.Reset(c.support.SharedConfig().BatchTimeout())
		c.batchTimerOn = true
	case !pending && c.batchTimerOn:
		c.batchTimer.Stop()
		c.batchTimerOn = false
	}
}

func (c *Chain) onBatchTimeout() {
	if !c.leadership.leads() || !c.leadership.serving || c.leadership.transferring {
		return
	}
	if !c.cutPending() {
		c.log.Warn("Batch timer expired with no pending requests, this might indicate a bug")
	}
}

// cutPending proposes what the block cutter holds, if anything.
func (c *Chain) cutPending() bool {
	batch := c.support.BlockCutter().Cut()
	c.setBatchTimer(false)
	if len(batch) == 0 {
		return false
	}
	c.propose(batch, false)
	return true
}

// propose makes the next block and gives it to Raft.
func (c *Chain) propose(batch []*protoutil.Message, config bool) {
	block := c.creator.next(batch)
	c.log.Infof("Created block [%d], there are %d blocks in flight", block.Header.Number, c.leadership.inflight)
	data := protoutil.MarshalBlock(block)
	c.made = append(c.made, madeBlock{block: block, data: data, messages: c.submissionsOf(batch)})
	c.leadership.proposed(config)
	c.node.propose(&proposal{
		term: c.leadership.term, epoch: c.epoch, data: data,
		number: block.Header.Number, config: config,
	})
}

// submissionsOf are messages that were valid when they were ordered.
func (c *Chain) submissionsOf(batch []*protoutil.Message) []submission {
	seq := c.support.Sequence()
	submissions := make([]submission, len(batch))
	for i, msg := range batch {
		submissions[i] = submission{msg: msg, configSeq: seq}
	}
	return submissions
}

// takeBack deals with a block that did not get into the log, and will not. Where
// this node still leads, the blocks made after it are dropped too, and making
// blocks starts over before it. Messages are submitted again once: with the
// first of several blocks, or not at all if stepDown has seen to it.
func (c *Chain) takeBack(p *proposal) {
	var lost []submission
	if c.leadership.leads() && p.term == c.leadership.term {
		c.leadership.dropped(p.config)
		if p.epoch == c.epoch {
			c.epoch++
			lost = c.startOver(p.number)
		}
	} else {
		lost = c.orphans.take(p.term, p.number)
	}
	for _, s := range lost {
		c.forwardLater(s)
	}
}

// startOver makes blocks from number on anew, and returns the messages of
// those that were made.
func (c *Chain) startOver(number uint64) (lost []submission) {
	kept := c.made
	for i, m := range c.made {
		if m.block.Header.Number >= number {
			kept = c.made[:i:i]
			for _, dropped := range c.made[i:] {
				lost = append(lost, dropped.messages...)
			}
			break
		}
	}
	c.made = kept
	last := c.lastBlock
	if len(kept) > 0 {
		last = kept[len(kept)-1].block
	}
	c.creator = newBlockCreator(last)
	return lost
}
