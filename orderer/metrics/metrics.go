// Package metrics is what the engine's packages use to count and measure;
// which system the figures go to is decided at start-up. Names and labels are
// Fabric's (spec 4.10), so existing dashboards keep working.
package metrics

// Provider makes metrics. Making the same metric twice is an error of the
// programmer; packages make theirs once, in a constructor.
type Provider interface {
	NewCounter(Opts) Counter
	NewGauge(Opts) Gauge
	NewHistogram(Opts) Histogram
}

// Opts describes a metric. Its full name is namespace_subsystem_name with the
// empty parts left out.
type Opts struct {
	Namespace, Subsystem, Name string
	Help                       string
	LabelNames                 []string
	// Buckets are the upper bounds of a histogram; nil means the provider's default.
	Buckets []float64
	// StatsdFormat is the statsd bucket, e.g. "%{#fqname}.%{channel}".
	StatsdFormat string
}

// Counter only grows.
type Counter interface {
	// With fixes labels, given as name, value, name, value…
	With(labelValues ...string) Counter
	Add(delta float64)
}

// Gauge goes up and down.
type Gauge interface {
	With(labelValues ...string) Gauge
	Add(delta float64)
	Set(value float64)
}

// Histogram counts observations in buckets.
type Histogram interface {
	With(labelValues ...string) Histogram
	Observe(value float64)
}

// Disabled is the provider that keeps nothing.
type Disabled struct{}

// NewCounter returns a counter that keeps nothing.
func (Disabled) NewCounter(Opts) Counter { return discardCounter{} }

// NewGauge returns a gauge that keeps nothing.
func (Disabled) NewGauge(Opts) Gauge { return discardGauge{} }

// NewHistogram returns a histogram that keeps nothing.
func (Disabled) NewHistogram(Opts) Histogram { return discardHistogram{} }

type (
	discardCounter   struct{}
	discardGauge     struct{}
	discardHistogram struct{}
)

func (c discardCounter) With(...string) Counter     { return c }
func (discardCounter) Add(float64)                  {}
func (g discardGauge) With(...string) Gauge         { return g }
func (discardGauge) Add(float64)                    {}
func (discardGauge) Set(float64)                    {}
func (h discardHistogram) With(...string) Histogram { return h }
func (discardHistogram) Observe(float64)            {}
