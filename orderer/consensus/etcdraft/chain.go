package etcdraft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

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
	lastBlocks  lastBlocks

	// handOn replaces forwardLater in simulations.
	handOn func(s submission, after ...<-chan struct{}) <-chan struct{}

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
// closed and the ledger is left alone. It takes drainPatience at most before it stops.
func (c *Chain) Halt() {
	if c.started.Load() {
		c.drained.once.Do(c.drain)
	}
	c.halt()
	c.lastBlocks.cancel()
	c.lastBlocks.taken.Wait()
}

// halt stops the chain at once and waits until its files are closed.
func (c *Chain) halt() {
	if !c.started.Load() {
		c.log.Warn("Attempted to halt a chain that has not started")
		c.stopOnce.Do(func() {
			close(c.stopped)
			c.drained.seal()
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
		c.drained.seal()
		c.cancel()
		c.fault.shut()
	})
}

// haltRemoved stops the chain when this node was removed, after it has passed on
// what it accepted. The others take it for a while (cluster.Comm).
func (c *Chain) haltRemoved() {
	c.drained.removed.Store(true)
	c.drained.once.Do(c.drain)
	c.haltEvicted()
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
