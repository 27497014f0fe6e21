package etcdraft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.uber.org/zap"

	"raftmig/orderer/cluster"
	"raftmig/orderer/consensus"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// submissionQueue is how many messages wait for the run loop of a leader. They
// count as accepted: a leader that is killed loses them, one that stops has to
// pass them on.
const submissionQueue = 128

var (
	errNotStarted = errors.New("chain is not started")
	errNoLeader   = errors.New("no Raft leader")
)

// submission is a message that the leader is to order, or (msg is nil) somebody
// who wants to know when those before it are in blocks.
type submission struct {
	msg       *protoutil.Message
	configSeq uint64
	settled   chan struct{}
}

// Chain orders one channel. It implements consensus.AsyncOrderer and
// consensus.MetadataValidator.
type Chain struct {
	channel   string
	id        uint64
	opts      *Options
	support   consensus.ConsenterSupport
	log       *zap.SugaredLogger
	metrics   *chainMetrics
	comm      *cluster.Comm
	rpc       *cluster.RPC
	node      *node
	config    *raft.Config
	fresh     bool
	migration bool
	walDir    string
	cert      []byte
	// evicted is called when the chain has stopped because this node is no
	// consenter any more.
	evicted     func()
	noConsenter atomic.Bool // set before evicted's effects

	submissions chan submission
	catchUps    chan *cb.Block // config blocks that others have
	ctx         context.Context
	cancel      context.CancelFunc
	started     atomic.Bool
	stopOnce    sync.Once
	stopped     chan struct{} // closed first thing when stopping
	loops       sync.WaitGroup
	drained     drained

	// acks is nil unless messages are acknowledged when they are in a block.
	acks *acknowledgements

	lead   atomic.Uint64 // raft.None while leaderless or candidate
	term   atomic.Uint64 // in which lead was seen
	active atomic.Pointer[[]uint64]
	ready  gate // open while messages may be submitted
	fault  gate // shut while the chain cannot make progress
	led    gate // open while there is a leader

	mu         sync.RWMutex // guards the two below, written by the run loop
	blockMeta  *etcdraft.BlockMetadata
	consenters map[uint64]*etcdraft.Consenter

	runState // owned by the run loop
}

// Order takes a normal message: it queues it if this node leads, else it
// forwards it and waits until that is written to the stream. Success means that
// the message reached the leader, not that it is ordered (spec 4.6), unless the
// options say that it is to be acknowledged at commit.
func (c *Chain) Order(msg *protoutil.Message, configSeq uint64) error {
	c.metrics.normalProposals.Add(1)
	return c.submitOwn(submission{msg: msg, configSeq: configSeq}, false)
}

// OrderAsync implements consensus.AsyncOrderer: what is forwarded is not waited
// for. The stream to the leader bounds how long its writing may take.
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

func (c *Chain) submitAsync(s submission, finish func(error)) {
	leave, err := c.enter()
	if err != nil {
		finish(err)
		return
	}
	defer leave()
	lead := c.lead.Load()
	if lead == raft.None || lead == c.id || c.running() != nil {
		finish(c.trySubmit(s))
		return
	}
	c.log.Debugf("Forwarding transaction to the leader %d", lead)
	c.rpc.SendSubmit(lead, s.msg, s.configSeq, finish)
}

// Configure takes a configuration message, likewise.
func (c *Chain) Configure(config *protoutil.Message, configSeq uint64) error {
	c.metrics.configProposalsReceived.Add(1)
	return c.submitOwn(submission{msg: config, configSeq: configSeq}, true)
}

// submitOwn submits a message that this node's client sent.
func (c *Chain) submitOwn(s submission, config bool) error {
	if c.acks == nil {
		return c.submitNow(s)
	}
	answer := make(chan error, 1)
	c.untilCommit(s, config, func(submitted func(error)) { submitted(c.submitNow(s)) }, func(err error) { answer <- err })
	return <-answer
}

func (c *Chain) submitNow(s submission) error {
	leave, err := c.enter()
	if err != nil {
		return err
	}
	defer leave()
	return c.submit(s)
}

func (c *Chain) running() error {
	select {
	case <-c.stopped:
		return errStopped
	default:
	}
	if !c.started.Load() {
		return errNotStarted
	}
	return nil
}

func (c *Chain) submit(s submission) error {
	err := c.trySubmit(s)
	if err != nil {
		c.metrics.proposalFailures.Add(1)
	}
	return err
}

func (c *Chain) trySubmit(s submission) error {
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
		return c.forward(lead, s)
	}
}

// forward sends a message to the leader and waits until it is on the wire.
func (c *Chain) forward(lead uint64, s submission) error {
	c.log.Debugf("Forwarding transaction to the leader %d", lead)
	timer := time.NewTimer(c.opts.RPCTimeout)
	defer timer.Stop()
	sent := make(chan error, 1)
	go c.rpc.SendSubmit(lead, s.msg, s.configSeq, func(err error) { sent <- err })
	select {
	case err := <-sent:
		return err
	case <-c.stopped:
		return errStopped
	case <-timer.C:
		return fmt.Errorf("timed out (%v) waiting on forwarding to %d", c.opts.RPCTimeout, lead)
	}
}

// WaitReady blocks while a configuration is being applied, the in-flight limit
// is reached, a new leader is not ready, or blocks are being caught up.
func (c *Chain) WaitReady() error {
	if err := c.running(); err != nil {
		return err
	}
	select {
	case <-c.ready.opened():
	case <-c.drained.begun:
		return errStopped
	case <-c.stopped:
	}
	return c.running()
}

