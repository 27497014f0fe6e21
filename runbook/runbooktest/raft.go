package runbooktest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"raftmig/runbook"
)

// raftModel is what a network that is on Raft has beside channels and nodes.
type raftModel struct {
	// installed is the certificate that each node uses, by a number that stands
	// for it; a node is heard only by those that know it under this number.
	installed map[string]int
	handed    map[string]bool // has a config block to begin with
	// joined are the channels of each node, where there is no system channel; nil
	// where there is one.
	joined map[string]map[string]bool
}

// raftSet stands for the Raft metadata of a channel.
type raftSet struct {
	Consenters []raftMember        `json:"consenters"`
	Options    runbook.RaftOptions `json:"options"`
}

type raftMember struct {
	Node string `json:"node"`
	Cert int    `json:"cert"`
}

// Endpoint is the host:port of a simulated orderer.
func Endpoint(node string) string { return node + ".example.com:7050" }

func newRaft(o Options) *Network {
	n := &Network{
		orderers: names("orderer", o.Orderers+o.Spare), running: map[string]bool{}, channels: map[string]*channel{}, raft: map[string]bool{},
		wal: map[string]int{}, performed: map[runbook.EffectKind]int{}, noLeader: map[string]bool{}, incarnation: 1,
		onRaftOnly: &raftModel{installed: map[string]int{}, handed: map[string]bool{}},
	}
	set := raftSet{Options: runbook.RaftOptions{
		TickInterval: "500ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 << 20,
	}}
	var endpoints []string
	for i, name := range n.orderers {
		n.onRaftOnly.installed[name] = 1
		if i < o.Orderers {
			n.running[name], n.raft[name] = true, true
			set.Consenters = append(set.Consenters, raftMember{name, 1})
			endpoints = append(endpoints, Endpoint(name))
		}
	}
	channels := o.Channels
	if o.NoSystemChannel {
		n.onRaftOnly.joined = map[string]map[string]bool{}
		for _, c := range channels {
			n.onRaftOnly.joined[c] = map[string]bool{}
			for _, m := range set.Consenters {
				n.onRaftOnly.joined[c][m.Node] = true
			}
		}
	} else {
		channels = append([]string{SystemChannel}, channels...)
	}
	for _, name := range channels {
		c := &channel{name: name, have: map[string]int{}}
		n.channels[name] = c
		b := block{config: true, typ: runbook.TypeRaft, state: runbook.StateNormal, sequence: 1, raft: true, meta: set.encode(), endpoints: strings.Join(endpoints, ",")}
		n.order(c, b)
		b.config = false
		n.order(c, b)
		n.deliver(c)
	}
	return n
}

func (s raftSet) encode() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // nothing in it that cannot be encoded
	}
	return string(b)
}

func setOf(b block) raftSet {
	var s raftSet
	if err := json.Unmarshal([]byte(b.meta), &s); err != nil {
		panic(err) // what the model wrote itself
	}
	return s
}

func (s raftSet) index(node string) int {
	return slices.IndexFunc(s.Consenters, func(m raftMember) bool { return m.Node == node })
}

// heard reports whether a node takes part in a channel with a set: it runs, and
// uses the certificate that the others know, if there are others.
func (n *Network) heard(s raftSet, node string) bool {
	return n.running[node] && (n.known(s, node) || len(s.Consenters) == 1 && s.index(node) == 0)
}

func (n *Network) known(s raftSet, node string) bool {
	i := s.index(node)
	return i >= 0 && s.Consenters[i].Cert == n.onRaftOnly.installed[node]
}

// live counts the nodes that take part in a channel, and those that it has.
func (n *Network) live(c *channel) (live, all int) {
	s := setOf(c.last())
	for _, m := range s.Consenters {
		if n.heard(s, m.Node) && n.has(c, m.Node) {
			live++
		}
	}
	return live, len(s.Consenters)
}

// has reports whether a node knows of a channel.
func (n *Network) has(c *channel, node string) bool {
	return n.onRaftOnly.joined == nil || n.onRaftOnly.joined[c.name][node]
}

// receives reports whether a running orderer gets a channel's new blocks.
func (n *Network) receives(c *channel, node string) bool {
	if n.onRaftOnly == nil {
		return true
	}
	live, all := n.live(c)
	return live > all/2 && n.heard(setOf(c.last()), node) && n.has(c, node)
}

