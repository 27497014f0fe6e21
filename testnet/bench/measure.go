package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	"golang.org/x/sync/errgroup"
	protov2 "google.golang.org/protobuf/proto"

	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
)

func protoV2(m proto.Message) protov2.Message { return proto.MessageV2(m) }

// drainTimeout bounds the wait for what is under way when sending has ended.
const drainTimeout = 30 * time.Second

var errUnsettled = errors.New("acknowledged transactions did not arrive")

// measure puts the load on the running network.
func (s *subject) measure(ctx context.Context, number int) (*Round, error) {
	pool := dial.New(s.net.Inventory.Orderers, nil)
	defer pool.Close() //nolint:errcheck // nothing is lost with a connection
	reader, err := client(s.net)
	if err != nil {
		return nil, err
	}
	if err := awaitOrdering(ctx, pool, reader); err != nil {
		return nil, err
	}
	nodes := s.net.OrdererNames()
	head, err := deliver.New(pool, reader).Newest(ctx, nodes[0], channel)
	if err != nil {
		return nil, err
	}
	procs, err := processes(ctx, s.net)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := newLoad(pool, s.txs, s.o.Streams, s.o.Window)
	l.begin = time.Now()
	follow, err := l.follow(ctx, nodes[0], head.Header.Number+1, reader)
	if err != nil {
		return nil, err
	}
	run, runCtx := errgroup.WithContext(ctx)
	run.Go(follow)
	var streams errgroup.Group
	for i := range s.o.Streams {
		streams.Go(func() error { return l.stream(runCtx, i) })
	}
	m := &Round{Number: number, Engine: s.engine, Consensus: s.o.Consensus}
	run.Go(func() error {
		defer cancel() // ends follow
		err := s.clock(runCtx, l, procs, m)
		close(l.stop)
		return errors.Join(err, streams.Wait(), drain(runCtx, l))
	})
	if err := run.Wait(); err != nil {
		return nil, err
	}
	m.Acknowledged, m.Committed = l.acked.Load(), l.committed.Load()
	m.summarize(l.latencies)
	return m, nil
}

// clock lets the warm-up and the measurement pass, and reads the counters at
// both ends of it.
func (s *subject) clock(ctx context.Context, l *load, procs []*process, m *Round) error {
	if err := pass(ctx, s.o.Warmup); err != nil {
		return err
	}
	before, err := usages(procs)
	if err != nil {
		return err
	}
	stop := s.startProfiles(ctx, m.Number)
	count := l.committed.Load()
	from := l.now()
	l.from.Store(from)
	if err := pass(ctx, s.o.Duration); err != nil {
		return err
	}
	to := l.now()
	l.to.Store(to)
	count = l.committed.Load() - count
	after, err := usages(procs)
	if err != nil {
		return err
	}
	m.Seconds = time.Duration(to - from).Seconds()
	m.TxPerSecond = float64(count) / m.Seconds
	for i, p := range procs {
		m.Processes = append(m.Processes, Usage{
			Name: p.name, CPUSeconds: after[i].cpu - before[i].cpu, RSSBytes: after[i].rss, PeakRSSBytes: after[i].peak,
		})
	}
	return stop()
}

func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// drain waits until everything that was acknowledged has arrived.
func drain(ctx context.Context, l *load) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for l.committed.Load() < l.acked.Load() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %d of %d", errUnsettled, l.acked.Load()-l.committed.Load(), l.acked.Load())
		case <-tick.C:
		}
	}
	return nil
}
