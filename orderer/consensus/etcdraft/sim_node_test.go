package etcdraft

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.uber.org/zap"

	"raftmig/orderer/cluster"
	"raftmig/orderer/consensus"
	"raftmig/orderer/metrics"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

type simNode struct {
	sim     *simulation
	cert    string
	id      uint64
	support *fakeSupport
	disk    simDisk
	chain   *Chain       // nil while it is down
	held    []submission // accepted as the leader, to be passed on
	fatal   chan error
	gone    bool // it knows that it was removed
}

// simDisk is the Raft state of a node: live in ram, and what survives a crash.
type simDisk struct {
	ram  *raft.MemoryStorage
	hard raftpb.HardState
	snap raftpb.Snapshot
	ents []raftpb.Entry
	// crash has the next save fail, before or after it is durable.
	crash string
}

// open loads what was durable; fresh as in openStorage.
func (d *simDisk) open() (fresh bool) {
	d.ram, d.crash = raft.NewMemoryStorage(), ""
	if raft.IsEmptyHardState(d.hard) && raft.IsEmptySnap(d.snap) {
		return true
	}
	hs := d.hard
	hs.Commit = max(hs.Commit, d.snap.Metadata.Index)
	if !raft.IsEmptySnap(d.snap) {
		if err := d.ram.ApplySnapshot(d.snap); err != nil {
			panic(err)
		}
	}
	if err := errors.Join(d.ram.SetHardState(hs), d.ram.Append(d.ents)); err != nil {
		panic(err)
	}
	return false
}

func (d *simDisk) save(hs raftpb.HardState, entries []raftpb.Entry, sn raftpb.Snapshot) error {
	if d.crash == "before" {
		return errCrash
	}
	if !raft.IsEmptySnap(sn) {
		d.snap, d.ents = sn, nil
		if err := d.ram.ApplySnapshot(sn); err != nil {
			return err
		}
	}
	if !raft.IsEmptyHardState(hs) {
		d.hard = hs
		if err := d.ram.SetHardState(hs); err != nil {
			return err
		}
	}
	if len(entries) > 0 {
		var kept []raftpb.Entry
		for _, e := range d.ents {
			if e.Index < entries[0].Index {
				kept = append(kept, e)
			}
		}
		d.ents = append(kept, entries...)
	}
	if err := d.ram.Append(entries); err != nil {
		return err
	}
	if d.crash == "after" {
		return errCrash
	}
	return nil
}

func (d *simDisk) takeSnapshot(index uint64, cs raftpb.ConfState, data []byte) error {
	sn, err := d.ram.CreateSnapshot(index, &cs, data)
	if errors.Is(err, raft.ErrSnapOutOfDate) {
		return nil
	}
	if err != nil {
		return err
	}
	d.snap = sn
	var kept []raftpb.Entry
	for _, e := range d.ents {
		if e.Index > index {
			kept = append(kept, e)
		}
	}
	d.ents = kept
	if index > DefaultCatchUpEntries {
		if err := d.ram.Compact(index - DefaultCatchUpEntries); err != nil && !errors.Is(err, raft.ErrCompacted) {
			return err
		}
	}
	return nil
}

func (d *simDisk) entries() raft.Storage { return d.ram }

func (d *simDisk) lastIndex() uint64 { return (&storage{ram: d.ram}).lastIndex() }

func (d *simDisk) snapshot() raftpb.Snapshot { return (&storage{ram: d.ram}).snapshot() }

func (d *simDisk) close() error { return nil }

// SendConsensus puts a message on the wire.
func (n *simNode) SendConsensus(dest uint64, payload [][]byte, _ []byte) error {
	var b []byte
	for _, p := range payload {
		b = append(b, p...)
	}
	n.sim.wire = append(n.sim.wire, simMessage{n.id, dest, b})
	return nil
}

