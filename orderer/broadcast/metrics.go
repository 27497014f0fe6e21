package broadcast

import (
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/metrics"
)

// Metrics are the metrics of Broadcast (spec 4.10), made once.
type Metrics struct {
	validate, enqueue metrics.Histogram
	count             metrics.Counter
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
	m.validate.With(l.with(s)...).Observe(d.Seconds())
}

func (m *Metrics) enqueued(l labels, s cb.Status, d time.Duration) {
	m.enqueue.With(l.with(s)...).Observe(d.Seconds())
}

func (m *Metrics) processed(l labels, s cb.Status) { m.count.With(l.with(s)...).Add(1) }
