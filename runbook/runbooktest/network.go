package runbooktest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"raftmig/runbook"
)

// Options shape a simulated network.
type Options struct {
	Orderers  int // default 3
	Brokers   int // default 4
	ZooKeeper int
	// Channels are the application channels; the system channel is SystemChannel.
	Channels []string
	// Raft makes a network that is on Raft, without brokers. Spare orderers are
	// described, but are no consenters and do not run.
	Raft  bool
	Spare int
	// NoSystemChannel leaves the system channel out; on Raft only.
	NoSystemChannel bool
}

// SystemChannel is the name of every simulated network's system channel.
const SystemChannel = "syschan"

// Network is a simulated network: a model of channels and nodes, of tiers that
// run or do not, and of a backup. It refuses what real orderers refuse, and
// breaks where a real network would break. It implements runbook.Operator and
// is safe for concurrent use.
type Network struct {
	mu       sync.Mutex
	orderers []string
	brokers  []string
	zk       []string
	running  map[string]bool
	channels map[string]*channel
	// raft is set on orderers that started as Raft nodes.
	raft map[string]bool
	// wal holds the ledgers' incarnation that an orderer's Raft folders belong to.
	wal         map[string]int
	incarnation int
	backup      *backup
	inflight    []func()
	late        []func() // updates that arrive only as the orderers stop
	faults      []string
	plan        []Failure
	performed   map[runbook.EffectKind]int
	refuseExit  bool
	noLeader    map[string]bool
	// exported are the updates that lie to be signed, by channel; nil where
	// nobody elsewhere has to sign.
	exported   map[string]*exported
	onRaftOnly *raftModel // of a network that is on Raft
}

// channel is one channel: the blocks that were ordered and how many of them
// each orderer has.
type channel struct {
	name   string
	blocks []block
	have   map[string]int
}

type block struct {
	config     bool
	typ, state string
	meta       string
	sequence   uint64
	change     runbook.Change // "" for anything else
	raft       bool           // ordered by Raft
	hash       string
	endpoints  string // orderer endpoints, separated by commas
}

type backup struct {
	blocks   map[string][]block
	have     map[string]map[string]int
	manifest string
	bad      bool
}

// Failure makes effects fail.
type Failure struct {
	Kind    runbook.EffectKind
	Channel string // "" for any
	Tier    runbook.Tier
	Change  runbook.Change // "" for any
	// After performs the effect before it fails.
	After bool
	// Late performs it when the orderers are stopped next: an update whose time
	// was over, and that was not lost.
	Late bool
	What string
}

// New returns a running network on Kafka in normal operation.
func New(o Options) *Network {
	if o.Orderers == 0 {
		o.Orderers = 3
	}
	if o.Raft {
		return newRaft(o)
	}
	if o.Brokers == 0 {
		o.Brokers = 4
	}
	n := &Network{
		orderers: names("orderer", o.Orderers), brokers: names("broker", o.Brokers), zk: names("zookeeper", o.ZooKeeper),
		running: map[string]bool{}, channels: map[string]*channel{}, raft: map[string]bool{}, wal: map[string]int{},
		performed: map[runbook.EffectKind]int{}, noLeader: map[string]bool{}, incarnation: 1,
	}
	for _, p := range slices.Concat(n.orderers, n.brokers, n.zk) {
		n.running[p] = true
	}
	for _, c := range append([]string{SystemChannel}, o.Channels...) {
		n.create(c)
	}
	return n
}

func names(prefix string, count int) []string {
	var out []string
	for i := range count {
		out = append(out, fmt.Sprintf("%s%d", prefix, i))
	}
	return out
}

// Plan returns a plan for the network.
func (n *Network) Plan() runbook.Plan {
	return runbook.Plan{
		Run: "run-1", Network: "testnet",
		Orderers: slices.Clone(n.orderers), Brokers: slices.Clone(n.brokers), ZooKeeper: slices.Clone(n.zk),
	}
}

func (n *Network) create(name string) {
	c := &channel{name: name, have: map[string]int{}}
	n.channels[name] = c
	n.order(c, block{config: true, typ: runbook.TypeKafka, state: runbook.StateNormal, sequence: 1})
	n.order(c, block{typ: runbook.TypeKafka, state: runbook.StateNormal, sequence: 1})
	n.deliver(c)
}

