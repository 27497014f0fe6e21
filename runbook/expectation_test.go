package runbook_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// agreed returns a channel that three nodes show alike: Raft in maintenance,
// ending with the type change, with a leader.
func agreed() runbook.ChannelState {
	c := runbook.ChannelState{Name: "ch"}
	for i := range 3 {
		c.Nodes = append(c.Nodes, runbook.NodeState{
			Node: fmt.Sprintf("o%d", i), Type: runbook.TypeRaft, State: runbook.StateMaintenance, Height: 7, LastBlockHash: "aa",
			ConfigSequence: 3, MetadataHash: "mm", LastBlockIsConfig: true, ConsenterMetadataEmpty: true, Leader: 2,
		})
	}
	return c
}

func TestJudge(t *testing.T) {
	everything := runbook.Expectation{
		Type: runbook.TypeRaft, State: runbook.StateMaintenance, MetadataHash: "mm", MinHeights: map[string]uint64{"ch": 7},
		Agreement: true, TypeChangeLast: true, Leader: true,
	}
	for _, test := range []struct {
		name   string
		expect runbook.Expectation
		change func(c *runbook.ChannelState)
		want   string // of the first problem; "" if there is none
	}{
		{"all holds", everything, func(*runbook.ChannelState) {}, ""},
		{"nothing is expected", runbook.Expectation{}, func(*runbook.ChannelState) {}, ""},
		{"another type on one node", everything, func(c *runbook.ChannelState) { c.Nodes[1].Type = "kafka" }, `ch on o1: wrong consensus type: it is "kafka", expected "etcdraft"`},
		{"another state on one node", everything, func(c *runbook.ChannelState) { c.Nodes[2].State = "STATE_NORMAL" }, `ch on o2: wrong consensus state: it is "STATE_NORMAL", expected "STATE_MAINTENANCE"`},
		{"other metadata", everything, func(c *runbook.ChannelState) { c.Nodes[0].MetadataHash = "xx" }, "ch on o0: wrong consensus metadata: its hash is xx, expected mm"},
		{"metadata that should be empty", runbook.Expectation{NoMetadata: true}, func(*runbook.ChannelState) {}, "ch on o0: consensus metadata is not empty: its hash is mm"},
		{"empty metadata", runbook.Expectation{NoMetadata: true}, func(c *runbook.ChannelState) {
			for i := range c.Nodes {
				c.Nodes[i].MetadataHash = ""
			}
		}, ""},
		{"a node is behind", runbook.Expectation{MinHeights: map[string]uint64{"ch": 8}}, func(*runbook.ChannelState) {}, "ch on o0: node is behind: its height is 7, expected at least 8"},
		{"a channel has grown", runbook.Expectation{MaxHeights: map[string]uint64{"ch": 6}}, func(*runbook.ChannelState) {}, "ch on o0: channel has grown: its height is 7, expected at most 6"},
		{"a channel has not grown", runbook.Expectation{MaxHeights: map[string]uint64{"ch": 7}}, func(*runbook.ChannelState) {}, ""},
		{"a channel was not read", runbook.Expectation{MinHeights: map[string]uint64{"other": 1}}, func(*runbook.ChannelState) {}, "other: channel was not read"},
		{"heights differ", runbook.Expectation{Agreement: true}, func(c *runbook.ChannelState) { c.Nodes[2].Height, c.Nodes[2].LastBlockHash = 8, "bb" }, "ch: nodes do not agree: o0: height 7, last block aa, config sequence 3; o1: height 7, last block aa, config sequence 3; o2: height 8, last block bb, config sequence 3"},
		{"heights differ where they may", runbook.Expectation{}, func(c *runbook.ChannelState) { c.Nodes[2].Height, c.Nodes[2].LastBlockHash = 8, "bb" }, ""},
		{"config sequences differ", runbook.Expectation{Agreement: true}, func(c *runbook.ChannelState) { c.Nodes[2].ConfigSequence = 4 }, "ch: nodes do not agree: o0: height 7, last block aa, config sequence 3; o1: height 7, last block aa, config sequence 3; o2: height 7, last block aa, config sequence 4"},
		{"a fork is never right", runbook.Expectation{}, func(c *runbook.ChannelState) { c.Nodes[2].LastBlockHash = "bb" }, "ch: nodes have different last blocks at the same height: o0: height 7, last block aa, config sequence 3; o2: height 7, last block bb, config sequence 3"},
		{"a block follows the type change", everything, func(c *runbook.ChannelState) { c.Nodes[1].LastBlockIsConfig = false }, "ch on o1: last block is not the type change: something was ordered after it, or it is missing"},
		{"another config block follows", everything, func(c *runbook.ChannelState) { c.Nodes[1].ConsenterMetadataEmpty = false }, "ch on o1: last block is not the type change: its consenter metadata is not empty"},
		{"a node knows no leader", everything, func(c *runbook.ChannelState) { c.Nodes[1].Leader = 0 }, "ch: no leader is known: not on o1"},
		{"two leaders", everything, func(c *runbook.ChannelState) { c.Nodes[1].Leader = 3 }, "ch: nodes name different leaders: o0 names 2, o1 names 3"},
		{"a node cannot be read", runbook.Expectation{}, func(c *runbook.ChannelState) { c.Nodes[1] = runbook.NodeState{Node: "o1", Error: "refused"} }, "ch on o1: cannot be read: refused"},
		{"no node was read", runbook.Expectation{}, func(c *runbook.ChannelState) { c.Nodes = nil }, "ch: channel was read on no node"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := agreed()
			test.change(&c)
			got := test.expect.Judge([]runbook.ChannelState{c})
			if test.want == "" {
				require.Empty(t, got)
				return
			}
			require.NotEmpty(t, got)
			require.Equal(t, test.want, got[0].Error())
		})
	}
	require.Len(t, runbook.Expectation{}.Judge(nil), 1, "having read nothing proves nothing")
}

func BenchmarkSnapshotOfAHundredChannels(b *testing.B) {
	var channels []string
	for i := range 100 {
		channels = append(channels, fmt.Sprintf("channel-%02d", i))
	}
	n := runbooktest.New(runbooktest.Options{Channels: channels})
	r, err := runbooktest.NewRun(n, n.Plan())
	require.NoError(b, err)
	require.NoError(b, r.Finish())
	b.ReportAllocs()
	for b.Loop() {
		r.Book.Snapshot()
	}
}

func BenchmarkMigrationOfAHundredChannels(b *testing.B) {
	var channels []string
	for i := range 100 {
		channels = append(channels, fmt.Sprintf("channel-%02d", i))
	}
	for b.Loop() {
		n := runbooktest.New(runbooktest.Options{Channels: channels})
		r, err := runbooktest.NewRun(n, n.Plan())
		require.NoError(b, err)
		require.NoError(b, r.Finish())
	}
}
