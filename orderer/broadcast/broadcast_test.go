package broadcast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/orderer/consensus"
	"raftmig/orderer/metrics"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
)

// testStream feeds messages and keeps the answers.
type testStream struct {
	ctx    context.Context
	cancel context.CancelFunc
	in     chan []byte // closed for EOF

	mu      sync.Mutex
	answers []*ab.BroadcastResponse
}

func newStream(t *testing.T, messages ...[]byte) *testStream {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s := &testStream{ctx: ctx, cancel: cancel, in: make(chan []byte, len(messages)+1)}
	for _, m := range messages {
		s.in <- m
	}
	return s
}

func (s *testStream) Context() context.Context { return s.ctx }
func (s *testStream) Address() string          { return "client" }

func (s *testStream) Recv() ([]byte, error) {
	select {
	case m, ok := <-s.in:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *testStream) Send(r *ab.BroadcastResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, r)
	return nil
}

// testChannel is a channel whose processor takes varying time.
type testChannel struct {
	chain   consensus.Chain
	process func(*protoutil.Message) error
	running atomic.Int32 // verifications at this moment
	most    atomic.Int32
}

func (c *testChannel) ChannelID() string      { return "ch" }
func (c *testChannel) Chain() consensus.Chain { return c.chain }
func (c *testChannel) ClassifyMsg(h *cb.ChannelHeader) msgprocessor.Classification {
	return msgprocessor.Classify(h)
}

func (c *testChannel) ProcessNormalMsg(m *protoutil.Message) (uint64, error) {
	n := c.running.Add(1)
	defer c.running.Add(-1)
	for old := c.most.Load(); n > old && !c.most.CompareAndSwap(old, n); old = c.most.Load() {
	}
	if c.process == nil {
		return 7, nil
	}
	return 7, c.process(m)
}

func (c *testChannel) ProcessConfigUpdateMsg(m *protoutil.Message) (*protoutil.Message, uint64, error) {
	return message(cb.HeaderType_CONFIG, "wrapped "+data(m)), 8, c.do(m)
}

func (c *testChannel) do(m *protoutil.Message) error {
	if c.process == nil {
		return nil
	}
	return c.process(m)
}

func (c *testChannel) ProcessConfigMsg(*protoutil.Message) (*protoutil.Message, uint64, error) {
	panic("not used by broadcast")
}

// testChain records what it is given to order.
type testChain struct {
	mu       sync.Mutex
	ordered  []string
	notReady error
	fail     func(data string) error
}

func (c *testChain) take(kind string, m *protoutil.Message, seq uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(data(m)); err != nil {
			return err
		}
	}
	c.ordered = append(c.ordered, fmt.Sprintf("%s %s %d", kind, data(m), seq))
	return nil
}

func (c *testChain) Order(m *protoutil.Message, seq uint64) error { return c.take("order", m, seq) }
func (c *testChain) Configure(m *protoutil.Message, seq uint64) error {
	return c.take("config", m, seq)
}
func (c *testChain) WaitReady() error         { return c.notReady }
func (c *testChain) Errored() <-chan struct{} { return nil }
func (c *testChain) Start()                   {}
func (c *testChain) Halt()                    {}

// asyncChain answers later, from other goroutines and in any order.
type asyncChain struct {
	testChain
	pending sync.WaitGroup
}

func (c *asyncChain) OrderAsync(m *protoutil.Message, seq uint64, done func(error)) {
	err := c.take("async", m, seq)
	c.pending.Go(func() {
		for range rand.IntN(100) {
			_ = rand.IntN(10)
		}
		done(err)
	})
}

func message(kind cb.HeaderType, text string) *protoutil.Message {
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: kind, ChannelID: "ch", Bytes: []byte(text)}, nil)
	if err != nil {
		panic(err)
	}
	return protoutil.NewMessage(env)
}

func data(m *protoutil.Message) string {
	p, err := protoutil.EnvelopePayload(m.Envelope)
	if err != nil {
		return err.Error()
	}
	return string(p.Data)
}

func newTestHandler(c *testChannel) *Handler {
	route := func(m *protoutil.Message) (*cb.ChannelHeader, bool, Channel, error) {
		h, err := protoutil.ChannelHeader(m.Envelope)
		if err != nil {
			return nil, false, nil, fmt.Errorf("could not determine channel ID: %w", err)
		}
		switch msgprocessor.Classify(h) {
		case msgprocessor.ConfigMsg:
			return h, false, nil, errors.New("message is of type that cannot be processed directly")
		case msgprocessor.ConfigUpdateMsg:
			return h, true, c, nil
		}
		return h, false, c, nil
	}
	return NewHandler(route, NewMetrics(metrics.Disabled{}), zap.NewNop().Sugar())
}

