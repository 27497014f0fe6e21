// Package statsd makes metrics that are sent to a statsd server (spec 4.10,
// 8.2). A metric's name is its parts joined with dots, followed by its label
// values as its format says, e.g. "deliver.blocks_sent.ch1.false.block"; in
// label values ".", "|", ":" and white space become "_".
//
// What is sent is what Fabric sends, through the same library, so that existing
// dashboards keep working: counters (c) as sums and gauges (g) as the last value
// since the last write, histograms as timings (ms) with each single value in
// its unit, which is seconds. One line is one write, and so one UDP packet.
package statsd

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/kit/metrics/statsd"
	"github.com/go-kit/kit/util/conn"
	"github.com/go-kit/log"
	"go.uber.org/zap"

	"raftmig/orderer/metrics"
)

// Defaults of the settings (spec 8.2).
const (
	DefaultNetwork       = "udp"
	DefaultAddress       = "127.0.0.1:8125"
	DefaultWriteInterval = 30 * time.Second
)

// writePatience is how long the server may take to take one line, or to accept
// a connection. Over TCP it could take for ever otherwise, and what is measured
// meanwhile is kept.
const writePatience = 5 * time.Second

// Options of a provider.
type Options struct {
	// Network is "udp" or "tcp", Address the server's host:port.
	Network, Address string
	// WriteInterval is the time between two writes.
	WriteInterval time.Duration
	// Prefix stands before every name, with a dot.
	Prefix string
	// Logger is told when a write fails. What was to be written is lost then.
	Logger *zap.SugaredLogger
}

// Provider is a metrics.Provider that collects until Run sends.
type Provider struct {
	options  Options
	kit      *statsd.Statsd
	patience time.Duration

	mu     sync.Mutex
	gauges map[string]*value
}

// value is what a gauge stands at. The library forgets it when it writes.
type value struct {
	mu  sync.Mutex
	now float64
}

var _ metrics.Provider = (*Provider)(nil)

// New returns a provider. It fails if the server cannot be reached, which over
// UDP cannot be known.
func New(o Options) (*Provider, error) {
	if o.Network == "" {
		o.Network = DefaultNetwork
	}
	if o.Address == "" {
		o.Address = DefaultAddress
	}
	if o.WriteInterval <= 0 {
		o.WriteInterval = DefaultWriteInterval
	}
	if o.Prefix != "" && !strings.HasSuffix(o.Prefix, ".") {
		o.Prefix += "."
	}
	c, err := net.DialTimeout(o.Network, o.Address, writePatience)
	if err != nil {
		return nil, err
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	return &Provider{options: o, kit: statsd.New(o.Prefix, o.logger()), patience: writePatience, gauges: map[string]*value{}}, nil
}

func (o Options) logger() log.Logger {
	return log.LoggerFunc(func(pairs ...any) error {
		o.Logger.Warnw("statsd", pairs...)
		return nil
	})
}

// Run sends every interval until ctx ends, and then what is left. It also
// reports on the Go runtime.
func (p *Provider) Run(ctx context.Context) {
	logger := p.options.logger()
	server := conn.NewManager(p.dial, p.options.Network, p.options.Address, time.After, logger)
	runtime := newRuntimeMetrics(p)
	tick := time.NewTicker(p.options.WriteInterval)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-tick.C:
			runtime.collect()
		case <-ctx.Done():
			over = true
		}
		if _, err := p.kit.WriteTo(server); err != nil {
			p.options.Logger.Warnf("Could not send metrics to %s: %s", p.options.Address, err)
		}
	}
}

// dial connects to the server for as long as the provider's patience lasts, in
// each write too.
func (p *Provider) dial(network, address string) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, p.patience)
	if err != nil {
		return nil, err
	}
	return impatient{c, p.patience}, nil
}

// impatient is a connection that bounds each write.
type impatient struct {
	net.Conn
	patience time.Duration
}

// Write implements net.Conn.
func (c impatient) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// series are the metrics of one description.
type series[M any] struct {
	opts   metrics.Opts
	labels map[string]string
	find   func(name string) M
	metric M
}

func newSeries[M any](o metrics.Opts, find func(string) M) series[M] {
	return series[M]{opts: o, find: find, metric: find(bucket(o, nil))}
}

func (s series[M]) with(pairs []string) series[M] {
	labels := make(map[string]string, len(s.opts.LabelNames))
	for name, v := range s.labels {
		labels[name] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	s.labels, s.metric = labels, s.find(bucket(s.opts, labels))
	return s
}

type counter struct{ series[*statsd.Counter] }

// NewCounter implements metrics.Provider.
func (p *Provider) NewCounter(o metrics.Opts) metrics.Counter {
	return counter{newSeries(o, func(name string) *statsd.Counter { return p.kit.NewCounter(name, 1) })}
}

func (c counter) With(pairs ...string) metrics.Counter { return counter{c.with(pairs)} }

func (c counter) Add(delta float64) { c.metric.Add(delta) }

// level is a gauge with its value.
type level struct {
	gauge *statsd.Gauge
	at    *value
}

type gauge struct{ series[level] }

// NewGauge implements metrics.Provider.
func (p *Provider) NewGauge(o metrics.Opts) metrics.Gauge {
	return gauge{newSeries(o, func(name string) level {
		p.mu.Lock()
		defer p.mu.Unlock()
		at := p.gauges[name]
		if at == nil {
			at = &value{}
			p.gauges[name] = at
		}
		return level{p.kit.NewGauge(name), at}
	})}
}

func (g gauge) With(pairs ...string) metrics.Gauge { return gauge{g.with(pairs)} }

func (g gauge) Add(delta float64) { g.change(func(now float64) float64 { return now + delta }) }

func (g gauge) Set(to float64) { g.change(func(float64) float64 { return to }) }

func (g gauge) change(f func(float64) float64) {
	v := g.metric.at
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = f(v.now)
	g.metric.gauge.Set(v.now)
}

type histogram struct{ series[*statsd.Timing] }

// NewHistogram implements metrics.Provider.
func (p *Provider) NewHistogram(o metrics.Opts) metrics.Histogram {
	return histogram{newSeries(o, func(name string) *statsd.Timing { return p.kit.NewTiming(name, 1) })}
}

func (h histogram) With(pairs ...string) metrics.Histogram { return histogram{h.with(pairs)} }

func (h histogram) Observe(value float64) { h.metric.Observe(value) }
