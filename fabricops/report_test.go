package fabricops

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

func TestACopyTellsItsRateAndWhatIsLeft(t *testing.T) {
	var got []runbook.Progress
	r := reporter(runbook.Effect{ID: "backup.copy#1"}, func(p runbook.Progress) { got = append(got, p) })
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	report := r.bytes(func() time.Time { return now })
	after := func(d time.Duration, text string, done int64) string {
		t.Helper()
		now = now.Add(d)
		report(text, done, 100e6)
		return got[len(got)-1].Text
	}
	require.Equal(t, "copying kafka0", after(0, "copying kafka0", 0))
	require.Equal(t, "copying kafka0", after(time.Second, "copying kafka0", 5e6), "too early to tell")
	require.Equal(t, "copying kafka1, 10.0 MB/s, 8s left", after(time.Second, "copying kafka1", 20e6))
	require.Equal(t, "copying kafka1, 10.0 MB/s, 8s left", after(time.Millisecond, "copying kafka1", 21e6), "a few times a second")
	require.Equal(t, "copying kafka1, 25.0 MB/s", after(2*time.Second-time.Millisecond, "copying kafka1", 100e6))
	require.Equal(t, runbook.Progress{Effect: "backup.copy#1", Text: "copying kafka1, 25.0 MB/s", Done: 100e6, Total: 100e6, Unit: "bytes"}, got[len(got)-1])
	require.Equal(t, "reading back", after(time.Second, "reading back", 0), "another rate")
}
