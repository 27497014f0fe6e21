// Package matrix reads the matrix channel × node: what every ordering node
// says of every channel, in parallel, each cell with its own error.
package matrix

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/kafkaops"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Pauses between two readings of Await: fast at first, then slower.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// streamsPerNode bounds the channels that are read from one node at a time.
const streamsPerNode = 8

// Leaders tells which leader a node reported last for a channel, 0 for none.
type Leaders interface {
	Leader(node, channel string) uint64
}

// Reader reads the matrix. It is safe for concurrent use.
type Reader struct {
	deliver *deliver.Client
	nodes   []string
	system  string
	leaders Leaders

	slots map[string]chan struct{}
	cache *cache
}

// New returns a reader over nodes. system is the name of the system channel;
// leaders may be nil.
func New(d *deliver.Client, nodes []string, system string, leaders Leaders) *Reader {
	r := &Reader{deliver: d, nodes: nodes, system: system, leaders: leaders, slots: map[string]chan struct{}{}, cache: &cache{}}
	for _, n := range nodes {
		r.slots[n] = make(chan struct{}, streamsPerNode)
	}
	return r
}

// Only returns a reader over some of the nodes, none named meaning all. It shares
// everything else with r.
func (r *Reader) Only(nodes []string) *Reader {
	if len(nodes) == 0 {
		return r
	}
	o := *r
	o.nodes = nodes
	return &o
}

// Forget drops what is remembered of config blocks; to be called when nodes
// are stopped or their ledgers replaced.
func (r *Reader) Forget() { r.cache.clear() }

// Read returns the state of channels on all nodes, in the given order. seen,
// if not nil, is called as each channel is complete.
func (r *Reader) Read(ctx context.Context, channels []string, seen func(runbook.ChannelState)) []runbook.ChannelState {
	states := make([]runbook.ChannelState, len(channels))
	var wg sync.WaitGroup
	for i, channel := range channels {
		states[i] = runbook.ChannelState{Name: channel, System: channel == r.system, Nodes: make([]runbook.NodeState, len(r.nodes))}
		wg.Go(func() {
			var cells sync.WaitGroup
			for j, node := range r.nodes {
				cells.Go(func() { states[i].Nodes[j] = r.Cell(ctx, node, channel) })
			}
			cells.Wait()
			if seen != nil {
				seen(states[i])
			}
		})
	}
	wg.Wait()
	return states
}