// However long each verification takes and whichever way the consenter
// answers, messages are ordered and answered in the order of arrival.
func TestMessagesAreOrderedInTheOrderOfArrival(t *testing.T) {
	const count = 1000
	for name, chain := range map[string]consensus.Chain{"sync": &testChain{}, "async": &asyncChain{}} {
		t.Run(name, func(t *testing.T) {
			var s *testStream
			var messages [][]byte
			var want []string
			kind := map[string]string{"sync": "order", "async": "async"}[name]
			for i := range count {
				switch {
				case i%97 == 5:
					messages = append(messages, message(cb.HeaderType_CONFIG_UPDATE, fmt.Sprint(i)).Bytes())
					want = append(want, fmt.Sprintf("config wrapped %d 8", i))
				default:
					messages = append(messages, message(cb.HeaderType_MESSAGE, fmt.Sprint(i)).Bytes())
					want = append(want, fmt.Sprintf("%s %d 7", kind, i))
				}
			}
			s = newStream(t, messages...)
			close(s.in)
			c := &testChannel{chain: chain, process: func(*protoutil.Message) error {
				for range rand.IntN(1000) {
					_ = rand.IntN(10)
				}
				return nil
			}}
			h := newTestHandler(c)
			require.NoError(t, h.Handle(s))
			require.Len(t, s.answers, count)
			for _, a := range s.answers {
				require.Equal(t, cb.Status_SUCCESS, a.Status)
				require.Empty(t, a.Info)
			}
			switch chain := chain.(type) {
			case *testChain:
				require.Equal(t, want, chain.ordered)
			case *asyncChain:
				chain.pending.Wait()
				require.Equal(t, want, chain.ordered)
			}
			require.LessOrEqual(t, int(c.most.Load()), cap(h.workers), "no more verifications at once than workers")
		})
	}
}

func TestARefusalEndsTheStreamAndNothingAfterItIsOrdered(t *testing.T) {
	for _, test := range []struct {
		name   string
		second *protoutil.Message
		raw    []byte
		err    error
		status cb.Status
		info   string
	}{
		{name: "validation", err: errors.New("bad"), status: cb.Status_BAD_REQUEST, info: "bad"},
		{name: "unknown channel", err: msgprocessor.ErrChannelDoesNotExist, status: cb.Status_NOT_FOUND, info: "channel does not exist"},
		{name: "policy", err: fmt.Errorf("x: %w", msgprocessor.ErrPermissionDenied), status: cb.Status_FORBIDDEN, info: "x: permission denied"},
		{name: "maintenance", err: fmt.Errorf("normal transactions are rejected: %w", msgprocessor.ErrMaintenanceMode), status: cb.Status_SERVICE_UNAVAILABLE, info: "normal transactions are rejected: maintenance mode"},
		{name: "config type", second: message(cb.HeaderType_ORDERER_TRANSACTION, "second"), status: cb.Status_BAD_REQUEST, info: "message is of type that cannot be processed directly"},
		{name: "no header", raw: []byte("\x0a\x00"), status: cb.Status_BAD_REQUEST, info: "could not determine channel ID: no header in payload"},
		{name: "no envelope", raw: []byte{1, 2, 3}, status: cb.Status_BAD_REQUEST, info: "could not determine channel ID: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			second := message(cb.HeaderType_MESSAGE, "second")
			if test.second != nil {
				second = test.second
			}
			raw := second.Bytes()
			if test.raw != nil {
				raw = test.raw
			}
			chain := &testChain{}
			c := &testChannel{chain: chain, process: func(m *protoutil.Message) error {
				if data(m) == "second" {
					return test.err
				}
				return nil
			}}
			s := newStream(t, message(cb.HeaderType_MESSAGE, "first").Bytes(), raw, message(cb.HeaderType_MESSAGE, "third").Bytes())
			require.NoError(t, newTestHandler(c).Handle(s), "the stream ends with gRPC OK")
			require.Len(t, s.answers, 2)
			require.Equal(t, cb.Status_SUCCESS, s.answers[0].Status)
			require.Equal(t, test.status, s.answers[1].Status)
			require.Contains(t, s.answers[1].Info, test.info)
			require.Equal(t, []string{"order first 7"}, chain.ordered)
		})
	}
}

