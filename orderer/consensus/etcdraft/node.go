package etcdraft

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.uber.org/zap"

	"raftmig/orderer/protoutil"
)

const (
	// messageQueue is how many received messages wait for the raft loop.
	messageQueue = 256
	// maxApplyQueue is how many bytes of committed entries wait for the run
	// loop before the raft loop stops to process more.
	maxApplyQueue = 256 << 20
)

// sender carries consensus messages; *cluster.RPC is one.
type sender interface {
	SendConsensus(dest uint64, payload [][]byte, metadata []byte) error
}

// softState says who leads in which term and what this node is.
type softState struct {
	lead uint64
	role raft.StateType
	term uint64
}

// applied is what the raft loop hands to the run loop, in order.
type applied struct {
	soft     *softState
	snapshot *raftpb.Snapshot
	entries  []raftpb.Entry
	// confStates holds the members after each entry that changes them, by index.
	confStates map[uint64]raftpb.ConfState
	// dropped is a proposal that did not make it into the log.
	dropped *proposal
}

func (a applied) size() int {
	n := 0
	for i := range a.entries {
		n += len(a.entries[i].Data)
	}
	return n
}

// proposal is a block to be put into the log by the leader of a term.
type proposal struct {
	term   uint64
	epoch  uint64 // of the leader's attempts in this term
	data   []byte
	number uint64
	config bool
}

// node owns the Raft state machine of one channel. Its methods are safe for
// concurrent use and return at once when the node has stopped.
type node struct {
	id      uint64
	channel string
	log     *zap.SugaredLogger
	rpc     sender
	store   raftStorage
	tick    time.Duration
	// electionTimeout is that of the options; half of it is too slow for a disk.
	electionTimeout time.Duration
	heartbeatTicks  int
	observePersist  func(seconds float64)
	onActive        func(ids []uint64, stable bool)
	onFatal         func(error)

	messages  chan raftpb.Message
	proposals chan *proposal
	requests  chan func(*raft.RawNode)
	out       chan applied
	stop      chan struct{}
	stopOnce  sync.Once
	done      chan struct{}
	lastIndex atomic.Uint64

	// Owned by the loop.
	rn          *raft.RawNode
	campaigning bool
	ticks       int
	confState   raftpb.ConfState
	tracker     activeTracker
	gossip      gossip
	unreachable map[uint64]bool
	queue       []applied
	queued      int
	role        softState
	failure     error // ends the loop
	lostLog     bool  // a leader knows of entries that are not here; said once
	retired     bool  // does not take over any more
	// droppedChange is a change of members that is to be proposed in changeTerm.
	droppedChange *raftpb.ConfChange
	changeTerm    uint64
	// A proposal dropped in droppedTerm takes those of its epoch with it.
	droppedTerm, droppedEpoch uint64
}

// begin begins a Raft group of peers (if any), or continues from storage. The
// loop is to be started after it.
func (n *node) begin(config *raft.Config, peers []raft.Peer, campaign bool) (err error) {
	defer func() {
		if r := recover(); r != nil { // the library's way of refusing a configuration or a log
			err = fmt.Errorf("starting raft node: %v", r)
		}
	}()
	if n.rn, err = raft.NewRawNode(config); err != nil {
		return fmt.Errorf("starting raft node: %w", err)
	}
	if len(peers) > 0 {
		if err := n.rn.Bootstrap(peers); err != nil {
			return fmt.Errorf("bootstrapping raft node: %w", err)
		}
	}
	n.campaigning = campaign
	if campaign {
		n.log.Info("This node is picked to start campaign")
	}
	n.lastIndex.Store(n.store.lastIndex())
	if sn := n.store.snapshot(); !raft.IsEmptySnap(sn) {
		n.confState = sn.Metadata.ConfState
		n.push(applied{snapshot: &sn})
	}
	return nil
}

// run is the raft loop.
func (n *node) run() {
	err := n.loop()
	if closeErr := n.store.close(); closeErr != nil && err == nil {
		err = closeErr
	}
	n.log.Info("Raft node stopped")
	close(n.done)
	if err != nil {
		n.onFatal(err)
	}
}

func (n *node) loop() (err error) {
	defer func() {
		if r := recover(); r != nil { // the library's way of saying that log and messages contradict each other
			err = fmt.Errorf("raft state machine failed: %v", r)
		}
	}()
	ticker := time.NewTicker(n.tick)
	defer ticker.Stop()
	for {
		for n.queued < maxApplyQueue && n.rn.HasReady() {
			if err := n.ready(n.rn.Ready()); err != nil {
				return err
			}
		}
		var out chan<- applied
		var next applied
		if len(n.queue) > 0 {
			out, next = n.out, n.queue[0]
		}
		select {
		case out <- next:
			n.queue[0] = applied{}
			n.queue = n.queue[1:]
			n.queued -= next.size()
		case <-ticker.C:
			n.onTick()
		case m := <-n.messages:
			n.step(m)
			n.drainMessages()
		case p := <-n.proposals:
			n.onProposal(p)
			n.drainProposals()
		case request := <-n.requests:
			request(n.rn)
			if n.failure != nil {
				return n.failure
			}
		case <-n.stop:
			return nil
		}
	}
}

