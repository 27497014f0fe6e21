package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"raftmig/fabricops/dial"
	"raftmig/orderer/protoutil"
)

// slot is one of the transactions: when it was sent, in nanoseconds since the
// load began, 0 if it is not under way.
type slot struct{ sent atomic.Int64 }

// load is a load that is going on.
type load struct {
	pool    *dial.Pool
	nodes   []string
	txs     [][]byte
	slots   []slot
	windows []chan struct{} // per stream: one token for each transaction under way
	begin   time.Time
	stop    chan struct{} // closed when nothing more is to be sent

	acked, committed atomic.Int64
	// from and to bound the measurement, in nanoseconds since begin.
	from, to  atomic.Int64
	latencies []int64 // of what arrived in the measurement; the reader owns it
}

func newLoad(pool *dial.Pool, txs [][]byte, streams, window int) *load {
	l := &load{pool: pool, nodes: pool.Nodes(), txs: txs, slots: make([]slot, len(txs)), stop: make(chan struct{})}
	l.from.Store(math.MaxInt64)
	l.to.Store(math.MaxInt64)
	for range streams {
		l.windows = append(l.windows, make(chan struct{}, window))
	}
	return l
}

func (l *load) now() int64 { return int64(time.Since(l.begin)) }

// open opens a stream of the AtomicBroadcast service.
func (l *load) open(ctx context.Context, node, method string) (grpc.ClientStream, error) {
	conn, err := l.pool.Conn(node)
	if err != nil {
		return nil, err
	}
	desc := &grpc.StreamDesc{StreamName: method, ServerStreams: true, ClientStreams: true}
	s, err := conn.NewStream(ctx, desc, "/orderer.AtomicBroadcast/"+method, grpc.ForceCodecV2(rawCodec()))
	if err != nil {
		return nil, fmt.Errorf("%s: opening a %s stream: %w", node, method, err)
	}
	return s, nil
}

// stream sends the transactions of one stream until stop, and returns when all
// are answered.
func (l *load) stream(ctx context.Context, number int) error {
	node := l.nodes[number%len(l.nodes)]
	s, err := l.open(ctx, node, "Broadcast")
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.Go(func() error { return l.answers(s, node) })
	sendErr := l.send(ctx, s, number)
	if err := s.CloseSend(); err != nil && sendErr == nil {
		sendErr = err
	}
	if err := g.Wait(); err != nil {
		return err // it says why sending failed
	}
	return sendErr
}

func (l *load) send(ctx context.Context, s grpc.ClientStream, number int) error {
	perStream := len(l.txs) / len(l.windows)
	first := number * perStream
	for i := 0; ; i = (i + 1) % perStream {
		select {
		case l.windows[number] <- struct{}{}:
		case <-l.stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		if !l.slots[first+i].sent.CompareAndSwap(0, max(1, l.now())) {
			return fmt.Errorf("transaction %d has not arrived although as many sent after it have: it is lost", first+i)
		}
		if err := s.SendMsg(l.txs[first+i]); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
	}
}

// success is the encoding of a BroadcastResponse with the status SUCCESS.
var success = []byte{0x08, 0xc8, 0x01}

func (l *load) answers(s grpc.ClientStream, node string) error {
	var b []byte
	for {
		err := s.RecvMsg(&b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: reading an answer: %w", node, err)
		}
		if !bytes.Equal(b, success) {
			r := &ab.BroadcastResponse{}
			if err := proto.Unmarshal(b, protoV2(r)); err != nil {
				return fmt.Errorf("%s: %w", node, err)
			}
			return fmt.Errorf("%s refused a transaction: %s: %s", node, r.Status, r.Info)
		}
		l.acked.Add(1)
	}
}

// follow opens a Deliver stream for blocks to come; the function that it returns
// reads them until ctx ends.
func (l *load) follow(ctx context.Context, node string, from uint64, signer protoutil.Signer) (func() error, error) {
	s, err := l.open(ctx, node, "Deliver")
	if err != nil {
		return nil, err
	}
	at := func(number uint64) *ab.SeekPosition {
		return &ab.SeekPosition{Type: &ab.SeekPosition_Specified{Specified: &ab.SeekSpecified{Number: number}}}
	}
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_DELIVER_SEEK_INFO, ChannelID: channel, Time: time.Now(),
		Data: &ab.SeekInfo{Start: at(from), Stop: at(math.MaxUint64), Behavior: ab.SeekInfo_BLOCK_UNTIL_READY},
	}, signer)
	if err != nil {
		return nil, err
	}
	request, err := protoutil.Marshal(env)
	if err != nil {
		return nil, err
	}
	if err := s.SendMsg(request); err != nil {
		return nil, fmt.Errorf("%s: asking for blocks: %w", node, err)
	}
	return func() error {
		var b []byte
		for {
			if err := s.RecvMsg(&b); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("%s: reading blocks: %w", node, err)
			}
			if err := l.block(b); err != nil {
				return fmt.Errorf("%s: %w", node, err)
			}
		}
	}, nil
}

// block settles the transactions of a block.
func (l *load) block(response []byte) error {
	now := l.now()
	measured := now >= l.from.Load() && now < l.to.Load()
	perStream := uint64(len(l.txs) / len(l.windows))
	block, err := forEachContent(response, func(content []byte) error {
		i, err := indexOf(content)
		if err != nil {
			return err
		}
		if i == probe {
			return nil
		}
		if i >= uint64(len(l.slots)) {
			return fmt.Errorf("%w: a transaction that is not ours", errWire)
		}
		sent := l.slots[i].sent.Swap(0)
		if sent == 0 {
			return fmt.Errorf("transaction %d arrived twice", i)
		}
		if measured {
			l.latencies = append(l.latencies, now-sent)
		}
		l.committed.Add(1)
		<-l.windows[i/perStream]
		return nil
	})
	if err == nil && !block {
		err = fmt.Errorf("the node ended the delivery: % x", response)
	}
	return err
}
