// Package prom makes metrics that Prometheus scrapes. Names are the parts
// joined with "_"; histograms without buckets have the client's defaults. What
// etcd's library measures of WAL and snapshots is scraped with them, as from
// Fabric.
package prom

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"raftmig/orderer/metrics"
)

// Provider is a metrics.Provider with a registry of its own.
type Provider struct{ registry *prometheus.Registry }

var _ metrics.Provider = (*Provider)(nil)

// New returns a provider that also reports on the Go runtime and the process.
func New() *Provider {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Provider{r}
}

// Handler serves the metrics.
func (p *Provider) Handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{p.registry, prometheus.GathererFunc(etcdMetrics)}, promhttp.HandlerOpts{})
}

// etcdMetrics are what etcd's library has put into the client's registry of the
// whole process.
func etcdMetrics() ([]*dto.MetricFamily, error) {
	families, err := prometheus.DefaultGatherer.Gather()
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "etcd_") }), err
}

// register returns c, or the collector that was registered under its name
// before. Two different metrics of one name are a programmer's error; the
// second is then counted nowhere.
func register[C prometheus.Collector](r *prometheus.Registry, c C) C {
	var known prometheus.AlreadyRegisteredError
	if err := r.Register(c); errors.As(err, &known) {
		if old, ok := known.ExistingCollector.(C); ok {
			return old
		}
	}
	return c
}

// series are the metrics of one name, by label values.
type series[M any] struct {
	names  []string
	values []string // of names; "" until set
	find   func(values ...string) (M, error)
	metric M
	found  bool
}

func newSeries[M any](names []string, find func(...string) (M, error)) series[M] {
	return series[M]{names: names, values: make([]string, len(names)), find: find}.resolve(len(names) == 0)
}

func (s series[M]) with(pairs []string) series[M] {
	values := append([]string(nil), s.values...)
	for i := 0; i+1 < len(pairs); i += 2 {
		for j, name := range s.names {
			if name == pairs[i] {
				values[j] = pairs[i+1]
			}
		}
	}
	s.values, s.found = values, false
	return s.resolve(true)
}

func (s series[M]) resolve(now bool) series[M] {
	if now {
		m, err := s.find(s.values...)
		s.metric, s.found = m, err == nil
	}
	return s
}

type counter struct{ series[prometheus.Counter] }

// NewCounter implements metrics.Provider.
func (p *Provider) NewCounter(o metrics.Opts) metrics.Counter {
	vec := register(p.registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: o.Namespace, Subsystem: o.Subsystem, Name: o.Name, Help: o.Help,
	}, o.LabelNames))
	return counter{newSeries(o.LabelNames, vec.GetMetricWithLabelValues)}
}

func (c counter) With(pairs ...string) metrics.Counter { return counter{c.with(pairs)} }

// Add ignores negative deltas, as counters only grow.
func (c counter) Add(delta float64) {
	if c.found && delta >= 0 {
		c.metric.Add(delta)
	}
}

type gauge struct{ series[prometheus.Gauge] }

// NewGauge implements metrics.Provider.
func (p *Provider) NewGauge(o metrics.Opts) metrics.Gauge {
	vec := register(p.registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: o.Namespace, Subsystem: o.Subsystem, Name: o.Name, Help: o.Help,
	}, o.LabelNames))
	return gauge{newSeries(o.LabelNames, vec.GetMetricWithLabelValues)}
}

func (g gauge) With(pairs ...string) metrics.Gauge { return gauge{g.with(pairs)} }

func (g gauge) Add(delta float64) {
	if g.found {
		g.metric.Add(delta)
	}
}

func (g gauge) Set(value float64) {
	if g.found {
		g.metric.Set(value)
	}
}

type histogram struct{ series[prometheus.Observer] }

// NewHistogram implements metrics.Provider.
func (p *Provider) NewHistogram(o metrics.Opts) metrics.Histogram {
	vec := register(p.registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: o.Namespace, Subsystem: o.Subsystem, Name: o.Name, Help: o.Help, Buckets: o.Buckets,
	}, o.LabelNames))
	return histogram{newSeries(o.LabelNames, vec.GetMetricWithLabelValues)}
}

func (h histogram) With(pairs ...string) metrics.Histogram { return histogram{h.with(pairs)} }

func (h histogram) Observe(value float64) {
	if h.found {
		h.metric.Observe(value)
	}
}
