package bench

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// Usage is what a process used during a measurement.
type Usage struct {
	Name         string  `json:"name"` // of the node, or "load"
	CPUSeconds   float64 `json:"cpu_seconds"`
	RSSBytes     int64   `json:"rss_bytes"`      // at the end
	PeakRSSBytes int64   `json:"peak_rss_bytes"` // since the process started
}

// Round is one measurement of one engine. Latencies are in milliseconds.
type Round struct {
	Number       int     `json:"round"`
	Engine       Engine  `json:"engine"`
	Consensus    string  `json:"consensus"`
	Seconds      float64 `json:"seconds"`
	TxPerSecond  float64 `json:"tx_per_second"`
	P50          float64 `json:"p50_ms"`
	P99          float64 `json:"p99_ms"`
	Max          float64 `json:"max_ms"`
	Acknowledged int64   `json:"acknowledged"` // warm-up and drain included
	Committed    int64   `json:"committed"`    // likewise
	Processes    []Usage `json:"processes"`
}

// summarize computes the latencies.
func (r *Round) summarize(ns []int64) {
	if len(ns) == 0 {
		return
	}
	slices.Sort(ns)
	at := func(q float64) float64 {
		return float64(ns[min(len(ns)-1, int(q*float64(len(ns))))]) / float64(time.Millisecond)
	}
	r.P50, r.P99, r.Max = at(0.50), at(0.99), at(1)
}

// ordererUsage sums up the orderers: CPU of all, memory of the largest.
func (r *Round) ordererUsage() (cpu float64, peak int64) {
	for _, p := range r.Processes {
		if p.Name != "load" && p.Name != "broker" {
			cpu += p.CPUSeconds
			peak = max(peak, p.PeakRSSBytes)
		}
	}
	return cpu, peak
}

// cpuPerTx is the processor time of all orderers for a transaction, in microseconds.
func (r *Round) cpuPerTx() float64 {
	cpu, _ := r.ordererUsage()
	return 1e6 * cpu / max(1, r.TxPerSecond*r.Seconds)
}

func (r *Round) String() string {
	_, peak := r.ordererUsage()
	return fmt.Sprintf("%s, %s, round %d: %.0f tx/s, p50 %.0f ms, p99 %.0f ms, %.0f µs of CPU per transaction in the orderers, largest %d MiB",
		r.Engine, r.Consensus, r.Number, r.TxPerSecond, r.P50, r.P99, r.cpuPerTx(), peak>>20)
}

// Summary is the median of the rounds of an engine.
type Summary struct {
	Engine      Engine  `json:"engine"`
	TxPerSecond float64 `json:"tx_per_second"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	CPUPerTx    float64 `json:"cpu_us_per_tx"` // of all orderers
	PeakRSS     int64   `json:"peak_rss_bytes"`
}

// Result is a whole measurement.
type Result struct {
	CPUs      int       `json:"cpus"`
	Consensus string    `json:"consensus"`
	Orderers  int       `json:"orderers"`
	Streams   int       `json:"streams"`
	Window    int       `json:"window"` // transactions under way per stream
	Size      int       `json:"size_bytes"`
	Rounds    []Round   `json:"rounds"`
	Medians   []Summary `json:"medians"`
	// Throughput and P99 are ours divided by Fabric's; 0 without Fabric.
	Throughput float64 `json:"throughput_ratio,omitempty"`
	P99        float64 `json:"p99_ratio,omitempty"`
}

func newResult(o *Options) *Result {
	return &Result{
		CPUs: runtime.NumCPU(), Consensus: o.Consensus, Orderers: o.Orderers, Streams: o.Streams, Window: o.Window, Size: o.Size,
		Rounds: []Round{}, Medians: []Summary{},
	}
}

// sum computes the medians and the ratios. A ratio is the median of the ratios
// of the rounds that ran next to each other.
func (r *Result) sum() {
	by := map[Engine][]Round{}
	for _, round := range r.Rounds {
		by[round.Engine] = append(by[round.Engine], round)
	}
	for _, e := range []Engine{Ours, Fabric} {
		rounds := by[e]
		if len(rounds) == 0 {
			continue
		}
		of := func(f func(*Round) float64) float64 {
			var v []float64
			for i := range rounds {
				v = append(v, f(&rounds[i]))
			}
			return median(v)
		}
		r.Medians = append(r.Medians, Summary{
			Engine:      e,
			TxPerSecond: of(func(m *Round) float64 { return m.TxPerSecond }),
			P50:         of(func(m *Round) float64 { return m.P50 }),
			P99:         of(func(m *Round) float64 { return m.P99 }),
			CPUPerTx:    of((*Round).cpuPerTx),
			PeakRSS:     int64(of(func(m *Round) float64 { _, peak := m.ordererUsage(); return float64(peak) })),
		})
	}
	var throughput, p99 []float64
	for i := range min(len(by[Ours]), len(by[Fabric])) {
		a, b := by[Ours][i], by[Fabric][i]
		if b.TxPerSecond > 0 && b.P99 > 0 {
			throughput, p99 = append(throughput, a.TxPerSecond/b.TxPerSecond), append(p99, a.P99/b.P99)
		}
	}
	r.Throughput, r.P99 = median(throughput), median(p99)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// Write prints the result for a reader.
func (r *Result) Write(out io.Writer) error {
	fmt.Fprintf(out, "%s: %d orderers and the load on %d processors; TLS, signatures checked, fsync; %d streams, %d transactions of %d bytes under way on each\n\n",
		r.Consensus, r.Orderers, r.CPUs, r.Streams, r.Window, r.Size)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "ROUND\tENGINE\tTX/S\tP50 ms\tP99 ms\tMAX ms\tCPU µs/TX\tPEAK MiB\t\n")
	for i := range r.Rounds {
		m := &r.Rounds[i]
		_, peak := m.ordererUsage()
		fmt.Fprintf(w, "%d\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t\n", m.Number, m.Engine, m.TxPerSecond, m.P50, m.P99, m.Max, m.cpuPerTx(), peak>>20)
	}
	for _, m := range r.Medians {
		fmt.Fprintf(w, "median\t%s\t%.0f\t%.0f\t%.0f\t\t%.0f\t%d\t\n", m.Engine, m.TxPerSecond, m.P50, m.P99, m.CPUPerTx, m.PeakRSS>>20)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Throughput > 0 {
		_, err := fmt.Fprintf(out, "\n%.2f times Fabric's throughput, %.2f times its p99 (medians of neighbouring rounds)\n", r.Throughput, r.P99)
		return err
	}
	return nil
}
