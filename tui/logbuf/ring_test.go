package logbuf

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/tui/present"
)

func rows(from, to int) []present.LogRow {
	var out []present.LogRow
	for i := from; i < to; i++ {
		r := present.LogRow{Full: fmt.Sprintf("line %d", i)}
		if i%10 == 0 {
			r.Kind = present.LogLeader
		}
		out = append(out, r)
	}
	return out
}

func TestTheNewestRowsAreKept(t *testing.T) {
	r := New(5)
	for i := range 100 {
		r.Append(rows(i, i+1)...)
		require.LessOrEqual(t, len(r.rows), 10, "memory grows")
		require.LessOrEqual(t, len(r.Shown()), 5)
	}
	require.Equal(t, 5, r.Len())
	require.Equal(t, "line 99", r.Shown()[4].Full)
	require.Equal(t, "line 95", r.Shown()[0].Full)
	require.Equal(t, 10, r.Leaders(), "leader lines that fell out count")
}

func TestAFilterHoldsForOldAndNewRows(t *testing.T) {
	r := New(100)
	r.Append(rows(0, 20)...)
	r.SetFilter("line 1", present.ShowUsual)
	require.Len(t, r.Shown(), 11)
	r.Append(rows(100, 102)...)
	require.Len(t, r.Shown(), 13)
	r.SetFilter("", present.ShowMarked)
	require.Len(t, r.Shown(), 3, "line 0, 10 and 100 are leader lines")
	r.SetFilter("", present.ShowAll)
	require.Len(t, r.Shown(), 22)
	r.Append(rows(0, 300)...)
	require.Len(t, r.Shown(), 100)
}

func BenchmarkAppendUnderAFilter(b *testing.B) {
	r := New(10_000)
	r.SetFilter("leader changed", present.ShowMarked)
	line := rows(1, 2)
	for b.Loop() {
		r.Append(line...)
	}
}
