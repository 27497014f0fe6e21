package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"raftmig/fabricops/inventory"
	"raftmig/testnet"
)

// Consensus types that can be measured.
const (
	Raft  = "etcdraft"
	Kafka = "kafka"
)

// Engine names whose orderers a round measured.
type Engine string

// The engines.
const (
	Ours   Engine = "raftmig"
	Fabric Engine = "fabric"
)

// Options describe a measurement. Zero values take the defaults named.
type Options struct {
	Dir       string        // folder for the networks; it must be empty or absent, and is left to the caller
	Consensus string        // Raft (default) or Kafka
	Orderers  int           // default 3
	Streams   int           // default 16, spread over the orderers
	Window    int           // transactions under way per stream, default 128
	Size      int           // bytes of a transaction's content, default 1024
	Rounds    int           // of each engine, default 1
	Duration  time.Duration // of a round's measurement, default 10s
	Warmup    time.Duration // before it, default 2s
	// BatchTimeout and MaxMessageCount cut blocks; default 200ms and 500.
	BatchTimeout    time.Duration
	MaxMessageCount uint32
	// FabricOrderer is a real Fabric orderer to compare with; "" for none.
	FabricOrderer string
	// Program is the raftmig that the nodes run; "" for the one that runs now.
	Program string
	// ProfileDir is a folder for CPU and heap profiles of each node and round; "" for none.
	ProfileDir string
	// Say is told what happens; it may be nil.
	Say func(text string)
}

func (o Options) withDefaults() Options {
	orDefault(&o.Consensus, Raft)
	orDefault(&o.Orderers, 3)
	orDefault(&o.Streams, 16)
	orDefault(&o.Window, 128)
	orDefault(&o.Size, 1024)
	orDefault(&o.Rounds, 1)
	orDefault(&o.Duration, 10*time.Second)
	orDefault(&o.Warmup, 2*time.Second)
	orDefault(&o.BatchTimeout, 200*time.Millisecond)
	orDefault(&o.MaxMessageCount, 500)
	if o.Say == nil {
		o.Say = func(string) {}
	}
	return o
}

func orDefault[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

func (o *Options) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Consensus != Raft && o.Consensus != Kafka {
		bad("consensus %q: %s or %s can be measured", o.Consensus, Raft, Kafka)
	}
	if o.Dir == "" {
		bad("a measurement needs a folder")
	}
	if o.Streams < 0 || o.Window < 0 || o.Rounds < 0 || o.Orderers < 0 {
		bad("numbers must not be negative")
	}
	if o.Size < indexSize {
		bad("a transaction of %d bytes: at least %d are needed", o.Size, indexSize)
	}
	if o.Duration < 0 || o.Warmup < 0 || o.BatchTimeout < 0 {
		bad("times must not be negative")
	}
	return errors.Join(errs...)
}

// Run measures and returns the rounds in the order in which they ran, together
// with the error that ended them, if any. No process is left behind.
func Run(ctx context.Context, o Options) (*Result, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	engines := []Engine{Ours}
	if o.FabricOrderer != "" {
		engines = append(engines, Fabric)
	}
	if o.ProfileDir != "" {
		if err := os.MkdirAll(o.ProfileDir, 0o755); err != nil {
			return nil, err
		}
	}
	r := newResult(&o)
	subjects := map[Engine]*subject{}
	for round := 1; round <= o.Rounds; round++ {
		for _, e := range engines {
			s := subjects[e]
			if s == nil {
				var err error
				if s, err = newSubject(&o, e); err != nil {
					return r, fmt.Errorf("%s: %w", e, err)
				}
				subjects[e] = s
			}
			m, err := s.round(ctx, round)
			if err != nil {
				return r, fmt.Errorf("%s, round %d: %w", e, round, err)
			}
			r.Rounds = append(r.Rounds, *m)
			o.Say(m.String())
		}
	}
	r.sum()
	return r, nil
}

// subject is the network of one engine with its signed transactions.
type subject struct {
	o      *Options
	engine Engine
	net    *testnet.Network
	txs    [][]byte // encoded envelopes
	pprof  map[string]string
}

// channel is the application channel that is measured.
const channel = "bench"

func newSubject(o *Options, e Engine) (*subject, error) {
	s := &subject{o: o, engine: e}
	spec := testnet.Spec{
		Consensus: o.Consensus, Raft: inventory.Raft{TickInterval: 500 * time.Millisecond}, // Fabric's own
		Channels: []string{channel}, Orderers: o.Orderers, BatchTimeout: o.BatchTimeout,
		MaxMessageCount: o.MaxMessageCount, Program: o.Program,
	}
	if e == Fabric {
		spec.OrdererBin = o.FabricOrderer
	}
	var err error
	if s.net, err = testnet.Init(filepath.Join(o.Dir, string(e)+"-"+o.Consensus), spec); err != nil {
		return nil, err
	}
	if o.ProfileDir != "" {
		if s.pprof, err = enableProfiles(s.net); err != nil {
			return nil, err
		}
	}
	o.Say(fmt.Sprintf("%s: signing %d transactions", e, o.Streams*o.slots()))
	s.txs, err = sign(s.net, o.Streams*o.slots(), o.Size)
	return s, err
}

// slots is the number of different transactions of a stream: more than may be
// under way, so that one is settled before it is sent again.
func (o *Options) slots() int { return max(2*o.Window, 1000) }

// round starts the network, measures, and stops it.
func (s *subject) round(ctx context.Context, number int) (m *Round, err error) {
	defer func() {
		down := s.net.Down(context.WithoutCancel(ctx), nil)
		if err == nil && down != nil {
			m, err = nil, down
		}
	}()
	s.o.Say(fmt.Sprintf("%s, round %d: starting %d orderers (%s)", s.engine, number, s.o.Orderers, s.o.Consensus))
	if err := s.net.Up(ctx, nil); err != nil {
		return nil, err
	}
	if err := s.net.CreateChannels(ctx, nil); err != nil {
		return nil, err
	}
	if err := requireConsensus(ctx, s.net, s.o.Consensus); err != nil {
		return nil, err
	}
	return s.measure(ctx, number)
}
