package kafka

import (
	"strings"
	"time"

	gometrics "github.com/rcrowley/go-metrics"

	"raftmig/orderer/metrics"
)

// DefaultPollInterval is how often the client's own figures are taken over (spec 4.10).
const DefaultPollInterval = time.Minute

// consenterMetrics are the consenter's metrics (spec 4.10).
type consenterMetrics struct {
	lastOffsetPersisted metrics.Gauge
	client              []clientMetric
}

// clientMetric is a figure of the Kafka client, whose names are a prefix and
// the value of one label.
type clientMetric struct {
	prefix, label string
	gauge         metrics.Gauge
}

func newMetrics(p metrics.Provider) *consenterMetrics {
	gauge := func(name, help, label string) metrics.Gauge {
		return p.NewGauge(metrics.Opts{
			Namespace: "consensus", Subsystem: "kafka", Name: name, Help: help,
			LabelNames: []string{label}, StatsdFormat: "%{#fqname}.%{" + label + "}",
		})
	}
	client := func(prefix, name, help, label string) clientMetric {
		return clientMetric{prefix, label, gauge(name, help, label)}
	}
	const broker, topic = "broker_id", "topic"
	return &consenterMetrics{
		lastOffsetPersisted: gauge("last_offset_persisted",
			"The offset specified in the block metadata of the most recently committed block.", "channel"),
		client: []clientMetric{
			client("incoming-byte-rate-for-broker-", "incoming_byte_rate", "Bytes/second read off brokers.", broker),
			client("outgoing-byte-rate-for-broker-", "outgoing_byte_rate", "Bytes/second written to brokers.", broker),
			client("request-rate-for-broker-", "request_rate", "Requests/second sent to brokers.", broker),
			client("request-size-for-broker-", "request_size", "The mean request size in bytes to brokers.", broker),
			client("request-latency-in-ms-for-broker-", "request_latency", "The mean request latency in ms to brokers.", broker),
			client("response-rate-for-broker-", "response_rate", "Requests/second sent to brokers.", broker),
			client("response-size-for-broker-", "response_size", "The mean response size in bytes from brokers.", broker),
			client("batch-size-for-topic-", "batch_size", "The mean batch size in bytes sent to topics.", topic),
			client("record-send-rate-for-topic-", "record_send_rate", "The number of records per second sent to topics.", topic),
			client("records-per-request-for-topic-", "records_per_request", "The mean number of records sent per request to topics.", topic),
			client("compression-ratio-for-topic-", "compression_ratio", "The mean compression ratio (as percentage) for topics.", topic),
		},
	}
}

// poll takes over the client's figures: of meters the rate of the last minute,
// of histograms the mean.
func (m *consenterMetrics) poll(registry gometrics.Registry) {
	registry.Each(func(name string, value any) {
		for _, c := range m.client {
			label, ok := strings.CutPrefix(name, c.prefix)
			if !ok {
				continue
			}
			switch v := value.(type) {
			case gometrics.Meter:
				c.gauge.With(c.label, label).Set(v.Snapshot().Rate1())
			case gometrics.Histogram:
				c.gauge.With(c.label, label).Set(v.Snapshot().Mean())
			}
		}
	})
}
