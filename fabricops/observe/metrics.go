package observe

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	metricsTimeout = time.Second
	metricsMaxAge  = 500 * time.Millisecond
	metricsMaxSize = 64 << 20
)

// Target is the operations endpoint of a node.
type Target struct {
	Node    string
	Address string      // host:port
	TLS     *tls.Config // tried first; nil for none
}

// Metrics tells leaders from the nodes' metrics, where no log can be followed.
// It is weaker than a log: the metric consensus_etcdraft_is_leader (spec 4.10)
// says of a node whether it leads, not whom it follows. A node counts as
// following the leader if its own metrics have the channel. It is safe for
// concurrent use.
type Metrics struct {
	targets []Target

	mu      sync.Mutex
	read    time.Time
	leading map[string]map[string]bool // node → channel → it leads
}

// NewMetrics returns a reader of metrics. The targets are the nodes in the
// order of the consenter set, which is that of their Raft IDs after a migration;
// those without an address are not asked.
func NewMetrics(targets []Target) *Metrics { return &Metrics{targets: targets} }

// Leader is the Raft ID of the channel's leader if node takes part in the
// channel and exactly one node says that it leads; else 0.
func (m *Metrics) Leader(node, channel string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.read) > metricsMaxAge {
		m.leading = m.scrape()
		m.read = time.Now()
	}
	if _, active := m.leading[node][channel]; !active {
		return 0
	}
	leader, found := uint64(0), 0
	for i, t := range m.targets {
		if m.leading[t.Node][channel] {
			leader = uint64(i) + 1
			found++
		}
	}
	if found != 1 {
		return 0
	}
	return leader
}

func (m *Metrics) scrape() map[string]map[string]bool {
	ctx, cancel := context.WithTimeout(context.Background(), metricsTimeout)
	defer cancel()
	answers := make([]map[string]bool, len(m.targets))
	var wg sync.WaitGroup
	for i, t := range m.targets {
		if t.Address == "" {
			continue
		}
		wg.Go(func() { answers[i], _ = scrape(ctx, t) }) // what cannot be read names no leader
	}
	wg.Wait()
	out := make(map[string]map[string]bool, len(m.targets))
	for i, t := range m.targets {
		out[t.Node] = answers[i]
	}
	return out
}

// scrape reads the metrics of one node, over TLS first where that may be.
func scrape(ctx context.Context, t Target) (leading map[string]bool, err error) {
	if t.TLS != nil {
		if leading, err = get(ctx, "https://"+t.Address+"/metrics", t.TLS); err == nil {
			return leading, nil
		}
	}
	return get(ctx, "http://"+t.Address+"/metrics", nil)
}

func get(ctx context.Context, url string, cfg *tls.Config) (map[string]bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return isLeader(io.LimitReader(resp.Body, metricsMaxSize))
}

// isLeader reads consensus_etcdraft_is_leader{channel="c"} 0|1 out of the
// Prometheus text format.
func isLeader(r io.Reader) (map[string]bool, error) {
	out := map[string]bool{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), `consensus_etcdraft_is_leader{channel="`)
		if !ok {
			continue
		}
		channel, rest, ok := strings.Cut(rest, `"}`)
		if !ok {
			continue
		}
		if fields := strings.Fields(rest); len(fields) > 0 {
			out[channel] = fields[0] == "1"
		}
	}
	return out, lines.Err()
}
