package present

import (
	"fmt"
	"strconv"
	"strings"

	"raftmig/runbook"
)

// StateWord is a channel state without its prefix: "normal", "maintenance".
func StateWord(state string) string {
	w := strings.ToLower(strings.TrimPrefix(state, "STATE_"))
	if w == "" {
		return "-"
	}
	return Clean(w)
}

// LeaderExpected says whether channels of type etcdraft must have a leader by
// now: from the restart on. Before it they still run on Kafka.
func LeaderExpected(s *runbook.Snapshot) bool {
	for _, st := range s.Steps {
		if st.ID == runbook.StepRestartLeaders {
			return st.Status == runbook.StatusDone
		}
	}
	return false
}

// Common is what most of a channel's nodes say; the higher ledger wins a tie.
// ok is false if no node answered.
func Common(ch runbook.ChannelState) (common runbook.NodeState, ok bool) {
	type view struct {
		typ, state, hash, meta string
		height, seq            uint64
	}
	votes := map[view]int{}
	best := 0
	for _, n := range ch.Nodes {
		if n.Error != "" {
			continue
		}
		v := view{n.Type, n.State, n.LastBlockHash, n.MetadataHash, n.Height, n.ConfigSequence}
		votes[v]++
		if c := votes[v]; !ok || c > best || c == best && n.Height > common.Height {
			best, common, ok = c, n, true
		}
	}
	common.Leader = commonLeader(ch)
	return common, ok
}

func commonLeader(ch runbook.ChannelState) (leader uint64) {
	votes := map[uint64]int{}
	for _, n := range ch.Nodes {
		if n.Error == "" && n.Leader != 0 {
			votes[n.Leader]++
			if votes[n.Leader] > votes[leader] || leader == 0 {
				leader = n.Leader
			}
		}
	}
	return leader
}

// NodeVerdict is the word on one node's view of a channel: "ok", or what makes
// it stand out from the other nodes. leader demands that it knows a leader.
func NodeVerdict(n, common runbook.NodeState, leader bool) Span {
	switch {
	case n.Error != "":
		return Span{Bad, "NO ANSWER"}
	case n.Type != common.Type:
		return Span{Bad, "TYPE " + Clean(n.Type)}
	case n.Height < common.Height:
		return Span{Warn, fmt.Sprintf("BEHIND %d", common.Height-n.Height)}
	case n.Height > common.Height:
		return Span{Warn, fmt.Sprintf("AHEAD %d", n.Height-common.Height)}
	case n.State != common.State:
		return Span{Bad, "STATE " + StateWord(n.State)}
	case n.LastBlockHash != common.LastBlockHash:
		return Span{Bad, "HASH DIFFERS"}
	case n.ConfigSequence != common.ConfigSequence:
		return Span{Bad, fmt.Sprintf("SEQ %d", n.ConfigSequence)}
	case n.MetadataHash != common.MetadataHash:
		return Span{Bad, "METADATA DIFFERS"}
	case leader && n.Type == "etcdraft" && n.Leader == 0:
		return Span{Bad, "NO LEADER"}
	case n.Leader != 0 && n.Leader != common.Leader:
		return Span{Warn, fmt.Sprintf("LEADER %d", n.Leader)}
	default:
		return Span{Good, "ok"}
	}
}

// ChannelTable is the matrix channel × node: per channel what the nodes agree
// on, and per node whether it does. Where byNode is false the nodes share one
// column that says how many agree and who does not.
func ChannelTable(s *runbook.Snapshot, byNode bool) Table {
	t := Table{Head: []Column{
		{Title: "CHANNEL", Max: 32}, {Title: "TYPE", Drop: 1}, {Title: "STATE"}, {Title: "HEIGHT", Right: true},
		{Title: "LEADER", Right: true, Drop: 2}, {Title: "SEQ", Right: true, Drop: 3}, {Title: "HASH", Drop: 4},
	}}
	if s == nil {
		return t
	}
	nodes := nodeNames(s.Channels)
	leader := LeaderExpected(s)
	for _, ch := range s.Channels {
		leader = leader || commonLeader(ch) != 0
	}
	if !leader { // a column of dashes
		t.Head[4].Drop = 9
	}
	if byNode {
		for _, n := range nodes {
			t.Head = append(t.Head, Column{Title: Clean(n), Max: 16})
		}
	} else {
		t.Head = append(t.Head, Column{Title: "NODES"})
	}
	leader = LeaderExpected(s)
	for _, ch := range s.Channels {
		t.Rows = append(t.Rows, channelRow(ch, nodes, byNode, leader))
	}
	return t
}

