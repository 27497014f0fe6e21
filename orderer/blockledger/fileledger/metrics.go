package fileledger

import "raftmig/orderer/metrics"

type factoryMetrics struct {
	height metrics.Gauge
	commit metrics.Histogram
}

// channelMetrics are one channel's: its height in blocks and the time in
// seconds that storing blocks took.
type channelMetrics struct {
	height metrics.Gauge
	commit metrics.Histogram
}

func newMetrics(p metrics.Provider) *factoryMetrics {
	return &factoryMetrics{
		height: p.NewGauge(metrics.Opts{
			Namespace: "ledger", Name: "blockchain_height",
			Help:       "Height of the chain in blocks.",
			LabelNames: []string{"channel"}, StatsdFormat: "%{#fqname}.%{channel}",
		}),
		commit: p.NewHistogram(metrics.Opts{
			Namespace: "ledger", Name: "blockstorage_commit_time",
			Help:       "Time taken in seconds for committing the block to storage.",
			LabelNames: []string{"channel"}, StatsdFormat: "%{#fqname}.%{channel}",
			Buckets: []float64{0.005, 0.01, 0.015, 0.05, 0.1, 1, 10},
		}),
	}
}

func (m *factoryMetrics) of(channelID string) channelMetrics {
	return channelMetrics{height: m.height.With("channel", channelID), commit: m.commit.With("channel", channelID)}
}
