package etcdraft

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// A simulation is a cluster of chains without clock, network, disk and goroutines:
// their two loops are steps that a seed chooses, one after the other. Messages
// between them are kept back, dropped and reordered, nodes crash with what they
// have synced and start again, the leadership moves, consenters come and go. After
// each step the ledgers are compared; in the end all that was done is undone, and the
// cluster has to come to rest.
const (
	simChannel  = "ch1"
	simElection = 6 // ticks
)

type simulation struct {
	seed    uint64
	rng     *rand.Rand
	crashes bool
	nodes   []*simNode
	wire    []simMessage
	// canonical are the header hashes of the blocks that any node has written.
	canonical []string
	inBlocks  map[string]int
	accepted  []string
	steps     int

	crashed, snapshots, leaders int // how often
}

type simMessage struct {
	from, to uint64
	payload  []byte
}

// failure ends a simulation.
type failure struct{ text string }

func (s *simulation) fail(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

var errCrash = errors.New("crash")

func newSimulation(seed uint64) *simulation {
	s := &simulation{seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), crashes: seed%2 == 1, inBlocks: map[string]int{}}
	config := &etcdraft.ConfigMetadata{Options: &etcdraft.Options{
		TickInterval: "1s", ElectionTick: simElection, HeartbeatTick: 1, MaxInflightBlocks: uint32(1 + s.rng.IntN(4)),
		SnapshotIntervalSize: uint32(500 + s.rng.IntN(5000)),
	}}
	for i := range 3 + s.rng.IntN(3) {
		config.Consenters = append(config.Consenters, simConsenter(fmt.Sprintf("cert %d", i+1)))
	}
	for _, c := range config.Consenters {
		s.add(string(c.ClientTlsCert), newFakeSupport(simChannel, config))
	}
	return s
}

func simConsenter(cert string) *etcdraft.Consenter {
	return &etcdraft.Consenter{Host: "host", Port: 7050, ClientTlsCert: []byte(cert), ServerTlsCert: []byte(cert)}
}

func (s *simulation) add(cert string, support *fakeSupport) {
	n := &simNode{sim: s, cert: cert, support: support, fatal: make(chan error, 10)}
	support.cutter.max = 1 + s.rng.IntN(4)
	support.onConfig = func(*protoutil.Message) (*protoutil.Message, error) {
		return nil, errors.New("for an older configuration")
	}
	s.nodes = append(s.nodes, n)
	n.start()
}

// deliver has a node read a message.
func (s *simulation) deliver(m simMessage) {
	for _, n := range s.nodes {
		if n.id != m.to || !n.up() || n.gone {
			continue
		}
		if msg, err := parseMessage(m.payload, m.from, n.id); err == nil {
			n.chain.node.step(msg)
			n.raftWork()
		}
	}
}

func (s *simulation) leader() *simNode {
	for _, n := range s.nodes {
		if n.leads() {
			return n
		}
	}
	return nil
}

// client sends a message, or a configuration, to the leader.
func (s *simulation) client() {
	n := s.leader()
	if n == nil {
		return
	}
	seq := n.support.Sequence()
	if s.rng.IntN(25) > 0 {
		msg := normalMessage(simChannel, fmt.Sprint(len(s.accepted)))
		s.accepted = append(s.accepted, string(msg.Bytes()))
		n.order(submission{msg: msg, configSeq: seq})
		return
	}
	next := proto.Clone(n.support.config).(*etcdraft.ConfigMetadata)
	switch count := len(next.Consenters); {
	case count > 3 && s.rng.IntN(2) == 0:
		i := s.rng.IntN(count)
		next.Consenters = append(next.Consenters[:i], next.Consenters[i+1:]...)
	case count < 5 && s.rng.IntN(2) == 0:
		next.Consenters = append(next.Consenters, simConsenter(fmt.Sprintf("cert %d", len(s.nodes)+1+int(seq))))
	}
	n.order(submission{msg: configMessage(simChannel, next, seq+1), configSeq: seq})
}

// join starts a consenter that was added, with the ledger of another one.
func (s *simulation) join() {
	known := map[string]bool{}
	var newest *simNode
	for _, n := range s.nodes {
		known[n.cert] = true
		if newest == nil || n.support.Height() > newest.support.Height() {
			newest = n
		}
	}
	for _, c := range newest.support.config.Consenters {
		if known[string(c.ClientTlsCert)] {
			continue
		}
		var blocks []*cb.Block
		for i := uint64(0); i < newest.support.Height(); i++ {
			blocks = append(blocks, newest.support.Block(i))
		}
		support := newFakeSupport(simChannel, newest.support.config, blocks...)
		support.sequence = newest.support.sequence
		s.add(string(c.ClientTlsCert), support)
	}
}

// step does one thing.
func (s *simulation) step() {
	s.steps++
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	action := s.rng.IntN(100)
	if n.gone && action > 40 {
		if n.up() {
			n.passOn()
		}
		return
	}
	if !n.up() {
		if action > 90 {
			n.start()
		}
		return
	}
	switch {
	case action < 40 && len(s.wire) > 0:
		i := 0 // mostly in order
		if s.rng.IntN(4) == 0 {
			i = s.rng.IntN(len(s.wire))
		}
		m := s.wire[i]
		s.wire = append(s.wire[:i:i], s.wire[i+1:]...)
		if s.rng.IntN(25) > 0 {
			s.deliver(m)
		}
	case action < 55:
		n.tick()
	case action < 75:
		n.runWork(1 + s.rng.IntN(3))
	case action < 86:
		s.client()
	case action < 90:
		n.passOn()
	case action < 93:
		n.timers()
	case action < 94:
		to := s.nodes[s.rng.IntN(len(s.nodes))].id
		n.chain.node.rn.TransferLeader(to)
		n.raftWork()
	case action < 95:
		s.join()
	case action < 96 && s.crashes:
		n.crash()
	case action < 97 && s.crashes:
		n.disk.crash = []string{"before", "after"}[s.rng.IntN(2)]
	}
}

