package bench

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"raftmig/fabricops/dial"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/protoutil"
)

// fakeOrderer puts every transaction into a block of its own.
type fakeOrderer struct {
	ab.UnimplementedAtomicBroadcastServer
	blocks chan *cb.Block
	// copies is how often the transaction with that number, counted from 1, is put into a block.
	copies func(number int) int
	// status answers it.
	status func(number int) cb.Status

	mu    sync.Mutex
	count int
}

func (f *fakeOrderer) Broadcast(s ab.AtomicBroadcast_BroadcastServer) error {
	for {
		env, err := s.Recv()
		if err != nil {
			return nil
		}
		f.mu.Lock()
		f.count++
		number := f.count
		f.mu.Unlock()
		for range f.copies(number) {
			f.blocks <- &cb.Block{Data: &cb.BlockData{Data: [][]byte{protoutil.MustMarshal(env)}}}
		}
		if err := s.Send(&ab.BroadcastResponse{Status: f.status(number)}); err != nil {
			return err
		}
	}
}

func (f *fakeOrderer) Deliver(s ab.AtomicBroadcast_DeliverServer) error {
	if _, err := s.Recv(); err != nil {
		return err
	}
	for {
		select {
		case block := <-f.blocks:
			if err := s.Send(&ab.DeliverResponse{Type: &ab.DeliverResponse_Block{Block: block}}); err != nil {
				return err
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

// runLoad puts a load on f until enough has arrived, or it fails.
func runLoad(t *testing.T, f *fakeOrderer, enough int64) (*load, error) {
	t.Helper()
	f.blocks = make(chan *cb.Block, 1000)
	if f.copies == nil {
		f.copies = func(int) int { return 1 }
	}
	if f.status == nil {
		f.status = func(int) cb.Status { return cb.Status_SUCCESS }
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	ab.RegisterAtomicBroadcastServer(server, f)
	go func() { _ = server.Serve(listener) }() // ends when stopped
	t.Cleanup(server.Stop)

	pool := dial.New([]inventory.Orderer{{Process: inventory.Process{Name: "o", Address: listener.Addr().String()}}}, nil)
	t.Cleanup(func() { _ = pool.Close() })
	const streams, window, slots = 2, 4, 10
	txs := make([][]byte, streams*slots)
	for i := range txs {
		env, err := transaction(nil, uint64(i), 20)
		require.NoError(t, err)
		txs[i] = protoutil.MustMarshal(env)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	l := newLoad(pool, txs, streams, window)
	l.begin = time.Now()
	l.from.Store(0)
	follow, err := l.follow(ctx, "o", 0, nil)
	require.NoError(t, err)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(follow)
	var sending errgroup.Group
	for i := range streams {
		sending.Go(func() error { return l.stream(gctx, i) })
	}
	g.Go(func() error {
		defer cancel()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for l.committed.Load() < enough && gctx.Err() == nil {
			select {
			case <-tick.C:
			case <-gctx.Done():
			}
		}
		close(l.stop)
		if err := sending.Wait(); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(gctx, 200*time.Millisecond)
		defer cancel()
		return drain(short, l)
	})
	return l, g.Wait()
}

func TestEveryTransactionIsCountedOnceEachTimeItIsSent(t *testing.T) {
	l, err := runLoad(t, &fakeOrderer{}, 500)
	require.NoError(t, err)
	require.GreaterOrEqual(t, l.committed.Load(), int64(500))
	require.Equal(t, l.acked.Load(), l.committed.Load())
	require.EqualValues(t, l.committed.Load(), len(l.latencies))
	for _, ns := range l.latencies {
		require.Positive(t, ns)
	}
}

func TestAnAcknowledgedTransactionThatDoesNotArriveIsNoResult(t *testing.T) {
	_, err := runLoad(t, &fakeOrderer{copies: func(n int) int {
		if n == 37 {
			return 0
		}
		return 1
	}}, 38)
	require.ErrorContains(t, err, "arrive") // at the end, or when it is its turn again
}

func TestATransactionThatArrivesTwiceIsNoResult(t *testing.T) {
	_, err := runLoad(t, &fakeOrderer{copies: func(n int) int {
		if n == 37 {
			return 2
		}
		return 1
	}}, 500)
	require.ErrorContains(t, err, "arrived twice")
}

func TestARefusalIsNoResult(t *testing.T) {
	_, err := runLoad(t, &fakeOrderer{status: func(n int) cb.Status {
		if n == 5 {
			return cb.Status_FORBIDDEN
		}
		return cb.Status_SUCCESS
	}}, 500)
	require.ErrorContains(t, err, "refused a transaction: FORBIDDEN")
}
