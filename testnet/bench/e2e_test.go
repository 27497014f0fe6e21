package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is RAFTMIG_BIN, or raftmig built for this test.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes; left out with -short")
	}
	if bin := os.Getenv("RAFTMIG_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "raftmig")
	out, err := exec.Command("go", "build", "-o", bin, "raftmig/cmd/raftmig").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

func TestRealOrderersAreMeasured(t *testing.T) {
	bin := program(t)
	for _, consensus := range []string{Raft, Kafka} {
		t.Run(consensus, func(t *testing.T) {
			r, err := Run(t.Context(), Options{
				Dir: filepath.Join(t.TempDir(), "bench"), Consensus: consensus, Program: bin, Streams: 4, Window: 16,
				Warmup: 200 * time.Millisecond, Duration: time.Second, Say: func(text string) { t.Log(text) },
			})
			require.NoError(t, err)
			require.Len(t, r.Rounds, 1)
			m := r.Rounds[0]
			require.Positive(t, m.TxPerSecond)
			require.Positive(t, m.P50)
			require.LessOrEqual(t, m.P50, m.P99)
			require.Equal(t, m.Acknowledged, m.Committed)
			require.GreaterOrEqual(t, float64(m.Committed), m.TxPerSecond*m.Seconds)
			cpu, peak := m.ordererUsage()
			require.Positive(t, cpu)
			require.Positive(t, peak)
		})
	}
}