func (n *Network) servesRaft(c *channel) error {
	if live, all := n.live(c); live <= all/2 || n.noLeader[c.name] {
		return &runbook.Problem{What: "no Raft leader", Where: c.name, Why: fmt.Sprintf("%d of %d consenters take part", live, all)}
	}
	return nil
}

func (n *Network) viewRaft(c *channel, node string, v *runbook.NodeState) {
	v.Endpoints = strings.Split(c.blocks[c.have[node]-1].endpoints, ",")
	slices.Sort(v.Endpoints)
	v.Leader = 0
	if n.receives(c, node) && !n.noLeader[c.name] {
		v.Leader = 1
	}
}

// apply is the operation on a set; what it is about already stays.
func apply(s raftSet, o runbook.Operation) raftSet {
	s.Consenters = slices.Clone(s.Consenters)
	i := s.index(o.Node)
	switch {
	case o.Kind == runbook.AddConsenter && i < 0:
		s.Consenters = append(s.Consenters, raftMember{o.Node, 1})
	case o.Kind == runbook.RemoveConsenter && i >= 0:
		s.Consenters = slices.Delete(s.Consenters, i, i+1)
	case o.Kind == runbook.RotateCertificates && i >= 0:
		s.Consenters[i].Cert = 2
	case o.Kind == runbook.SetOptions:
		if o.Options.ElectionTick != 0 {
			s.Options.ElectionTick = o.Options.ElectionTick
		}
		if o.Options.SnapshotIntervalSize != 0 {
			s.Options.SnapshotIntervalSize = o.Options.SnapshotIntervalSize
		}
	}
	return s
}

func (n *Network) raftMetadata(o runbook.Operation) (runbook.Evidence, error) {
	var next raftSet
	for i, name := range n.channelNames() {
		s := apply(setOf(n.channels[name].last()), o)
		if i > 0 && s.encode() != next.encode() {
			return runbook.Evidence{}, &runbook.Problem{What: "the channels have different Raft metadata", Where: name}
		}
		next = s
	}
	sum := sha256.Sum256([]byte(next.encode()))
	m := &runbook.ConsenterMetadata{Bytes: []byte(next.encode()), Hash: hex.EncodeToString(sum[:]), Options: next.Options, Changes: []string{o.String()}}
	for _, c := range next.Consenters {
		m.Consenters = append(m.Consenters, runbook.Consenter{Node: c.Node, Host: c.Node + ".example.com", Port: 7050})
	}
	return runbook.Evidence{Summary: "metadata computed", Metadata: m}, nil
}

// updated is the last block of a channel with what an update sets.
func (n *Network) updated(c *channel, e runbook.Effect) block {
	next := c.last()
	next.meta = string(e.Metadata)
	list := strings.Split(next.endpoints, ",")
	if e.Endpoint == "" || slices.Contains(list, e.Endpoint) == (e.Change == runbook.ChangeAddEndpoint) {
		return next
	}
	list = slices.DeleteFunc(list, func(a string) bool { return a == e.Endpoint })
	if e.Change == runbook.ChangeAddEndpoint {
		list = append(list, e.Endpoint)
	}
	next.endpoints = strings.Join(list, ",")
	return next
}