func channelRow(ch runbook.ChannelState, nodes []string, byNode, leader bool) []Span {
	name := Clean(ch.Name)
	if ch.System {
		name += " *"
	}
	c, ok := Common(ch)
	if !ok {
		c = runbook.NodeState{}
	}
	row := []Span{
		{Normal, name}, {Normal, dash(c.Type)}, stateSpan(c.State), {Normal, strconv.FormatUint(c.Height, 10)},
		{Normal, raftID(c.Leader)}, {Normal, strconv.FormatUint(c.ConfigSequence, 10)}, {Normal, Short(c.LastBlockHash)},
	}
	if !ok {
		row = []Span{{Normal, name}, {Muted, "-"}, {Muted, "-"}, {Muted, "-"}, {Muted, "-"}, {Muted, "-"}, {Muted, "-"}}
	}
	verdicts := map[string]Span{}
	for _, n := range ch.Nodes {
		verdicts[n.Node] = NodeVerdict(n, c, leader)
	}
	if !byNode {
		return append(row, agreement(ch, verdicts))
	}
	for _, n := range nodes {
		v, seen := verdicts[n]
		if !seen {
			v = Span{Muted, "-"}
		}
		row = append(row, v)
	}
	return row
}

func agreement(ch runbook.ChannelState, verdicts map[string]Span) Span {
	good, tone, off := 0, Good, []string{}
	for _, n := range ch.Nodes {
		v := verdicts[n.Node]
		if v.Tone == Good {
			good++
			continue
		}
		off = append(off, Clean(n.Node)+" "+v.Text)
		if tone != Bad {
			tone = v.Tone
		}
	}
	text := fmt.Sprintf("%d/%d ok", good, len(ch.Nodes))
	if len(off) > 0 {
		text += "  " + strings.Join(off, ", ")
	}
	return Span{tone, text}
}

// NodeTable is one channel as every node sees it, with nothing left out.
func NodeTable(s *runbook.Snapshot, channel int) Table {
	t := Table{Head: []Column{
		{Title: "NODE", Max: 24}, {Title: "VERDICT"}, {Title: "TYPE", Drop: 2}, {Title: "STATE"}, {Title: "HEIGHT", Right: true},
		{Title: "HASH", Drop: 4}, {Title: "SEQ", Right: true, Drop: 3}, {Title: "LEADER", Right: true, Drop: 1}, {Title: "METADATA", Drop: 5},
	}}
	if s == nil || channel < 0 || channel >= len(s.Channels) {
		return t
	}
	ch := s.Channels[channel]
	c, _ := Common(ch)
	for _, n := range ch.Nodes {
		if n.Error != "" {
			t.Rows = append(t.Rows, []Span{{Normal, Clean(n.Node)}, {Bad, "NO ANSWER"}, {Muted, "-"}, {Bad, Clean(n.Error)}})
			continue
		}
		t.Rows = append(t.Rows, []Span{
			{Normal, Clean(n.Node)}, NodeVerdict(n, c, LeaderExpected(s)), {Normal, dash(n.Type)}, stateSpan(n.State),
			{Normal, strconv.FormatUint(n.Height, 10)}, {Normal, Short(n.LastBlockHash)},
			{Normal, strconv.FormatUint(n.ConfigSequence, 10)}, {Normal, raftID(n.Leader)}, {Normal, Short(n.MetadataHash)},
		})
	}
	return t
}

// WorstChannel is the offset at which a list of rows channels shows the first
// channel whose nodes do not agree; 0 if all do.
func WorstChannel(s *runbook.Snapshot, rows int) int {
	leader := LeaderExpected(s)
	for i, ch := range s.Channels {
		c, _ := Common(ch)
		for _, n := range ch.Nodes {
			if NodeVerdict(n, c, leader).Tone != Good {
				return max(0, min(i-rows/2, len(s.Channels)-rows))
			}
		}
	}
	return 0
}

// ChannelsLine sums the matrix up: "3 channels on 3 nodes: all agree".
func ChannelsLine(s *runbook.Snapshot) Line {
	if s == nil || len(s.Channels) == 0 {
		return T(Muted, "no channel has been read yet")
	}
	leader, bad, late := LeaderExpected(s), 0, 0
	for _, ch := range s.Channels {
		c, _ := Common(ch)
		worst := Good
		for _, n := range ch.Nodes {
			if t := NodeVerdict(n, c, leader).Tone; worst != Bad && t != Good {
				worst = t
			}
		}
		switch worst {
		case Bad:
			bad++
		case Warn:
			late++
		}
	}
	head := Span{Normal, Plural(len(s.Channels), "channel") + " on " + Plural(len(nodeNames(s.Channels)), "node") + ": "}
	switch {
	case bad > 0:
		return Line{head, {Bad, fmt.Sprintf("NODES DIFFER on %d", bad)}}
	case late > 0:
		return Line{head, {Warn, fmt.Sprintf("%d not level yet", late)}}
	default:
		return Line{head, {Good, "nodes agree on every channel"}}
	}
}

func nodeNames(chs []runbook.ChannelState) []string {
	var out []string
	seen := map[string]bool{}
	for _, ch := range chs {
		for _, n := range ch.Nodes {
			if !seen[n.Node] {
				seen[n.Node] = true
				out = append(out, n.Node)
			}
		}
	}
	return out
}

func stateSpan(state string) Span {
	if state == "STATE_MAINTENANCE" {
		return Span{Strong, StateWord(state)}
	}
	return Span{Normal, StateWord(state)}
}

func raftID(id uint64) string {
	if id == 0 {
		return "-"
	}
	return strconv.FormatUint(id, 10)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return Clean(s)
}