// PullBlock, LastConfigBlock and Close make a node the source of another's blocks.
func (n *simNode) PullBlock(_ context.Context, number uint64) (*cb.Block, error) {
	for _, other := range n.sim.nodes {
		if b := other.support.Block(number); b != nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("nobody has block %d", number)
}

func (n *simNode) LastConfigBlock(context.Context) (*cb.Block, error) { return nil, errCrash }

func (n *simNode) Close() {}

// start is what Consenter and Chain do at the start of a process.
func (n *simNode) start() {
	last := n.support.Block(n.support.Height() - 1)
	md, err := protoutil.ConsenterMetadata(last)
	if err != nil {
		n.sim.fail("%s: %s", n.cert, err)
	}
	bm, err := raftmetadata.ReadBlockMetadata(md, n.support.config)
	if err != nil {
		n.sim.fail("%s: %s", n.cert, err)
	}
	consenters, err := raftmetadata.Consenters(bm, n.support.config)
	if err != nil {
		n.sim.fail("%s: %s", n.cert, err)
	}
	n.id = 0
	for id, c := range consenters {
		if string(c.ClientTlsCert) == n.cert {
			n.id = id
		}
	}
	if n.id == 0 {
		n.gone = true
		return
	}
	fresh := n.disk.open()
	fatal := n.fatal
	consenter := &Consenter{metrics: newChainMetrics(metrics.Disabled{}), opts: Options{
		Comm: cluster.NewComm(cluster.Config{}), Logger: zap.NewNop().Sugar(), Fatal: func(err error) { fatal <- err },
		NewPuller: func(consensus.ConsenterSupport) (BlockPuller, error) { return n, nil },
	}}
	n.support.cutter.Cut()
	c := consenter.assemble(n.support, n.support.config.Options, bm, consenters, n.id, &n.disk, time.Second, last)
	c.fresh = fresh
	c.evicted = func() {}
	c.drained.once.Do(func() {}) // nobody stops it in order
	c.node.requests = make(chan func(*raft.RawNode), 1000)
	c.node.rpc = n
	c.handOn = func(m submission, _ ...<-chan struct{}) <-chan struct{} {
		n.held = append(n.held, m)
		return nil
	}
	if err := c.prepare(); err != nil {
		n.sim.fail("%s does not start: %s", n.cert, err)
	}
	n.chain, n.held = c, nil
	n.raftWork()
}

func (n *simNode) up() bool { return n.chain != nil }

// crash loses what is in memory, and a block that was not synced yet.
func (n *simNode) crash() {
	n.chain, n.held = nil, nil
	n.sim.crashed++
	s := n.support
	last := s.Height() - 1
	snap := uint64(0)
	if b, err := protoutil.UnmarshalBlock(n.disk.snap.Data); err == nil && b.Header != nil {
		snap = b.Header.Number
	}
	if last > 0 && last > snap && !protoutil.IsConfigBlock(s.Block(last)) && n.sim.rng.IntN(2) == 0 {
		s.blocks = s.blocks[:last]
	}
}

// raftWork is the raft loop until it waits.
func (n *simNode) raftWork() {
	nd := n.chain.node
	for {
		nd.drainProposals()
		for len(nd.requests) > 0 {
			(<-nd.requests)(nd.rn)
		}
		if !nd.rn.HasReady() {
			return
		}
		if err := nd.ready(nd.rn.Ready()); errors.Is(err, errCrash) {
			n.crash()
			return
		} else if err != nil {
			n.sim.fail("%s: %s", n.cert, err)
		}
	}
}

// runWork is the run loop for at most items of what the raft loop has for it.
func (n *simNode) runWork(items int) {
	for nd := n.chain.node; items > 0 && len(nd.queue) > 0; items-- {
		a := nd.queue[0]
		nd.queue = nd.queue[1:]
		if a.snapshot != nil {
			n.sim.snapshots++
		}
		if a.soft != nil && a.soft.lead == n.id {
			n.sim.leaders++
		}
		n.chain.apply(a)
		n.check()
		nd.drainProposals()
	}
	n.raftWork()
}

// check compares the ledger with those of the others.
func (n *simNode) check() {
	s := n.sim
	for number := uint64(max(0, len(s.canonical)-10)); number < n.support.Height(); number++ {
		block := n.support.Block(number)
		hash := headerHash(block)
		if number < uint64(len(s.canonical)) {
			if s.canonical[number] != hash {
				s.fail("fork: block %d of %s is not that of the others", number, n.cert)
			}
			continue
		}
		s.canonical = append(s.canonical, hash)
		if number == 0 || protoutil.IsConfigBlock(block) {
			continue
		}
		for _, tx := range block.Data.Data {
			if s.inBlocks[string(tx)]++; s.inBlocks[string(tx)] > 1 {
				s.fail("a message is in block %d for the second time", number)
			}
		}
	}
	_, consenters := n.chain.membership()
	if n.chain.failed && consenters[n.id] != nil {
		select {
		case err := <-n.fatal:
			s.fail("%s: %s", n.cert, err)
		case <-time.After(5 * time.Second):
			s.fail("%s has failed", n.cert)
		}
	}
	if n.chain.failed || n.chain.leaving {
		n.gone = true
	}
}

// tick advances the clock of a node. The library's random election timeout is
// replaced by one that the seed gives.
func (n *simNode) tick() {
	r := reflect.ValueOf(n.chain.node.rn).Elem().FieldByName("raft").Elem().FieldByName("randomizedElectionTimeout")
	*(*int)(unsafe.Pointer(r.UnsafeAddr())) = simElection + n.sim.rng.IntN(simElection)
	n.chain.node.onTick()
	n.raftWork()
}

func (n *simNode) leads() bool {
	return n.up() && !n.gone && n.chain.leadership.leads() && n.chain.leadership.accepting()
}

// order gives a message to a leader.
func (n *simNode) order(m submission) {
	n.chain.order(m)
	n.check()
	n.raftWork()
}

// passOn gives what a node holds to the leader.
func (n *simNode) passOn() {
	if to := n.sim.leader(); to != nil && len(n.held) > 0 {
		m := n.held[0]
		n.held = n.held[1:]
		to.order(m)
	}
}

// timers fires those that run.
func (n *simNode) timers() {
	if n.chain.batchTimerOn {
		n.chain.batchTimerOn = false
		n.chain.onBatchTimeout()
	}
	if t := n.chain.transfer; t != nil {
		t.attempts = min(t.attempts, maxTransferAttempts-1) // giving up is not simulated
		n.chain.tryTransfer()
	}
	n.raftWork()
}
