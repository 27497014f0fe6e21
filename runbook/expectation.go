package runbook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Values of ConsensusType.Type and ConsensusType.State.
const (
	TypeKafka        = "kafka"
	TypeRaft         = "etcdraft"
	StateNormal      = "STATE_NORMAL"
	StateMaintenance = "STATE_MAINTENANCE"
)

// unreadable is what Judge says of a node whose view could not be read.
const unreadable = "cannot be read"

// Judge says what of the expectation does not hold in states; nothing means
// that all of it holds on every node of every channel in states. It is pure.
//
// A node that could not be read never meets an expectation, and two nodes that
// show different last blocks at the same height never do.
func (x Expectation) Judge(states []ChannelState) []Problem {
	var out []Problem
	if len(states) == 0 {
		out = append(out, Problem{What: "no channel was read"})
	}
	for _, c := range states {
		out = append(out, x.judgeChannel(c)...)
	}
	for _, name := range slices.Sorted(maps.Keys(x.MinHeights)) {
		if !slices.ContainsFunc(states, func(c ChannelState) bool { return c.Name == name }) {
			out = append(out, Problem{What: "channel was not read", Where: name})
		}
	}
	return out
}

func (x Expectation) judgeChannel(c ChannelState) []Problem {
	var out []Problem
	if len(c.Nodes) == 0 {
		out = append(out, Problem{What: "channel was read on no node", Where: c.Name})
	}
	var readable []NodeState
	for _, n := range c.Nodes {
		if n.Error != "" {
			out = append(out, Problem{What: unreadable, Where: at(c.Name, n.Node), Why: n.Error})
			continue
		}
		readable = append(readable, n)
		out = append(out, x.judgeNode(c.Name, n)...)
	}
	if p := x.judgeAgreement(c.Name, readable); p != nil {
		out = append(out, *p)
	}
	if x.Leader {
		if p := judgeLeader(c.Name, readable); p != nil {
			out = append(out, *p)
		}
	}
	return out
}

func (x Expectation) judgeNode(channel string, n NodeState) []Problem {
	var out []Problem
	add := func(what, why string) {
		out = append(out, Problem{What: what, Where: at(channel, n.Node), Why: why})
	}
	if x.Type != "" && n.Type != x.Type {
		add("wrong consensus type", fmt.Sprintf("it is %q, expected %q", n.Type, x.Type))
	}
	if x.State != "" && n.State != x.State {
		add("wrong consensus state", fmt.Sprintf("it is %q, expected %q", n.State, x.State))
	}
	if x.MetadataHash != "" && n.MetadataHash != x.MetadataHash {
		add("wrong consensus metadata", fmt.Sprintf("its hash is %s, expected %s", short(n.MetadataHash), short(x.MetadataHash)))
	}
	if x.Endpoint != "" && !slices.Contains(n.Endpoints, x.Endpoint) {
		add("endpoint is missing", x.Endpoint+" is none of the orderer endpoints")
	}
	if x.NoEndpoint != "" && slices.Contains(n.Endpoints, x.NoEndpoint) {
		add("endpoint is still there", x.NoEndpoint+" is one of the orderer endpoints")
	}
	if x.NoMetadata && n.MetadataHash != "" {
		add("consensus metadata is not empty", "its hash is "+short(n.MetadataHash))
	}
	if want, ok := x.MinHeights[channel]; ok && n.Height < want {
		add("node is behind", fmt.Sprintf("its height is %d, expected at least %d", n.Height, want))
	}
	if limit, ok := x.MaxHeights[channel]; ok && n.Height > limit {
		add("channel has grown", fmt.Sprintf("its height is %d, expected at most %d", n.Height, limit))
	}
	if x.TypeChangeLast {
		switch {
		case n.Type != TypeRaft || !n.LastBlockIsConfig:
			add("last block is not the type change", "something was ordered after it, or it is missing")
		case !n.ConsenterMetadataEmpty:
			add("last block is not the type change", "its consenter metadata is not empty")
		}
	}
	return out
}

// judgeAgreement compares the nodes of one channel: always for forks, and for
// all of the ledger's end if Agreement is demanded.
func (x Expectation) judgeAgreement(channel string, nodes []NodeState) *Problem {
	for i, a := range nodes {
		for _, b := range nodes[:i] {
			if a.Height == b.Height && a.LastBlockHash != b.LastBlockHash {
				return &Problem{
					What:  "nodes have different last blocks at the same height",
					Where: channel,
					Why:   ends([]NodeState{b, a}),
					Hint:  "The ledgers have forked. Do not go on; keep all data for analysis.",
				}
			}
		}
	}
	if !x.Agreement {
		return nil
	}
	for _, n := range nodes {
		if n.Height != nodes[0].Height || n.ConfigSequence != nodes[0].ConfigSequence {
			return &Problem{What: "nodes do not agree", Where: channel, Why: ends(nodes)}
		}
	}
	return nil
}

func judgeLeader(channel string, nodes []NodeState) *Problem {
	var none []string
	for _, n := range nodes {
		if n.Leader == 0 {
			none = append(none, n.Node)
		}
	}
	if len(none) > 0 {
		return &Problem{What: "no leader is known", Where: channel, Why: "not on " + strings.Join(none, ", ")}
	}
	for _, n := range nodes {
		if n.Leader != nodes[0].Leader {
			return &Problem{
				What: "nodes name different leaders", Where: channel,
				Why: fmt.Sprintf("%s names %d, %s names %d", nodes[0].Node, nodes[0].Leader, n.Node, n.Leader),
			}
		}
	}
	return nil
}

// String says what is expected, in a few words.
func (x Expectation) String() string {
	var parts []string
	add := func(holds bool, text string) {
		if holds {
			parts = append(parts, text)
		}
	}
	add(x.Type != "", x.Type)
	add(x.State != "", x.State)
	add(x.MetadataHash != "", "metadata "+short(x.MetadataHash))
	add(x.NoMetadata, "no metadata")
	add(x.Endpoint != "", "endpoint "+x.Endpoint)
	add(x.NoEndpoint != "", "no endpoint "+x.NoEndpoint)
	add(len(x.MinHeights) > 0, "no node behind")
	add(len(x.MaxHeights) > 0, "no channel longer")
	add(x.Agreement, "all nodes agree")
	add(x.TypeChangeLast, "type change last")
	add(x.Leader, "one leader")
	return strings.Join(parts, ", ")
}

func ends(nodes []NodeState) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = fmt.Sprintf("%s: height %d, last block %s, config sequence %d", n.Node, n.Height, short(n.LastBlockHash), n.ConfigSequence)
	}
	return strings.Join(parts, "; ")
}

func at(channel, node string) string { return channel + " on " + node }

// short shows the beginning of a hash.
func short(hash string) string {
	switch {
	case hash == "":
		return "(empty)"
	case len(hash) > 12:
		return hash[:12]
	default:
		return hash
	}
}