// submitRaft applies the rules of real orderers: one consenter at a time, and
// no change that the set would not survive.
func (n *Network) submitRaft(c *channel, e runbook.Effect) (runbook.Evidence, error) {
	cur, next := c.last(), n.updated(c, e)
	receipt := &runbook.UpdateReceipt{Channel: e.Channel, Change: e.Change, Node: e.Nodes[0]}
	if cur.meta == next.meta && cur.endpoints == next.endpoints {
		receipt.Block, receipt.Sequence = uint64(len(c.blocks)-1), cur.sequence
		return runbook.Evidence{Summary: "in force already", AlreadyDone: true, Update: receipt}, nil
	}
	if ev, p := n.unsigned(e); p != nil {
		return ev, p
	}
	old, set := setOf(cur), setOf(next)
	changed := 0
	for _, m := range set.Consenters {
		if !slices.Contains(old.Consenters, m) {
			changed++
		}
	}
	if changed > 1 || len(set.Consenters)-len(old.Consenters) > 1 || len(old.Consenters)-len(set.Consenters) > 1 {
		n.fault("%s: more than one consenter was changed at a time", c.name)
	}
	live := 0
	for _, m := range set.Consenters {
		if n.heard(set, m.Node) {
			live++
		}
	}
	if live <= len(set.Consenters)/2 && len(set.Consenters) > 2 {
		return runbook.Evidence{}, &runbook.Problem{
			What: "update was refused", Where: c.name,
			Why: fmt.Sprintf("BAD_REQUEST: %d out of %d nodes are alive, configuration will result in quorum loss", live, len(old.Consenters)),
		}
	}
	next.config, next.change, next.sequence = true, e.Change, cur.sequence+1
	before := c.have
	n.order(c, next)
	for _, o := range n.orderers { // the set that was in force orders the block that ends it
		if n.heard(old, o) && before[o] == len(c.blocks)-1 && (n.heard(set, o) || live <= len(set.Consenters)/2) {
			c.have[o] = len(c.blocks)
		}
	}
	receipt.Status, receipt.Block, receipt.Sequence, receipt.Hash = "SUCCESS", uint64(len(c.blocks)-1), next.sequence, c.last().hash
	return runbook.Evidence{Summary: string(e.Change) + " in force on " + e.Channel, Update: receipt}, nil
}

// judgeStop notes a node that is stopped although a channel needs it.
func (n *Network) judgeStop(nodes []string) {
	if len(nodes) != 1 {
		n.fault("%d orderers were stopped at a time", len(nodes))
		return
	}
	for _, name := range n.channelNames() {
		c := n.channels[name]
		if live, all := n.live(c); all > 2 && live > all/2 && n.heard(setOf(c.last()), nodes[0]) && live-1 <= all/2 {
			n.fault("%s lost its quorum when %s was stopped", name, nodes[0])
		}
	}
}

// bootRaft starts a Raft node: it has a ledger, or a block to begin with.
func (n *Network) bootRaft(node string) error {
	begun := slices.ContainsFunc(n.channelNames(), func(name string) bool { return n.channels[name].have[node] > 0 })
	if !begun && !n.onRaftOnly.handed[node] && n.onRaftOnly.joined == nil {
		n.fault("%s was started without a block to begin with", node)
		return &runbook.Problem{What: "orderer begins a network of its own", Where: node}
	}
	for _, name := range n.channelNames() {
		if !n.known(setOf(n.channels[name].last()), node) {
			n.fault("%s was started, and %s does not know it", node, name)
		}
	}
	n.raft[node] = true
	return nil
}

func (n *Network) handOver(e runbook.Effect) (runbook.Evidence, error) {
	if setOf(n.channels[e.Channel].last()).index(e.Nodes[0]) < 0 {
		n.fault("%s was handed a block that does not name it", e.Nodes[0])
	}
	already := n.onRaftOnly.handed[e.Nodes[0]]
	n.onRaftOnly.handed[e.Nodes[0]] = true
	return runbook.Evidence{Summary: "block handed over", AlreadyDone: already}, nil
}

func (n *Network) join(e runbook.Effect) (runbook.Evidence, error) {
	node := e.Nodes[0]
	switch {
	case n.onRaftOnly.joined == nil:
		n.fault("%s was to join %s although there is a system channel", node, e.Channel)
		return runbook.Evidence{}, &runbook.Problem{What: "cannot join: system channel exists", Where: node}
	case !n.running[node]:
		return runbook.Evidence{}, &runbook.Problem{What: "connection refused", Where: node}
	case setOf(n.channels[e.Channel].last()).index(node) < 0:
		n.fault("%s joined %s without being a consenter", node, e.Channel)
	}
	already := n.onRaftOnly.joined[e.Channel][node]
	n.onRaftOnly.joined[e.Channel][node] = true
	n.deliver(n.channels[e.Channel])
	return runbook.Evidence{Summary: "joined " + e.Channel, AlreadyDone: already}, nil
}

func (n *Network) install(e runbook.Effect) (runbook.Evidence, error) {
	if n.running[e.Nodes[0]] {
		n.fault("the certificates of %s were replaced while it ran", e.Nodes[0])
	}
	already := n.onRaftOnly.installed[e.Nodes[0]] == 2
	n.onRaftOnly.installed[e.Nodes[0]] = 2
	return runbook.Evidence{Summary: "certificates installed", AlreadyDone: already}, nil
}

// Running reports whether a process runs.
func (n *Network) Running(node string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.running[node]
}