// heal repairs everything and waits until the cluster rests.
func (s *simulation) heal() {
	for range 2000 {
		s.join()
		for _, n := range s.nodes {
			if n.gone {
				if n.up() {
					n.passOn()
				}
				continue
			}
			if !n.up() {
				n.start()
			}
			n.disk.crash = ""
			if n.up() && !n.gone {
				n.tick()
			}
		}
		for i := 0; len(s.wire) > 0 && i < 10000; i++ {
			m := s.wire[0]
			s.wire = s.wire[1:]
			s.deliver(m)
		}
		for _, n := range s.nodes {
			if n.up() && !n.gone {
				n.runWork(1000)
			}
			if n.up() && !n.gone {
				n.timers()
				n.passOn()
			}
		}
		if s.rests() {
			return
		}
	}
	s.fail("does not come to rest: %s", s.describe())
}

// describe says how the nodes stand.
func (s *simulation) describe() string {
	text := fmt.Sprintf("%d blocks", len(s.canonical))
	for _, n := range s.nodes {
		text += fmt.Sprintf("; %s (ID %d) height %d gone %v held %d", n.cert, n.id, n.support.Height(), n.gone, len(n.held))
		if n.up() {
			st := n.chain.node.rn.Status()
			text += fmt.Sprintf(" %s term %d lead %d commit %d last %d voters %v serving %v config in flight %v change %v",
				st.RaftState, st.Term, st.Lead, st.Commit, n.disk.lastIndex(), n.chain.confState.Voters,
				n.chain.leadership.serving, n.chain.leadership.configInflight, n.chain.leadership.confChange)
		}
	}
	return text
}

// rests tells whether there is nothing left to do.
func (s *simulation) rests() bool {
	leader := s.leader()
	if leader == nil || !leader.chain.leadership.serving {
		return false
	}
	_, members := leader.chain.membership()
	for _, n := range s.nodes {
		if n.up() && len(n.held) > 0 {
			return false
		}
		if members[n.id] == nil || string(members[n.id].ClientTlsCert) != n.cert {
			continue
		}
		if !n.up() || int(n.support.Height()) != len(s.canonical) || n.chain.batchTimerOn || len(n.chain.made) > 0 ||
			len(n.chain.orphans.blocks) > 0 || len(n.chain.node.queue) > 0 || len(n.support.cutter.pending) > 0 {
			return false
		}
	}
	return true
}

// run returns why the simulation fails, or "".
func (s *simulation) run(steps int) (text string) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			text = fmt.Sprintf("step %d: %s", s.steps, r.text)
		default:
			panic(r)
		}
	}()
	for range steps {
		s.step()
	}
	s.heal()
	for _, n := range s.nodes { // those who were removed have a beginning of it
		for number := range n.support.Height() {
			if headerHash(n.support.Block(number)) != s.canonical[number] {
				s.fail("%s has another block %d", n.cert, number)
			}
		}
	}
	for i, tx := range s.accepted {
		if !s.crashes && s.inBlocks[tx] == 0 {
			s.fail("message %d of %d was accepted, no node crashed, and it is in no block", i, len(s.accepted))
		}
	}
	return ""
}

// SIM_SEED=n replays a seed that failed, SIM_SEEDS=n tries as many. In seeds with an
// even number no node crashes, and nothing that was accepted may be lost.
func TestSimulation(t *testing.T) {
	first, count, steps := simRange(t)
	var blocks, messages, lost, nodes, crashed, snapshots, leaders int
	for seed := first; seed < first+count; seed++ {
		var s *simulation
		text := func() string { s = newSimulation(seed); return s.run(steps) }()
		if text != "" {
			t.Errorf("seed %d: %s\nreplay: SIM_SEED=%d go test ./orderer/consensus/etcdraft -run TestSimulation", seed, text, seed)
		}
		blocks, messages, lost = blocks+len(s.canonical), messages+len(s.inBlocks), lost+len(s.accepted)-len(s.inBlocks)
		nodes, crashed, snapshots, leaders = nodes+len(s.nodes), crashed+s.crashed, snapshots+s.snapshots, leaders+s.leaders
	}
	t.Logf("%d simulations: %d blocks, %d messages (%d lost in crashes), %d nodes, %d crashes, %d snapshots received, %d leaderships",
		count, blocks, messages, lost, nodes, crashed, snapshots, leaders)
	if blocks < int(count)*10 {
		t.Errorf("only %d blocks: the simulation does not do much", blocks)
	}
}

func simRange(t *testing.T) (first, count uint64, steps int) {
	t.Helper()
	first, count, steps = 1, 200, 1500
	if testing.Short() {
		count = 100 // with the race detector
	}
	for name, value := range map[string]*uint64{"SIM_SEEDS": &count, "SIM_SEED": &first} {
		text, ok := os.LookupEnv(name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, name)
		*value = n
	}
	if _, ok := os.LookupEnv("SIM_SEED"); ok {
		count = 1
	}
	return first, count, steps
}