// order appends a block to a channel, without any orderer having it.
func (n *Network) order(c *channel, b block) {
	prev := ""
	if len(c.blocks) > 0 {
		prev = c.blocks[len(c.blocks)-1].hash
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%d|{%v %v %v %v %v %v %v %v}%s", c.name, prev, len(c.blocks),
		b.config, b.typ, b.state, b.meta, b.sequence, b.change, b.raft, b.hash, b.endpoints))
	b.hash = hex.EncodeToString(sum[:])
	c.blocks = append(c.blocks, b)
}

// deliver gives every running orderer the blocks it misses.
func (n *Network) deliver(c *channel) {
	for _, o := range n.orderers {
		if n.running[o] && n.receives(c, o) {
			c.have[o] = len(c.blocks)
		}
	}
}

func (c *channel) last() block { return c.blocks[len(c.blocks)-1] }

// Fail makes the next effect that matches fail, once per call.
func (n *Network) Fail(f Failure) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plan = append(n.plan, f)
}

// RefuseExit makes every update that leaves maintenance on Raft be refused.
func (n *Network) RefuseExit(refuse bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuseExit = refuse
}

// NoLeader keeps a channel from electing a leader.
func (n *Network) NoLeader(name string, none bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.noLeader[name] = none
}

// CreateChannel creates an application channel, as a client would. It is
// refused once the system channel is in maintenance.
func (n *Network) CreateChannel(name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.channels[SystemChannel].last().state != runbook.StateNormal:
		return fmt.Errorf("channel creation is not permitted: maintenance mode")
	case n.channels[SystemChannel].last().typ != runbook.TypeKafka:
		return fmt.Errorf("the model creates channels on Kafka only")
	case n.channels[name] != nil:
		return fmt.Errorf("channel %s exists", name)
	}
	n.create(name)
	return nil
}

// ForeignUpdate orders a configuration update that is none of the migration's,
// as another administrator would. The maintenance rules permit it.
func (n *Network) ForeignUpdate(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.channels[name]
	b := c.last()
	b.config, b.change, b.sequence = true, "", b.sequence+1
	b.raft = n.up(n.orderers) > 0 && n.onRaft()
	n.order(c, b)
	n.deliver(c)
}

// Kill stops one process at once; Revive starts it again.
func (n *Network) Kill(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running[node] = false
}

// Revive starts a process that was killed, and lets it catch up.
func (n *Network) Revive(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running[node] = true
	for _, c := range n.channels {
		n.deliver(c)
	}
}

// SpoilBackup changes a byte of the backup.
func (n *Network) SpoilBackup() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.backup != nil {
		n.backup.bad = true
	}
}

// Faults returns what happened to the network that must never happen.
func (n *Network) Faults() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.faults)
}

// Submitted counts the blocks that carry a change on a channel and are part of
// its ledger now.
func (n *Network) Submitted(name string, change runbook.Change) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, b := range n.channels[name].blocks {
		if b.change == change {
			count++
		}
	}
	return count
}

// States returns what every node shows of every channel.
func (n *Network) States() []runbook.ChannelState {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.land()
	return n.read(nil, nil)
}

// land lets updates that were under way arrive.
func (n *Network) land() {
	for _, f := range n.inflight {
		f()
	}
	n.inflight = nil
}

// arriveLate commits, as the orderers stop, the updates that had timed out. Only
// the first orderer writes the block: the others have stopped by then.
func (n *Network) arriveLate() {
	for _, f := range n.late {
		have := map[string]map[string]int{}
		for name, c := range n.channels {
			have[name] = maps.Clone(c.have)
		}
		f()
		for name, c := range n.channels {
			for _, o := range n.orderers[1:] {
				c.have[o] = have[name][o]
			}
		}
	}
	n.late = nil
}

func (n *Network) fault(format string, args ...any) {
	n.faults = append(n.faults, fmt.Sprintf(format, args...))
}

func (n *Network) up(nodes []string) int {
	count := 0
	for _, p := range nodes {
		if n.running[p] {
			count++
		}
	}
	return count
}

func (n *Network) tier(t runbook.Tier) []string {
	switch t {
	case runbook.TierOrderers:
		return n.orderers
	case runbook.TierBrokers:
		return n.brokers
	case runbook.TierZooKeeper:
		return n.zk
	default:
		return slices.Concat(n.orderers, n.brokers, n.zk)
	}
}

// channelNames lists the channels, the system channel first.
func (n *Network) channelNames() []string {
	if n.channels[SystemChannel] == nil {
		return slices.Sorted(maps.Keys(n.channels))
	}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(n.channels)), func(c string) bool { return c == SystemChannel })
	return append([]string{SystemChannel}, rest...)
}

// startTime is when every simulated process started.
var startTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
