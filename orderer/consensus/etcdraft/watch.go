package etcdraft

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/etcd/raft/v3"
)

// appendPatience limits the wait for the blocks up to an eviction.
const appendPatience = 10 * time.Minute

// lastBlocks is the taking of the blocks up to the one that evicted this node,
// which goes on when the chain has stopped, unless that was by Halt.
type lastBlocks struct {
	ctx    context.Context
	cancel context.CancelFunc
	taken  sync.WaitGroup
}

// watchLeader looks every LeaderCheckInterval whether the channel has had no
// leader for so long that this node may have been removed (spec 4.9).
func (c *Chain) watchLeader() {
	defer c.log.Info("Periodic check is stopping.")
	s := suspicion{threshold: c.opts.EvictionSuspicion}
	ticker := time.NewTicker(c.opts.LeaderCheckInterval)
	defer ticker.Stop()
	for {
		if elapsed, act := s.observe(time.Now(), c.lead.Load() == raft.None); act {
			c.log.Infof("Suspecting our own eviction from the channel for %v", elapsed)
			if c.confirmEviction() {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-c.stopped:
			return
		}
	}
}

// confirmEviction asks other orderers for their last config block. If this node
// is not in it, the chain stops and takes the blocks up to that one, and
// confirmEviction returns true. Otherwise the ledger catches up to that block,
// in case the cluster has gone on without telling this node.
func (c *Chain) confirmEviction() bool {
	puller, err := c.opts.NewPuller(c.support)
	if err != nil {
		c.log.Errorf("Failed creating a block puller: %s", err)
		return false
	}
	block, err := puller.LastConfigBlock(c.ctx)
	if block != nil {
		c.log.Infof("Last config block was found to be block [%d]", block.Header.Number)
	}
	judgement, err := judgeEviction(c.cert, block, err)
	if judgement == stillConsenter {
		puller.Close()
		if err != nil {
			c.log.Infof("Cannot confirm our own eviction from the channel: %s", err)
			return false
		}
		c.log.Infof("Cannot confirm our own eviction from the channel, our certificate was found in config block with sequence %d", block.Header.Number)
		select {
		case c.catchUps <- block:
		case <-c.stopped:
		}
		return false
	}
	var number uint64
	if block != nil {
		number = block.Header.Number
	}
	c.log.Warnf("Detected our own eviction from the channel in block [%d]", number)
	// The rest waits for this goroutine's end, as the chain does not stop before it.
	c.lastBlocks.taken.Add(1)
	go c.leave(puller, number)
	return true
}

// leave stops the chain, takes the remaining blocks up to the one that evicted
// this node, and has the channel watched.
func (c *Chain) leave(puller BlockPuller, last uint64) {
	defer c.evicted() // which may halt this chain
	defer c.lastBlocks.taken.Done()
	defer puller.Close()
	c.log.Info("Waiting for chain to halt")
	c.halt()
	c.comm.Remove(c.channel)
	if c.support.Height() > last {
		c.log.Info("Our height is higher or equal than the height of the orderer we pulled the last block from, aborting.")
		return
	}
	c.log.Info("Chain has been halted, pulling remaining blocks up to (and including) eviction block.")
	if err := c.appendUpTo(puller, last); err != nil {
		c.log.Errorf("Failed pulling blocks up to the eviction block: %s", err)
		return
	}
	c.log.Info("Pulled all blocks up to eviction block.")
}

// appendUpTo stores blocks as they are; whoever watches the channel continues
// where this ends.
func (c *Chain) appendUpTo(puller BlockPuller, last uint64) error {
	ctx, cancel := context.WithTimeout(c.lastBlocks.ctx, appendPatience)
	defer cancel()
	for next := c.support.Height(); next <= last; next++ {
		c.log.Infof("Pulling block [%d]", next)
		block, err := puller.PullBlock(ctx, next)
		if err != nil {
			return err
		}
		if err := c.support.Append(block); err != nil {
			return err
		}
	}
	return nil
}
