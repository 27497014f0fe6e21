package deliver

import (
	"strconv"

	"raftmig/orderer/metrics"
)

// Metrics are the metrics of Deliver (spec 4.10), made once.
type Metrics struct {
	opened, closed               metrics.Counter
	received, finished, sentOnes metrics.Counter
}

// NewMetrics makes the metrics.
func NewMetrics(p metrics.Provider) *Metrics {
	opts := func(name, help, format string, labels ...string) metrics.Opts {
		return metrics.Opts{Namespace: "deliver", Name: name, Help: help, LabelNames: labels, StatsdFormat: format}
	}
	const perRequest = "%{#fqname}.%{channel}.%{filtered}.%{data_type}"
	return &Metrics{
		opened:   p.NewCounter(opts("streams_opened", "The number of GRPC streams that have been opened for the deliver service.", "")),
		closed:   p.NewCounter(opts("streams_closed", "The number of GRPC streams that have been closed for the deliver service.", "")),
		received: p.NewCounter(opts("requests_received", "The number of deliver requests that have been received.", perRequest, "channel", "filtered", "data_type")),
		finished: p.NewCounter(opts("requests_completed", "The number of deliver requests that have been completed.", perRequest+".%{success}", "channel", "filtered", "data_type", "success")),
		sentOnes: p.NewCounter(opts("blocks_sent", "The number of blocks sent by the deliver service.", perRequest, "channel", "filtered", "data_type")),
	}
}

// counted are the counters of one request.
type counted struct {
	sent, finished metrics.Counter
	labels         []string
}

func (m *Metrics) request(channelID string) counted {
	labels := []string{"channel", channelID, "filtered", "false", "data_type", "block"}
	m.received.With(labels...).Add(1)
	return counted{m.sentOnes.With(labels...), m.finished, labels}
}

func (c counted) completed(success bool) {
	c.finished.With(append(c.labels, "success", strconv.FormatBool(success))...).Add(1)
}
