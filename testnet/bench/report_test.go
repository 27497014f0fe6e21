package bench

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheRatioIsTheMedianOfNeighbouringRounds(t *testing.T) {
	r := &Result{Consensus: Raft}
	add := func(e Engine, tps, p99 float64) {
		r.Rounds = append(r.Rounds, Round{Engine: e, TxPerSecond: tps, P99: p99, Seconds: 10, Processes: []Usage{
			{Name: "orderer0", CPUSeconds: 1, PeakRSSBytes: 5 << 20}, {Name: "orderer1", CPUSeconds: 2, PeakRSSBytes: 7 << 20},
			{Name: "load", CPUSeconds: 100, PeakRSSBytes: 1 << 40}, {Name: "broker", CPUSeconds: 100},
		}})
	}
	add(Ours, 300, 10)
	add(Fabric, 100, 40) // 3, 0.25
	add(Ours, 100, 90)   // a bad moment for both
	add(Fabric, 40, 100) // 2.5, 0.9
	add(Ours, 400, 10)
	add(Fabric, 100, 20) // 4, 0.5
	r.sum()
	require.Len(t, r.Medians, 2)
	require.Equal(t, Ours, r.Medians[0].Engine)
	require.InDelta(t, 300, r.Medians[0].TxPerSecond, 0)
	require.InDelta(t, 100, r.Medians[1].TxPerSecond, 0)
	require.InDelta(t, 1000, r.Medians[0].CPUPerTx, 0, "3 s for 3000 transactions, the load's not counted")
	require.EqualValues(t, 7<<20, r.Medians[0].PeakRSS)
	require.InDelta(t, 3, r.Throughput, 1e-9)
	require.InDelta(t, 0.5, r.P99, 1e-9)

	var b bytes.Buffer
	require.NoError(t, r.Write(&b))
	require.Contains(t, b.String(), "3.00 times Fabric's throughput, 0.50 times its p99")
}

func TestWithoutFabricThereIsNoRatio(t *testing.T) {
	r := &Result{Rounds: []Round{{Engine: Ours, TxPerSecond: 5, P99: 5, Seconds: 1}}}
	r.sum()
	require.Zero(t, r.Throughput)
	require.Len(t, r.Medians, 1)
	var b bytes.Buffer
	require.NoError(t, r.Write(&b))
	require.NotContains(t, b.String(), "times")
}

func TestLatenciesAreQuantiles(t *testing.T) {
	var ns []int64
	for i := 1000; i > 0; i-- {
		ns = append(ns, int64(i)*int64(time.Millisecond))
	}
	var r Round
	r.summarize(ns)
	require.InDelta(t, 501, r.P50, 0)
	require.InDelta(t, 991, r.P99, 0)
	require.InDelta(t, 1000, r.Max, 0)
	r = Round{}
	r.summarize(nil)
	require.Zero(t, r.P99)
}

func TestUsageIsReadFromProc(t *testing.T) {
	stat := "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000 200 18446744073709551615"
	status := "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"
	u, err := parseUsage([]byte(stat), []byte(status))
	require.NoError(t, err)
	require.Equal(t, usage{cpu: 3, rss: 1 << 20, peak: 2 << 20}, u)
	for _, bad := range []string{"", "1 (x) S 1 2 3", "1 (x) S 1 1 1 1 1 1 1 1 1 1 x 1 1 1"} {
		_, err := parseUsage([]byte(bad), nil)
		require.Error(t, err)
	}
	_, err = parseUsage([]byte(stat), []byte("VmRSS: many kB\n"))
	require.Error(t, err)
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for _, o := range []Options{
		{}, {Dir: "d", Consensus: "solo"}, {Dir: "d", Size: 3}, {Dir: "d", Rounds: -1}, {Dir: "d", Duration: -1},
	} {
		o = o.withDefaults()
		require.Error(t, o.check())
	}
	o := Options{Dir: "d"}.withDefaults()
	require.NoError(t, o.check())
}
