package runbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// flushed is the evidence of a channel that is flushed on two orderers.
func flushed() runbook.FlushState {
	return runbook.FlushState{
		Channel: "ch1", Leader: 1, Replicas: []int32{0, 1, 2}, InSync: []int32{1, 2, 0},
		End: 20, EndBefore: 20,
		Nodes:  []runbook.FlushNode{{Node: "o0", Height: 9, LastOffset: 17}, {Node: "o1", Height: 9, LastOffset: 17}},
		Behind: runbook.FlushRecords{Connect: 1, TimeToCut: 1},
	}
}

// failures.md B1 (a ledger ahead of Kafka), B3 (retention), and what a backup
// of Kafka must not be taken with.
func TestAFlushIsProvenOrThereIsAReason(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(f *runbook.FlushState)
		where  string
		why    string
	}{
		{"flushed", func(*runbook.FlushState) {}, "", ""},
		{"a channel that nothing but its creation went through", func(f *runbook.FlushState) {
			f.End, f.EndBefore, f.Nodes[0].LastOffset, f.Nodes[1].LastOffset = 1, 1, -1, -1
		}, "", ""},
		{"records that are refused, repeated or no records", func(f *runbook.FlushState) {
			f.Behind = runbook.FlushRecords{Refused: 1, Repeated: 1, Void: 1}
		}, "", ""},
		{"retention has deleted what every ledger has", func(f *runbook.FlushState) { f.Earliest = 18 }, "", ""},
		{"Kafka does not answer", func(f *runbook.FlushState) { f.Error = "connection refused" }, "ch1", "connection refused"},
		{"a ledger cannot be read", func(f *runbook.FlushState) { f.Nodes[1].Error = "the file is damaged" }, "ch1 on o1", "damaged"},
		{"an orderer is missing", func(f *runbook.FlushState) { f.Nodes = f.Nodes[:1] }, "ch1 on o1", "was not read"},
		{"B1: Kafka has lost the end", func(f *runbook.FlushState) { f.End, f.EndBefore = 17, 17 }, "ch1 on o0", "its ledger holds offset 17, Kafka ends at 16"},
		{"B1: Kafka has lost everything", func(f *runbook.FlushState) { f.End, f.EndBefore = 0, 0 }, "ch1 on o0", "Kafka has lost records"},
		{"B3: retention has deleted the next record", func(f *runbook.FlushState) { f.Earliest = 19 }, "ch1 on o0", "the first that Kafka still has is 19"},
		{"an orderer stopped before it had read all", func(f *runbook.FlushState) { f.Nodes[1].LastOffset = 15 }, "ch1", "o0 has consumed up to offset 17, o1 up to 15"},
		{"transactions that are in no block", func(f *runbook.FlushState) {
			f.Behind.Pending, f.Behind.FirstPending = 2, 18
		}, "ch1", "2 records from offset 18 on are in Kafka and in no ledger"},
		{"somebody still writes", func(f *runbook.FlushState) { f.EndBefore = 19 }, "ch1", "grew from offset 19 to 20"},
		{"no leader", func(f *runbook.FlushState) { f.Leader = -1 }, "ch1", "no leader"},
		{"no leader, who alone tells offsets", func(f *runbook.FlushState) {
			f.Leader, f.Earliest, f.End, f.EndBefore = -1, -1, -1, -1
		}, "ch1", "no leader"},
		{"a replica is behind", func(f *runbook.FlushState) { f.InSync = []int32{1, 2} }, "ch1", "only [1 2] are in sync"},
		{"no replica at all", func(f *runbook.FlushState) { f.InSync, f.Replicas = nil, nil }, "ch1", "no replica"},
		{"another channel", func(f *runbook.FlushState) { f.Channel = "ch2" }, "ch1", "not looked at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := flushed()
			test.change(&f)
			p := runbook.JudgeFlush([]string{"ch1"}, []string{"o0", "o1"}, []runbook.FlushState{f})
			if test.why == "" {
				require.Nil(t, p, "%+v", p)
				return
			}
			require.NotNil(t, p)
			require.Equal(t, test.where, p.Where)
			require.Contains(t, p.Why, test.why)
			require.NotEmpty(t, p.Hint)
		})
	}
	require.Equal(t, "ch1: ends at offset 19, the ledgers at 17, behind it 1 CONNECT, 1 TTC; 3 of 3 replicas in sync", flushed().String())
}
