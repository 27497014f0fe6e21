package broadcast

import (
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/metrics"
)

// Metrics are the metrics of Broadcast (spec 4.10), made once.
type Metrics struct {
	validate, enqueue metrics.Histogram
	count             metrics.Counter
	// known holds *resolved by resolvedKey: channels, types and statuses are few.
	known sync.Map
}

type resolvedKey struct {
	labels
	status cb.Status
}

// resolved are the metrics of one set of labels.
type resolved struct {
	validate, enqueue metrics.Histogram
	count             metrics.Counter
}

func (m *Metrics) of(l labels, s cb.Status) *resolved {
	key := resolvedKey{l, s}
	if r, ok := m.known.Load(key); ok {
		return r.(*resolved)
	}
	pairs := l.with(s)
	r := &resolved{m.validate.With(pairs...), m.enqueue.With(pairs...), m.count.With(pairs...)}
	known, _ := m.known.LoadOrStore(key, r)
	return known.(*resolved)
}

// NewMetrics makes the metrics.
func NewMetrics(p metrics.Provider) *Metrics {
	opts := func(name, help string) metrics.Opts {
		return metrics.Opts{
			Namespace: "broadcast", Name: name, Help: help, LabelNames: []string{"channel", "type", "status"},
			StatsdFormat: "%{#fqname}.%{channel}.%{type}.%{status}",
		}
	}
	return &Metrics{
		validate: p.NewHistogram(opts("validate_duration", "The time to validate a transaction in seconds.")),
		enqueue:  p.NewHistogram(opts("enqueue_duration", "The time to enqueue a transaction in seconds.")),
		count:    p.NewCounter(opts("processed_count", "The number of transactions processed.")),
	}
}

// unknown labels a message whose header could not be read.
const unknown = "unknown"

type labels struct{ channel, kind string }

// labelsOf labels a message. What clients make up is not taken as a label,
// lest they fill the memory with series.
func labelsOf(h *cb.ChannelHeader, c Channel) labels {
	l := labels{channel: unknown, kind: unknown}
	if h == nil {
		return l
	}
	if c != nil && c.ChannelID() == h.ChannelId {
		l.channel = h.ChannelId
	}
	if name, ok := cb.HeaderType_name[h.Type]; ok {
		l.kind = name
	}
	return l
}

func (l labels) with(s cb.Status) []string {
	return []string{"channel", l.channel, "type", l.kind, "status", s.String()}
}

func (m *Metrics) validated(l labels, s cb.Status, d time.Duration) {
	m.of(l, s).validate.Observe(d.Seconds())
}

func (m *Metrics) enqueued(l labels, s cb.Status, d time.Duration) {
	m.of(l, s).enqueue.Observe(d.Seconds())
}

func (m *Metrics) processed(l labels, s cb.Status) { m.of(l, s).count.Add(1) }
