package prom

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/metrics"
)

func scrape(p *Provider) string {
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestMetricsHaveFabricsNamesAndLabels(t *testing.T) {
	p := New()
	p.NewGauge(metrics.Opts{Namespace: "ledger", Subsystem: "blockchain", Name: "height", LabelNames: []string{"channel"}}).With("channel", "ch1").Set(4)
	c := p.NewCounter(metrics.Opts{Namespace: "broadcast", Name: "processed_count", LabelNames: []string{"channel", "type", "status"}})
	c.With("channel", "ch1").With("status", "SUCCESS", "type", "MESSAGE").Add(2)
	c.With("nonsense", "x").Add(1)
	p.NewHistogram(metrics.Opts{Namespace: "ledger", Subsystem: "blockstorage", Name: "commit_time", LabelNames: []string{"channel"}, Buckets: []float64{0.005, 10}}).With("channel", "a").Observe(1)
	p.NewCounter(metrics.Opts{Namespace: "deliver", Name: "streams_opened"}).Add(3)
	out := scrape(p)
	for _, want := range []string{
		`ledger_blockchain_height{channel="ch1"} 4`,
		`broadcast_processed_count{channel="ch1",status="SUCCESS",type="MESSAGE"} 2`,
		`ledger_blockstorage_commit_time_bucket{channel="a",le="10"} 1`,
		`deliver_streams_opened 3`, `go_goroutines`,
	} {
		require.Contains(t, out, want)
	}
}

func TestAMetricMadeTwiceIsOneMetric(t *testing.T) {
	p := New()
	for range 2 {
		p.NewCounter(metrics.Opts{Name: "x"}).Add(1)
	}
	require.Contains(t, scrape(p), "x 2")
}
