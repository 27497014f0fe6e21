package etcdraft

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/raft/v3"

	"raftmig/orderer/cluster"
	"raftmig/orderer/protoutil"
)

// Order takes a normal message: it queues it if this node leads, else it
// forwards it and waits until the leader has it or, if that is Fabric's, until it
// is written to the stream. Success means that the message reached the leader, not
// that it is ordered (spec 4.6), unless the options say that it is to be
// acknowledged at commit.
func (c *Chain) Order(msg *protoutil.Message, configSeq uint64) error {
	c.metrics.normalProposals.Add(1)
	return c.submitOwn(submission{msg: msg, configSeq: configSeq}, false)
}

// OrderAsync implements consensus.AsyncOrderer: what is forwarded is not waited
// for. The stream to the leader bounds how long that may take.
func (c *Chain) OrderAsync(msg *protoutil.Message, configSeq uint64, done func(error)) {
	c.metrics.normalProposals.Add(1)
	finish := func(err error) {
		if err != nil {
			c.metrics.proposalFailures.Add(1)
		}
		done(err)
	}
	s := submission{msg: msg, configSeq: configSeq}
	if c.acks == nil {
		c.submitAsync(s, finish)
		return
	}
	c.untilCommit(s, false, func(submitted func(error)) { c.submitAsync(s, submitted) }, finish)
}

// Configure takes a configuration message, likewise.
func (c *Chain) Configure(config *protoutil.Message, configSeq uint64) error {
	c.metrics.configProposalsReceived.Add(1)
	return c.submitOwn(submission{msg: config, configSeq: configSeq}, true)
}

func (c *Chain) submitAsync(s submission, finish func(error)) {
	leave, err := c.enter()
	if err != nil {
		finish(err)
		return
	}
	defer leave()
	submitted := func(err error) {
		if !errors.Is(err, cluster.ErrNotTaken) {
			finish(err)
			return
		}
		c.drained.pending.Add(1)
		go func() {
			defer c.drained.left()
			finish(c.submitAgain(s))
		}()
	}
	lead := c.lead.Load()
	if lead == raft.None || lead == c.id || c.running() != nil {
		submitted(c.trySubmit(c.ctx, s)) // which forwards it if the leader has changed just now
		return
	}
	c.send(lead, s, submitted)
}

// submitOwn submits a message that this node's client sent.
func (c *Chain) submitOwn(s submission, config bool) error {
	var err error
	if c.acks == nil {
		err = c.submitNow(s)
	} else {
		answer := make(chan error, 1)
		c.untilCommit(s, config, func(submitted func(error)) { submitted(c.submitNow(s)) }, func(err error) { answer <- err })
		err = <-answer
	}
	if err != nil {
		c.metrics.proposalFailures.Add(1)
	}
	return err
}

func (c *Chain) submitNow(s submission) error {
	leave, err := c.enter()
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(c.ctx, c.opts.RPCTimeout)
	defer cancel()
	if err = c.trySubmit(ctx, s); errors.Is(err, cluster.ErrNotTaken) {
		return c.submitAgain(s)
	}
	return err
}

// submitAgain offers a message that one leader has not taken to the next one,
// for as long as forwarding may take. Its client waits.
func (c *Chain) submitAgain(s submission) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.opts.RPCTimeout)
	defer cancel()
	return c.submitUntil(ctx, s)
}

// submitPatiently submits a message whose client was told that it was accepted
// until there is a leader that takes it, for as long as elections may take, on a
// busy machine too if the ticks are quick.
func (c *Chain) submitPatiently(s submission) error {
	ctx, cancel := context.WithTimeout(c.ctx, max(4*c.node.electionTimeout, minElectionPatience))
	defer cancel()
	return c.submitUntil(ctx, s)
}

// submitUntil submits a message until it was taken or ctx ends. One that may have
// been taken is not sent again: it could be ordered twice.
func (c *Chain) submitUntil(ctx context.Context, s submission) error {
	for {
		select {
		case <-c.led.opened():
		case <-ctx.Done():
			return errNoLeader
		}
		err := c.trySubmit(c.ctx, s)
		if err == nil || errors.Is(err, cluster.ErrUncertain) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryInterval): // the leader may be another one soon, or the way to it be open again
		}
	}
}

// trySubmit gives a message to the leader. ctx ends the wait for another node.
func (c *Chain) trySubmit(ctx context.Context, s submission) error {
	if err := c.running(); err != nil {
		return err
	}
	switch lead := c.lead.Load(); lead {
	case raft.None:
		return errNoLeader
	case c.id:
		select {
		case c.submissions <- s:
			return nil
		case <-c.stopped:
			return errStopped
		}
	default:
		return c.forward(ctx, lead, s)
	}
}

// forward sends a message to the leader and waits until it is there.
func (c *Chain) forward(ctx context.Context, lead uint64, s submission) error {
	sent := make(chan error, 1)
	go c.send(lead, s, func(err error) { sent <- err })
	select {
	case err := <-sent:
		return err
	case <-c.stopped:
		return errStopped
	case <-ctx.Done():
		return forwardTimeout{c.opts.RPCTimeout, lead, cluster.ErrUncertain}
	}
}

// send forwards a message and has report called once, when the leader has it, if
// it says so, or the message is on the wire to it, or with an error.
func (c *Chain) send(lead uint64, s submission, report func(error)) {
	c.log.Debugf("Forwarding transaction to the leader %d", lead)
	c.rpc.SendSubmit(lead, s.msg, s.configSeq, func(err error) {
		if errors.Is(err, cluster.ErrRPCTimeout) {
			err = forwardTimeout{c.opts.RPCTimeout, lead, err}
		}
		report(err)
	})
}

// forwardTimeout is the error of a message that took too long to reach the leader.
type forwardTimeout struct {
	after time.Duration
	to    uint64
	cause error
}

func (e forwardTimeout) Error() string {
	return fmt.Sprintf("timed out (%v) waiting on forwarding to %d", e.after, e.to)
}

func (e forwardTimeout) Unwrap() error { return e.cause }

// take takes a transaction of another consenter which keeps it until this says
// whether it was taken. A node that does not lead leaves it to its sender to find
// out who does, and so does one that has stopped.
func (c *Chain) take(s submission) error {
	c.drained.pending.Add(1)
	defer c.drained.left()
	select {
	case <-c.drained.sealed:
		return errStopped
	default:
	}
	if err := c.running(); err != nil {
		return err
	}
	if c.lead.Load() != c.id {
		return errNotLeader
	}
	c.drained.lastArrival.Store(time.Now().UnixNano())
	select {
	case c.submissions <- s:
		return nil
	case <-c.stopped:
		return errStopped
	}
}

// submitMessage takes a transaction that another consenter forwards. Its sender
// does not wait for an answer and has told its client that it was accepted: while
// there is no leader it waits here, and the stream's later ones behind it. One
// that cannot be taken is lost; that is no reason to lose those behind it.
func (c *Chain) submitMessage(s submission, sender uint64) error {
	if err := c.running(); err != nil {
		return err
	}
	c.drained.arrived()
	defer c.drained.left()
	if err := c.submitPatiently(s); err != nil {
		c.metrics.proposalFailures.Add(1)
		c.log.Warnf("Transaction forwarded by node %d is lost: %s", sender, err)
	}
	return nil
}
