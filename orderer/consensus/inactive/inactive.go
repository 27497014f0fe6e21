// Package inactive holds the chain of a channel that this node stores but does
// not order: it is not among the channel's consenters, or the channel was left
// behind in a migration (spec 2.2, 5.4).
package inactive

import (
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

// Tracker watches over inactive channels and starts their chains once this
// node is a consenter of them.
type Tracker interface {
	// TrackChain begins to watch a channel. genesis is its first block if the
	// caller has it, else nil. Tracking a channel twice is tracking it once.
	TrackChain(channelID string, genesis *cb.Block)
}

// NotServiced is the error of a channel that this node does not order.
func NotServiced(channelID string) error {
	return fmt.Errorf("channel %s is not serviced by me", channelID)
}

// Chain refuses every message with the same error.
type Chain struct {
	err     error
	errored chan struct{}
}

// NewChain makes a chain whose Order, Configure and WaitReady return err and
// whose Errored is closed.
func NewChain(err error) *Chain {
	c := &Chain{err: err, errored: make(chan struct{})}
	close(c.errored)
	return c
}

// Order returns the chain's error.
func (c *Chain) Order(*protoutil.Message, uint64) error { return c.err }

// Configure returns the chain's error.
func (c *Chain) Configure(*protoutil.Message, uint64) error { return c.err }

// WaitReady returns the chain's error.
func (c *Chain) WaitReady() error { return c.err }

// Errored returns a closed channel.
func (c *Chain) Errored() <-chan struct{} { return c.errored }

// Start does nothing.
func (c *Chain) Start() {}

// Halt does nothing.
func (c *Chain) Halt() {}

// StatusReport implements consensus.StatusReporter.
func (c *Chain) StatusReport() (types.ConsensusRelation, types.Status) {
	return types.ConsensusRelationConfigTracker, types.StatusInactive
}