// Errored returns a channel that is closed while there is no leader (in a
// cluster of more than two), and before Start and after Halt.
func (c *Chain) Errored() <-chan struct{} { return c.fault.shutSignal() }

// Halt stops the chain in order, so that nothing is lost that was accepted, as
// long as a majority of the others is there, and waits until its files are
// closed. It takes drainPatience at most before it stops.
func (c *Chain) Halt() {
	if c.started.Load() {
		c.drained.once.Do(c.drain)
	}
	c.halt()
}

// halt stops the chain at once and waits until its files are closed.
func (c *Chain) halt() {
	if !c.started.Load() {
		c.log.Warn("Attempted to halt a chain that has not started")
		c.stopOnce.Do(func() {
			close(c.stopped)
			c.cancel()
			if err := c.node.store.close(); err != nil {
				c.log.Warnf("Halting: %s", err)
			}
		})
		return
	}
	c.stop()
	c.loops.Wait()
}

// stop begins to stop; Halt waits for the end.
func (c *Chain) stop() {
	c.stopOnce.Do(func() {
		close(c.stopped)
		c.cancel()
		c.fault.shut()
	})
}

// haltEvicted stops the chain of a channel that this node no longer orders.
func (c *Chain) haltEvicted() {
	c.halt()
	c.comm.Remove(c.channel)
	c.evicted()
}

// fatal stops the chain because of an error that may cost data.
func (c *Chain) fatal(err error) {
	c.log.Errorf("Chain stops: %s", err)
	c.stop()
	go c.opts.Fatal(fmt.Errorf("channel %s: %w", c.channel, err)) // which may halt this chain
}

// consensusMessage takes a consensus message from the consenter sender.
func (c *Chain) consensusMessage(req *ab.ConsensusRequest, sender uint64) error {
	if err := c.running(); err != nil {
		return err
	}
	m, err := parseMessage(req.Payload, sender, c.id)
	if errors.Is(err, errWrongRecipient) {
		c.log.Warnf("Received msg to %d, my ID is probably wrong due to out of date, cowardly halting", m.To)
		go c.haltEvicted()
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.node.receive(m); err != nil {
		return err
	}
	if len(req.Metadata) == 0 || c.lead.Load() != sender {
		return nil
	}
	md := &etcdraft.ClusterMetadata{}
	if err := proto.Unmarshal(req.Metadata, md); err != nil {
		return fmt.Errorf("failed to unmarshal ClusterMetadata: %w", err)
	}
	c.setActive(md.ActiveNodes, true)
	return nil
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
	if c.trySubmit(s) == nil {
		return nil
	}
	if err := c.submitPatiently(s); err != nil {
		c.metrics.proposalFailures.Add(1)
		c.log.Warnf("Transaction forwarded by node %d is lost: %s", sender, err)
	}
	return nil
}

func (c *Chain) setActive(ids []uint64, stable bool) {
	c.active.Store(&ids)
	if stable || len(ids) == 0 {
		c.metrics.activeNodes.Set(float64(len(ids)))
	}
}

func (c *Chain) activeNodes() []uint64 {
	if p := c.active.Load(); p != nil {
		return *p
	}
	return nil
}

// membership returns the Raft metadata in force; neither may be changed.
func (c *Chain) membership() (*etcdraft.BlockMetadata, map[uint64]*etcdraft.Consenter) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.blockMeta, c.consenters
}

func (c *Chain) setMembership(bm *etcdraft.BlockMetadata, consenters map[uint64]*etcdraft.Consenter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blockMeta, c.consenters = bm, consenters
}

// configureComm tells the communication who the others are.
func (c *Chain) configureComm() {
	_, consenters := c.membership()
	c.comm.Configure(c.channel, remoteNodes(c.id, consenters, c.log))
}

// remoteNodes are the consenters other than self. One whose certificates do not
// parse is left out: the metadata of a migration is checked by nobody before
// this (spec 1.3), and the others may have a quorum without it to repair that.
func remoteNodes(self uint64, consenters map[uint64]*etcdraft.Consenter, log *zap.SugaredLogger) []cluster.RemoteNode {
	var nodes []cluster.RemoteNode
	for id, consenter := range consenters {
		if id == self {
			continue
		}
		server, err := raftmetadata.ParseCertificate(consenter.ServerTlsCert)
		if err != nil {
			log.Errorf("Rejecting PEM block of server TLS cert for node %d, offending PEM is: %s", id, string(consenter.ServerTlsCert))
			continue
		}
		client, err := raftmetadata.ParseCertificate(consenter.ClientTlsCert)
		if err != nil {
			log.Errorf("Rejecting PEM block of client TLS cert for node %d, offending PEM is: %s", id, string(consenter.ClientTlsCert))
			continue
		}
		nodes = append(nodes, cluster.RemoteNode{
			ID:            id,
			Endpoint:      net.JoinHostPort(consenter.Host, strconv.FormatUint(uint64(consenter.Port), 10)),
			ServerTLSCert: server.Raw,
			ClientTLSCert: client.Raw,
		})
	}
	return nodes
}

// confChangeOf is the change of members that Raft needs for new consenters, or nil.
func confChangeOf(ch *raftmetadata.Changes) *raftpb.ConfChange {
	switch {
	case ch.AddedID != raft.None:
		return &raftpb.ConfChange{Type: raftpb.ConfChangeAddNode, NodeID: ch.AddedID}
	case ch.RemovedID != raft.None:
		return &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode, NodeID: ch.RemovedID}
	default:
		return nil
	}
}