// Cell reads one channel on one node. It never fails: what went wrong is in
// NodeState.Error.
func (r *Reader) Cell(ctx context.Context, node, channel string) runbook.NodeState {
	slot := r.slots[node]
	select {
	case slot <- struct{}{}:
		defer func() { <-slot }()
	case <-ctx.Done():
		return runbook.NodeState{Node: node, Error: "not read: " + ctx.Err().Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, deliver.HeadTimeout)
	defer cancel()
	head, err := r.deliver.Head(ctx, node, channel, func(number uint64) *cb.Block {
		return r.cache.get(node, channel, number)
	})
	if err != nil {
		return runbook.NodeState{Node: node, Error: strings.TrimPrefix(err.Error(), node+": ")}
	}
	if stale := r.cache.put(node, channel, head); stale {
		if head, err = r.deliver.Head(ctx, node, channel, nil); err != nil {
			return runbook.NodeState{Node: node, Error: strings.TrimPrefix(err.Error(), node+": ")}
		}
		r.cache.put(node, channel, head)
	}
	state, err := State(node, head)
	if err != nil {
		return runbook.NodeState{Node: node, Error: err.Error()}
	}
	if r.leaders != nil && state.Type == runbook.TypeRaft {
		state.Leader = r.leaders.Leader(node, channel)
	}
	return state
}

// State turns the two blocks that a node sent into what they say.
func State(node string, head *deliver.Head) (runbook.NodeState, error) {
	v, err := channelcfg.FromBlock(head.Config)
	if err != nil {
		return runbook.NodeState{}, err
	}
	consenter, err := protoutil.ConsenterMetadata(head.Newest)
	if err != nil {
		return runbook.NodeState{}, fmt.Errorf("channel %s, block %d: %w", v.Channel, head.Newest.Header.Number, err)
	}
	offset, _, err := kafkaops.KafkaMetadata(consenter.Value)
	if err != nil || v.Type() != runbook.TypeKafka {
		offset = 0
	}
	state := runbook.NodeState{
		Node:                   node,
		KafkaOffset:            max(0, offset),
		Type:                   v.Type(),
		State:                  v.State(),
		Height:                 head.Height(),
		LastBlockHash:          channelcfg.BlockHash(head.Newest),
		ConfigSequence:         v.Sequence(),
		MetadataHash:           v.MetadataHash(),
		LastBlockIsConfig:      head.Config.Header.Number == head.Newest.Header.Number,
		ConsenterMetadataEmpty: len(consenter.Value) == 0,
	}
	if v.Type() == runbook.TypeRaft {
		state.Endpoints = v.Endpoints()
	}
	return state, nil
}

// Await reads channels until expect holds or ctx ends. It returns the last
// reading and what did not hold in it.
func (r *Reader) Await(ctx context.Context, channels []string, expect runbook.Expectation, progress func(text string, done, total int)) ([]runbook.ChannelState, []runbook.Problem) {
	var (
		shown    string
		states   []runbook.ChannelState
		problems []runbook.Problem
	)
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		now := r.Read(ctx, channels, nil)
		if ctx.Err() != nil && states != nil {
			return states, problems // the newest reading was cut off
		}
		states = now
		problems = expect.Judge(states)
		if len(problems) == 0 {
			return states, nil
		}
		if text, done := r.summarize(expect, states); text != shown {
			shown = text
			progress(text, done, len(states))
		}
		select {
		case <-ctx.Done():
			return states, problems
		case <-time.After(pause):
		}
	}
}

// summarize names the channels that are not there yet, with the number of
// their nodes that are.
func (r *Reader) summarize(expect runbook.Expectation, states []runbook.ChannelState) (text string, done int) {
	var open []string
	for _, c := range states {
		if len(r.judgeOne(expect, c)) == 0 {
			done++
			continue
		}
		good := 0
		for _, n := range c.Nodes {
			one := c
			one.Nodes = []runbook.NodeState{n}
			if len(r.judgeOne(expect, one)) == 0 {
				good++
			}
		}
		open = append(open, fmt.Sprintf("%s: %d of %d nodes", c.Name, good, len(c.Nodes)))
	}
	sort.Strings(open)
	const most = 4
	if len(open) > most {
		open = append(open[:most], fmt.Sprintf("and %d more channels", len(open)-most))
	}
	return strings.Join(open, ", "), done
}

// judgeOne judges one channel alone.
func (r *Reader) judgeOne(expect runbook.Expectation, c runbook.ChannelState) []runbook.Problem {
	heights := expect.MinHeights
	expect.MinHeights = nil
	if h, ok := heights[c.Name]; ok {
		expect.MinHeights = map[string]uint64{c.Name: h}
	}
	return expect.Judge([]runbook.ChannelState{c})
}

// cache remembers the last config block of each cell. A block counts only
// while the cell's height has not fallen below what was seen with it: a ledger
// that was set back may have another block under that number.
type cache struct {
	mu    sync.Mutex
	cells map[[2]string]cached
}

type cached struct {
	config *cb.Block
	height uint64
}

func (c *cache) get(node, channel string, number uint64) *cb.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.cells[[2]string{node, channel}]
	if !ok || e.config.Header.Number != number {
		return nil
	}
	return e.config
}

// put remembers what was read. It returns true, and forgets the cell, if head
// was completed from the cache although the ledger has been set back.
func (c *cache) put(node, channel string, head *deliver.Head) (stale bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cells == nil {
		c.cells = map[[2]string]cached{}
	}
	key := [2]string{node, channel}
	if e, ok := c.cells[key]; ok && head.Height() < e.height && head.Config == e.config {
		delete(c.cells, key)
		return true
	}
	c.cells[key] = cached{config: head.Config, height: head.Height()}
	return false
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cells = nil
}