func TestTheConsentersRefusalIsUnavailability(t *testing.T) {
	for _, kind := range []cb.HeaderType{cb.HeaderType_MESSAGE, cb.HeaderType_CONFIG_UPDATE} {
		s := newStream(t, message(kind, "a").Bytes())
		require.NoError(t, newTestHandler(&testChannel{chain: &testChain{notReady: errors.New("chain is not started")}}).Handle(s))
		require.Equal(t, []*ab.BroadcastResponse{{Status: cb.Status_SERVICE_UNAVAILABLE, Info: "chain is not started"}}, s.answers)

		fail := func(string) error { return errors.New("cannot enqueue") }
		for _, chain := range []consensus.Chain{&testChain{fail: fail}, &asyncChain{testChain: testChain{fail: fail}}} {
			s = newStream(t, message(kind, "a").Bytes())
			require.NoError(t, newTestHandler(&testChannel{chain: chain}).Handle(s))
			require.Equal(t, []*ab.BroadcastResponse{{Status: cb.Status_SERVICE_UNAVAILABLE, Info: "cannot enqueue"}}, s.answers)
		}
	}
}

// Answers do not wait for messages to come.
func TestEachAnswerLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t)
		done := make(chan error, 1)
		go func() { done <- newTestHandler(&testChannel{chain: &testChain{}}).Handle(s) }()
		for i := range 3 {
			s.in <- message(cb.HeaderType_MESSAGE, "x").Bytes()
			synctest.Wait()
			require.Len(t, s.answers, i+1)
		}
		s.cancel()
		require.ErrorContains(t, <-done, "context canceled")
	})
}

func TestAPanicEndsTheStreamOnly(t *testing.T) {
	h := newTestHandler(&testChannel{chain: &testChain{}, process: func(*protoutil.Message) error { panic("oops") }})
	s := newStream(t, message(cb.HeaderType_MESSAGE, "x").Bytes())
	require.ErrorIs(t, h.Handle(s), errBroken)
	require.Empty(t, s.answers)
}

// A stream may hold at most the bytes that it is allowed, plus one message.
func TestBytesAheadAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		c := &testChannel{chain: &testChain{}, process: func(*protoutil.Message) error { <-gate; return nil }}
		big := protoutil.NewMessage(&cb.Envelope{Payload: make([]byte, maxAheadBytes/2)}).Bytes()
		route := func(*protoutil.Message) (*cb.ChannelHeader, bool, Channel, error) {
			return &cb.ChannelHeader{ChannelId: "ch"}, false, c, nil
		}
		h := NewHandler(route, NewMetrics(metrics.Disabled{}), zap.NewNop().Sugar())
		s := newStream(t, big, big, big, big)
		close(s.in)
		done := make(chan error, 1)
		go func() { done <- h.Handle(s) }()
		synctest.Wait()
		require.Len(t, s.in, 2, "one is under way, one received and waiting for room")
		close(gate)
		require.NoError(t, <-done)
		require.Len(t, s.answers, 4)
	})
}

func TestLabelsDoNotComeFromClients(t *testing.T) {
	c := &testChannel{}
	require.Equal(t, labels{"ch", "MESSAGE"}, labelsOf(&cb.ChannelHeader{ChannelId: "ch"}, c))
	require.Equal(t, labels{"unknown", "CONFIG_UPDATE"}, labelsOf(&cb.ChannelHeader{ChannelId: "made up", Type: 2}, c))
	require.Equal(t, labels{"unknown", "unknown"}, labelsOf(&cb.ChannelHeader{ChannelId: "ch", Type: 4711}, nil))
	require.Equal(t, labels{"unknown", "unknown"}, labelsOf(nil, nil))
}

// heldChain answers when it is told to.
type heldChain struct {
	testChain
	held chan func(error)
}

func (c *heldChain) OrderAsync(_ *protoutil.Message, _ uint64, done func(error)) { c.held <- done }

func TestAClosedHandlerWaitsForAnswersAndRefusesWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := &heldChain{held: make(chan func(error), 1)}
		h := newTestHandler(&testChannel{chain: chain})
		before := newStream(t, message(cb.HeaderType_MESSAGE, "before").Bytes())
		go func() { _ = h.Handle(before) }()
		done := <-chain.held

		closed := make(chan struct{})
		go func() {
			defer close(closed)
			h.Close(t.Context())
		}()
		synctest.Wait()
		after := newStream(t, message(cb.HeaderType_MESSAGE, "after").Bytes())
		require.NoError(t, h.Handle(after))
		require.Len(t, after.answers, 1)
		require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, after.answers[0].Status)
		select {
		case <-closed:
			t.Fatal("closed although a message is not answered")
		default:
		}
		done(nil)
		<-closed
		close(before.in)
		synctest.Wait()
		require.Len(t, before.answers, 1)
		require.Equal(t, cb.Status_SUCCESS, before.answers[0].Status)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.True(t, h.underway.CompareAndSwap(0, 1), "a consenter that never answers")
		h.Close(ctx)
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
	})
}
