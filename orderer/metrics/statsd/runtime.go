package statsd

import (
	"runtime"

	"raftmig/orderer/metrics"
)

// runtimeMetrics are Fabric's gauges about the Go runtime, which Prometheus'
// client brings by itself.
type runtimeMetrics struct {
	cgoCalls, goroutines, threads metrics.Gauge
	memory                        []memoryGauge
}

type memoryGauge struct {
	gauge metrics.Gauge
	read  func(*runtime.MemStats) float64
}

func newRuntimeMetrics(p metrics.Provider) *runtimeMetrics {
	r := &runtimeMetrics{
		cgoCalls:   p.NewGauge(metrics.Opts{Namespace: "go", Name: "cgo_calls"}),
		goroutines: p.NewGauge(metrics.Opts{Namespace: "go", Name: "goroutine_count"}),
		threads:    p.NewGauge(metrics.Opts{Namespace: "go", Name: "threads_created"}),
	}
	for _, m := range []struct {
		name string
		read func(*runtime.MemStats) float64
	}{
		{"heap_alloc_bytes", func(m *runtime.MemStats) float64 { return float64(m.HeapAlloc) }},
		{"heap_total_alloc_bytes", func(m *runtime.MemStats) float64 { return float64(m.TotalAlloc) }},
		{"heap_malloc_count", func(m *runtime.MemStats) float64 { return float64(m.Mallocs) }},
		{"heap_free_count", func(m *runtime.MemStats) float64 { return float64(m.Frees) }},
		{"heap_sys_bytes", func(m *runtime.MemStats) float64 { return float64(m.HeapSys) }},
		{"heap_idle_bytes", func(m *runtime.MemStats) float64 { return float64(m.HeapIdle) }},
		{"heap_inuse_bytes", func(m *runtime.MemStats) float64 { return float64(m.HeapInuse) }},
		{"heap_released_bytes", func(m *runtime.MemStats) float64 { return float64(m.HeapReleased) }},
		{"heap_objects", func(m *runtime.MemStats) float64 { return float64(m.HeapObjects) }},
		{"stack_inuse_bytes", func(m *runtime.MemStats) float64 { return float64(m.StackInuse) }},
		{"stack_sys_bytes", func(m *runtime.MemStats) float64 { return float64(m.StackSys) }},
		{"mspan_inuse_bytes", func(m *runtime.MemStats) float64 { return float64(m.MSpanInuse) }},
		{"mspan_sys_bytes", func(m *runtime.MemStats) float64 { return float64(m.MSpanSys) }},
		{"mcache_inuse_bytes", func(m *runtime.MemStats) float64 { return float64(m.MCacheInuse) }},
		{"mcache_sys_bytes", func(m *runtime.MemStats) float64 { return float64(m.MCacheSys) }},
		{"buckethash_sys_bytes", func(m *runtime.MemStats) float64 { return float64(m.BuckHashSys) }},
		{"gc_sys_bytes", func(m *runtime.MemStats) float64 { return float64(m.GCSys) }},
		{"other_sys_bytes", func(m *runtime.MemStats) float64 { return float64(m.OtherSys) }},
		{"gc_next_bytes", func(m *runtime.MemStats) float64 { return float64(m.NextGC) }},
		{"gc_last_epoch_nanotime", func(m *runtime.MemStats) float64 { return float64(m.LastGC) }},
		{"gc_pause_total_ns", func(m *runtime.MemStats) float64 { return float64(m.PauseTotalNs) }},
		{"gc_pause_last_ns", func(m *runtime.MemStats) float64 { return float64(m.PauseNs[(m.NumGC+255)%256]) }},
		{"gc_completed_count", func(m *runtime.MemStats) float64 { return float64(m.NumGC) }},
		{"gc_forced_count", func(m *runtime.MemStats) float64 { return float64(m.NumForcedGC) }},
	} {
		r.memory = append(r.memory, memoryGauge{p.NewGauge(metrics.Opts{Namespace: "go", Subsystem: "mem", Name: m.name}), m.read})
	}
	return r
}

func (r *runtimeMetrics) collect() {
	r.cgoCalls.Set(float64(runtime.NumCgoCall()))
	r.goroutines.Set(float64(runtime.NumGoroutine()))
	created, _ := runtime.ThreadCreateProfile(nil) // only the number is wanted
	r.threads.Set(float64(created))
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	for _, m := range r.memory {
		m.gauge.Set(m.read(&stats))
	}
}
