package statsd

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"raftmig/orderer/metrics"
)

// Names as Fabric documents them (its "Metrics Reference", StatsD), and its
// namer's rules for label values.
func TestNames(t *testing.T) {
	for _, tc := range []struct {
		opts   metrics.Opts
		labels map[string]string
		want   string
	}{
		{metrics.Opts{Name: "alone"}, nil, "alone"},
		{metrics.Opts{Namespace: "deliver", Name: "streams_opened"}, nil, "deliver.streams_opened"},
		{metrics.Opts{Subsystem: "sub", Name: "n"}, nil, "sub.n"},
		{
			metrics.Opts{Namespace: "consensus", Subsystem: "etcdraft", Name: "is_leader", StatsdFormat: "%{#fqname}.%{channel}"},
			map[string]string{"channel": "ch1"}, "consensus.etcdraft.is_leader.ch1",
		},
		{
			metrics.Opts{Namespace: "deliver", Name: "blocks_sent", StatsdFormat: "%{#fqname}.%{channel}.%{filtered}.%{data_type}"},
			map[string]string{"channel": "my.ch", "filtered": "false", "data_type": "block"}, "deliver.blocks_sent.my_ch.false.block",
		},
		{
			metrics.Opts{Namespace: "cluster", Subsystem: "comm", Name: "msg_send_time", StatsdFormat: "%{#fqname}.%{host}.%{channel}"},
			map[string]string{"host": "a.b:7050 |", "channel": "ch1"}, "cluster.comm.msg_send_time.a_b_7050__.ch1",
		},
		{metrics.Opts{Namespace: "ns", Subsystem: "s", Name: "n", StatsdFormat: "x.%{#name}.%{#subsystem}.%{#namespace}.y"}, nil, "x.n.s.ns.y"},
		{metrics.Opts{Name: "n", StatsdFormat: "%{#fqname}.%{channel}"}, nil, "n.unknown"},
		{metrics.Opts{Name: "n", StatsdFormat: "%{#fqname}.%{channel}"}, map[string]string{"channel": "%{#name}"}, "n.%{#name}"},
	} {
		require.Equal(t, tc.want, bucket(tc.opts, tc.labels))
	}
}

// use makes one metric of each kind and uses it.
func use(p metrics.Provider) {
	c := p.NewCounter(metrics.Opts{Namespace: "c", Name: "n", LabelNames: []string{"a", "b"}, StatsdFormat: "%{#fqname}.%{a}.%{b}"})
	c.With("b", "2").With("a", "1").Add(2)
	c.With("a", "1", "b", "2").Add(0.5)
	g := p.NewGauge(metrics.Opts{Namespace: "g", Name: "n"})
	g.Set(7)
	g.Add(-2)
	p.NewGauge(metrics.Opts{Namespace: "g", Name: "n"}).Add(1)
	h := p.NewHistogram(metrics.Opts{Namespace: "h", Name: "n", LabelNames: []string{"a"}, StatsdFormat: "%{#fqname}.%{a}"})
	h.With("a", "x").Observe(0.25)
	h.With("a", "x").Observe(3)
}

var used = []string{"c.n.1.2:2.500000|c", "g.n:6.000000|g", "h.n.x:0.250000|ms", "h.n.x:3.000000|ms"}

// packets reads what comes until all of want have come, and returns all.
func packets(t *testing.T, read func() (string, error), want []string) []string {
	t.Helper()
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	var got []string
	for len(missing) > 0 {
		line, err := read()
		require.NoError(t, err, "still missing: %v", missing)
		line = strings.TrimSuffix(line, "\n")
		got = append(got, line)
		delete(missing, line)
	}
	return got
}

func TestMetricsAreSentOverUDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	require.NoError(t, server.SetReadDeadline(time.Now().Add(time.Minute)))
	read := func() (string, error) {
		buf := make([]byte, 1<<16)
		n, _, err := server.ReadFrom(buf)
		return string(buf[:n]), err
	}
	for _, tc := range []struct{ prefix, want string }{{"", ""}, {"org", "org."}, {"org.orderer.", "org.orderer."}} {
		t.Run("prefix "+tc.prefix, func(t *testing.T) {
			p, err := New(Options{Network: "udp", Address: server.LocalAddr().String(), WriteInterval: 5 * time.Millisecond, Prefix: tc.prefix, Logger: zap.NewNop().Sugar()})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); p.Run(ctx) }()
			defer func() { cancel(); <-done }()
			// packets may be lost, so what is waited for is caused again and again
			await := func(cause func(), prefix, suffix string) {
				t.Helper()
				for line := ""; !strings.HasPrefix(line, tc.want+prefix) || !strings.HasSuffix(line, suffix+"\n"); {
					cause()
					line, err = read()
					require.NoError(t, err, "%s…%s", prefix, suffix)
				}
			}
			g := p.NewGauge(metrics.Opts{Name: "level"})
			await(func() { g.Set(40) }, "level:40.000000", "|g")
			g.Add(2) // the value outlives a write
			await(func() { g.Add(0) }, "level:42.000000", "|g")
			c := p.NewCounter(metrics.Opts{Name: "c"})
			await(func() { c.Add(1) }, "c:", ".000000|c")
			await(func() {}, "go.mem.gc_pause_last_ns:", "|g")
		})
	}
}

func TestWhatIsLeftIsSentAtTheEndOverTCP(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	p, err := New(Options{Network: "tcp", Address: server.Addr().String(), WriteInterval: time.Hour, Prefix: "x", Logger: zap.NewNop().Sugar()})
	require.NoError(t, err)
	probe, err := server.Accept() // New looks whether there is a server
	require.NoError(t, err)
	_, err = probe.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	use(p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(ctx)
	c, err := server.Accept()
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	lines := bufio.NewReader(c)
	var want []string
	for _, line := range used {
		want = append(want, "x."+line)
	}
	require.ElementsMatch(t, want, packets(t, func() (string, error) { return lines.ReadString('\n') }, want))
}

func TestAServerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	core, logs := observer.New(zap.WarnLevel)
	p, err := New(Options{Network: "tcp", Address: address, Logger: zap.New(core).Sugar()})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	use(p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(ctx)
	require.NotZero(t, logs.FilterMessageSnippet("Could not send metrics to "+address).Len())
	_, err = New(Options{Network: "tcp", Address: address})
	require.ErrorContains(t, err, "connection refused")
}

// A server over TCP that takes nothing any more must not keep the process from
// ending, nor have it keep all that was measured since.
func TestAServerThatTakesNothingIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	core, log := observer.New(zap.WarnLevel)
	p, err := New(Options{Network: "tcp", Address: l.Addr().String(), WriteInterval: time.Millisecond, Logger: zap.New(core).Sugar()})
	require.NoError(t, err)
	p.patience = 50 * time.Millisecond
	h := p.NewHistogram(metrics.Opts{Name: "much", LabelNames: []string{"l"}, StatsdFormat: "%{#fqname}.%{l}"}).With("l", strings.Repeat("x", 1<<16))
	for range 1000 { // more than the buffers of both ends take
		h.Observe(1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	require.Eventually(t, func() bool { return log.FilterMessageSnippet("Could not send metrics").Len() > 0 }, 30*time.Second, time.Millisecond)
	cancel()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		require.Fail(t, "Run does not end")
	}
}
