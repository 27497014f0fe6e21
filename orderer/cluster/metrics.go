package cluster

import "raftmig/orderer/metrics"

// commMetrics are the cluster_comm metrics of spec 4.10.
type commMetrics struct {
	queueLength, queueCapacity    metrics.Gauge     // host, msg_type, channel
	queueWorkers, streamCount     metrics.Gauge     // channel
	connectionCount, ingressCount metrics.Gauge     // -
	sendTime                      metrics.Histogram // host, channel
	dropped                       metrics.Counter   // host, channel
}

const (
	metricsNamespace = "cluster"
	metricsSubsystem = "comm"
)

func newCommMetrics(p metrics.Provider) *commMetrics {
	opts := func(name, help string, labels ...string) metrics.Opts {
		format := "%{#fqname}"
		for _, l := range labels {
			format += ".%{" + l + "}"
		}
		return metrics.Opts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
			LabelNames: labels, StatsdFormat: format,
		}
	}
	return &commMetrics{
		queueLength:     p.NewGauge(opts("egress_queue_length", "Length of the egress queue.", "host", "msg_type", "channel")),
		queueCapacity:   p.NewGauge(opts("egress_queue_capacity", "Capacity of the egress queue.", "host", "msg_type", "channel")),
		queueWorkers:    p.NewGauge(opts("egress_queue_workers", "Count of egress queue workers.", "channel")),
		streamCount:     p.NewGauge(opts("egress_stream_count", "Count of streams to other nodes.", "channel")),
		connectionCount: p.NewGauge(opts("egress_tls_connection_count", "Count of TLS connections to other nodes.")),
		ingressCount:    p.NewGauge(opts("ingress_stream_count", "Count of streams from other nodes.")),
		sendTime:        p.NewHistogram(opts("msg_send_time", "The time it takes to send a message in seconds.", "host", "channel")),
		dropped:         p.NewCounter(opts("msg_dropped_count", "Count of messages dropped.", "host", "channel")),
	}
}