// drainMessages and drainProposals take what else is there, so that one sync of
// the log serves many.
func (n *node) drainMessages() {
	for i := 0; i < messageQueue; i++ {
		select {
		case m := <-n.messages:
			n.step(m)
		default:
			return
		}
	}
}

func (n *node) drainProposals() {
	for {
		select {
		case p := <-n.proposals:
			n.onProposal(p)
		default:
			return
		}
	}
}

func (n *node) step(m raftpb.Message) {
	if err := checkLog(m, n.lastIndex.Load()); err != nil {
		if !n.lostLog {
			n.log.Errorf("Going on without what was committed: %s", err)
			n.lostLog = true
		}
		m.Commit = 0 // it says who leads; what is committed comes with entries that match
	}
	if n.retired && m.Type == raftpb.MsgTimeoutNow {
		return
	}
	if err := n.rn.Step(m); err != nil {
		n.log.Debugf("Failed to step message of type %s from %d: %s", m.Type, m.From, err)
	}
}

// onProposal appends a block to the log if this node still leads in the term
// in which the block was made, and no block before it was dropped: otherwise it
// would not follow.
func (n *node) onProposal(p *proposal) {
	st := n.rn.BasicStatus()
	err := raft.ErrProposalDropped
	follows := p.term != n.droppedTerm || p.epoch > n.droppedEpoch
	if st.RaftState == raft.StateLeader && st.Term == p.term && follows {
		err = n.rn.Propose(p.data)
	}
	if err != nil {
		n.log.Warnf("Block [%d] was not proposed: %s", p.number, err)
		n.droppedTerm, n.droppedEpoch = p.term, p.epoch
		n.push(applied{dropped: p})
		return
	}
	n.log.Debugf("Proposed block [%d] to raft consensus", p.number)
}

// ready does what the library asks for. The leader sends before it writes: its
// followers write at the same time, and their answers are read only afterwards.
func (n *node) ready(rd raft.Ready) error {
	leading := n.role.role == raft.StateLeader
	if rd.SoftState != nil {
		leading = rd.SoftState.RaftState == raft.StateLeader
	}
	if leading {
		n.send(rd.Messages)
	}
	start := time.Now()
	if err := n.store.save(rd.HardState, rd.Entries, rd.Snapshot); err != nil {
		return fmt.Errorf("failed to persist etcd/raft data: %w", err)
	}
	if took := time.Since(start); len(rd.Entries) > 0 || !raft.IsEmptyHardState(rd.HardState) {
		n.observePersist(took.Seconds())
		if took > n.electionTimeout/2 {
			n.log.Warnf("WAL sync took %v seconds and the network is configured to start elections after %v seconds. "+
				"Your disk is too slow and may cause loss of quorum and trigger leadership election.",
				took.Seconds(), n.electionTimeout.Seconds())
		}
	}
	n.lastIndex.Store(n.store.lastIndex())
	if !leading {
		n.send(rd.Messages)
	}
	n.handOver(rd)
	n.rn.Advance(rd)
	return nil
}

// handOver queues what the run loop has to know.
func (n *node) handOver(rd raft.Ready) {
	var a applied
	if !raft.IsEmptySnap(rd.Snapshot) {
		sn := rd.Snapshot
		n.confState = sn.Metadata.ConfState
		n.push(applied{snapshot: &sn})
	}
	if rd.SoftState != nil {
		n.role = softState{lead: rd.SoftState.Lead, role: rd.SoftState.RaftState, term: n.rn.BasicStatus().Term}
		soft := n.role
		a.soft = &soft
		if n.campaigning && soft.lead != raft.None {
			n.log.Infof("Leader %d is present, quit campaign", soft.lead)
			n.campaigning = false
		}
	}
	a.entries = rd.CommittedEntries
	for _, e := range rd.CommittedEntries {
		if e.Type != raftpb.EntryConfChange {
			continue
		}
		var cc raftpb.ConfChange
		if err := cc.Unmarshal(e.Data); err != nil {
			n.log.Warnf("Failed to unmarshal ConfChange data: %s", err)
			continue
		}
		n.tellRemoved(e, cc)
		n.confState = *n.rn.ApplyConfChange(cc)
		if a.confStates == nil {
			a.confStates = map[uint64]raftpb.ConfState{}
		}
		a.confStates[e.Index] = n.confState
	}
	if a.soft != nil || len(a.entries) > 0 {
		n.push(a)
	}
}

func (n *node) push(a applied) {
	n.queue = append(n.queue, a)
	n.queued += a.size()
}

// onTick advances Raft's clock. Who is active is read before, because the tick
// may reset it.
func (n *node) onTick() {
	st := n.rn.BasicStatus()
	var recent []uint64
	if st.RaftState == raft.StateLeader {
		recent = n.recentlyActive()
	}
	if changed, stable := n.tracker.check(st.Lead, st.RaftState, recent); changed {
		if stable {
			n.log.Debugf("Current active nodes in cluster are: %+v", n.tracker.active)
			n.gossip.update(protoutil.MustMarshal(&etcdraft.ClusterMetadata{ActiveNodes: n.tracker.active}))
		}
		n.onActive(n.tracker.active, stable)
	}
	n.ticks++
	if n.campaigning && n.ticks%(2*n.heartbeatTicks) == 0 {
		if err := n.rn.Campaign(); err != nil {
			n.log.Debugf("Failed to campaign: %s", err)
		}
	}
	n.rn.Tick()
	n.proposeDropped()
}
