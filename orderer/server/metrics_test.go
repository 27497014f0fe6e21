package server

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/localconfig"
)

// A running orderer sends its metrics to a statsd server (spec 4.10, 8.2); the
// names are those of Fabric's "Metrics Reference".
func TestMetricsGoToStatsd(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	lines := readPackets(t, server)
	n := newNetwork(t)
	n.raftGenesis(n.RaftMetadata(n.ports[0]))
	o := n.launchChanged(0, "", func(c *localconfig.TopLevel) {
		c.Metrics = localconfig.Metrics{Provider: "statsd", Statsd: localconfig.Statsd{
			Network: "udp", Address: server.LocalAddr().String(), WriteInterval: 200 * time.Millisecond, Prefix: "orderers",
		}}
	})
	<-o.serving
	o.accepted(n.Creation())
	o.blocks("ch1", n.OrgUser("User1"), 0)
	missing := map[string]bool{
		"orderers.fabric_version.2_5_16:1.000000|g":                              true,
		"orderers.ledger.blockchain_height.ch1:1.000000|g":                       true,
		"orderers.consensus.etcdraft.is_leader.syschannel:1.000000|g":            true,
		"orderers.broadcast.processed_count.unknown.CONFIG_UPDATE.SUCCESS:1.000": true,
		"orderers.broadcast.enqueue_duration.unknown.CONFIG_UPDATE.SUCCESS:0.":   true,
		"orderers.deliver.requests_received.ch1.false.block:":                    true,
		"orderers.deliver.requests_completed.ch1.false.block.true:":              true,
		"orderers.grpc.server.stream_messages_received.orderer_AtomicBroadcast.": true,
		"orderers.grpc.comm.conn_opened:":                                        true,
		"orderers.logging.entries_checked.info:":                                 true,
		"orderers.go.goroutine_count:":                                           true,
		"orderers.go.mem.heap_objects:":                                          true,
	}
	require.Eventually(t, func() bool {
		for _, line := range lines() {
			require.True(t, strings.HasPrefix(line, "orderers."))
			for want := range missing {
				if strings.HasPrefix(line, want) {
					delete(missing, want)
				}
			}
		}
		return len(missing) == 0
	}, patience, tick, "missing: %v", missing)
}

// readPackets reads from now on, since the kernel keeps few packets, and
// returns a function that gives what has come since it was last called.
func readPackets(t *testing.T, server net.PacketConn) func() []string {
	var mu sync.Mutex
	var lines []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for {
			size, _, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			mu.Lock()
			lines = append(lines, string(buf[:size]))
			mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { lines = nil }()
		return lines
	}
}

func TestAnUnknownMetricsProviderIsWarnedOf(t *testing.T) {
	for _, provider := range []string{"", "disabled", "graphite"} {
		n := newNetwork(t)
		o := n.launchChanged(0, "", func(c *localconfig.TopLevel) { c.Metrics.Provider = provider })
		<-o.serving
		require.Equal(t, provider == "graphite", strings.Contains(o.log.String(), "Unknown provider type: graphite; metrics disabled"))
		o.shutdown()
	}
}

func TestAStatsdServerThatCannotBeReachedEndsTheStart(t *testing.T) {
	n := newNetwork(t)
	o := n.launchChanged(0, "", func(c *localconfig.TopLevel) {
		c.Metrics = localconfig.Metrics{Provider: "statsd", Statsd: localconfig.Statsd{Network: "tcp", Address: "127.0.0.1:1"}}
	})
	<-o.ended
	require.ErrorContains(t, o.err, "failed to start operations subsystem: ")
}
