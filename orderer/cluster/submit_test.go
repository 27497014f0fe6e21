package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/comm"
	"raftmig/orderer/metrics"
	"raftmig/orderer/protoutil"
)

func (p *testPeer) set(refuse error, block chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse, p.block = refuse, block
}

// connect waits for the connection from a to b.
func connect(t *testing.T, a, b *testPeer) {
	t.Helper()
	join("ch1", a, b)
	a.sendConsensus(t, "ch1", b.id, "hello")
	b.receive(t)
}

// submitLater sends a transaction and returns where its outcome will be.
func (p *testPeer) submitLater(to uint64, text string) chan error {
	done := make(chan error, 2)
	p.comm.RPC("ch1").SendSubmit(to, protoutil.NewMessage(&cb.Envelope{Payload: []byte(text)}), 3, func(err error) { done <- err })
	return done
}

func pending(t *testing.T, outcomes ...chan error) {
	t.Helper()
	for _, o := range outcomes {
		require.Never(t, func() bool { return len(o) > 0 }, 50*time.Millisecond, 5*time.Millisecond, "answered too early")
	}
}

func TestATransactionIsReportedWhenItWasTaken(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	connect(t, a, b)
	block := make(chan struct{})
	b.set(nil, block)
	one, two := a.submitLater(2, "one"), a.submitLater(2, "two")
	pending(t, one, two)
	close(block)
	b.set(nil, nil)
	require.NoError(t, <-one)
	require.NoError(t, <-two)
	for _, want := range []string{"one", "two"} {
		got := b.receive(t)
		require.Equal(t, want, string(got.submit.Payload))
		require.EqualValues(t, 3, got.configSeq)
	}
	for i := range 500 { // many under way; answers stand for several
		o := a.submitLater(2, fmt.Sprint(i))
		if i%100 == 0 {
			require.NoError(t, <-o)
		}
	}
}

// Fabric's orderers know orderer.Cluster only, and answer nothing there.
func TestATransactionForFabricIsReportedWhenItWasWritten(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newFabricPeer(t, ca, 2)
	connect(t, a, b)
	block := make(chan struct{})
	b.set(nil, block)
	require.NoError(t, <-a.submitLater(2, "one"))
	close(block)
	require.Equal(t, "one", string(b.receive(t).submit.Payload))
}

func TestARefusedTransactionIsWithNobody(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	connect(t, a, b)
	require.NoError(t, <-a.submitLater(2, "one"))
	b.set(errors.New("I do not lead"), nil)
	err := <-a.submitLater(2, "two")
	require.ErrorIs(t, err, ErrNotTaken)
	require.EqualError(t, err, "I do not lead")
	b.set(nil, nil)
	eventually(t, func() bool { return <-a.submitLater(2, "three") == nil }, "the next one starts a new stream")
	require.Equal(t, "one", string(b.receive(t).submit.Payload))
	require.Equal(t, "three", string(b.receive(t).submit.Payload))
}

func TestAChannelThatEndsAnswersWhatItHasTakenAndRefusesTheRest(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	b.ending = make(chan struct{})
	connect(t, a, b)
	block := make(chan struct{})
	b.set(nil, block)
	var outcomes []chan error
	for i := range 20 {
		outcomes = append(outcomes, a.submitLater(2, fmt.Sprint(i)))
	}
	pending(t, outcomes[0])
	close(b.ending) // while the first is being taken
	pending(t, outcomes[0], outcomes[19])
	close(block)
	require.NoError(t, <-outcomes[0])
	require.Equal(t, "0", string(b.receive(t).submit.Payload))
	for _, o := range outcomes[1:] {
		require.ErrorIs(t, <-o, ErrNotTaken)
	}
	require.Empty(t, b.messages)
	require.ErrorIs(t, <-a.submitLater(2, "late"), ErrNotTaken)
	require.Empty(t, b.messages)
}

func TestWhatWasWrittenToANodeThatDiesIsUncertain(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	connect(t, a, b)
	block := make(chan struct{})
	b.set(nil, block)
	o := a.submitLater(2, "one")
	pending(t, o)
	stopped := make(chan struct{})
	go func() { b.server.Stop(); close(stopped) }()
	err := <-o
	close(block)
	<-stopped
	require.ErrorIs(t, err, ErrUncertain)
	require.NotErrorIs(t, err, ErrNotTaken)
}

func TestATransactionThatIsNotAnsweredInTimeIsGivenUpAlone(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, func(c *Config) { c.RPCTimeout = 300 * time.Millisecond }), newPeer(t, ca, 2, nil)
	connect(t, a, b)
	block := make(chan struct{})
	b.set(nil, block)
	began := time.Now()
	one := a.submitLater(2, "one")
	err := <-one
	require.ErrorIs(t, err, ErrRPCTimeout)
	require.ErrorIs(t, err, ErrUncertain)
	require.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
	two := a.submitLater(2, "two") // on the same stream
	close(block)
	require.NoError(t, <-two)
	require.Empty(t, one, "answered twice")
}

func TestAServerThatAnswersNonsenseIsNotBelieved(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	for name, answer := range map[string][]byte{
		"more than there were": encodeTaken(2), "no number": {0x0a, 0x00}, "nothing": nil, "noise": {0xff},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newPeer(t, ca, 1, nil), newFabricPeer(t, ca, 2)
			b.stopServer()
			b.restart(t, func(s *grpc.Server) {
				desc := submitDesc
				desc.Handler = func(_ any, stream grpc.ServerStream) error {
					_ = stream.SendHeader(metadata.Pairs(answersKey, "1"))
					var in comm.Received
					_ = stream.RecvMsg(&in)
					_ = stream.SendMsg(comm.Parts{answer})
					<-stream.Context().Done()
					return nil
				}
				s.RegisterService(&grpc.ServiceDesc{ServiceName: submitService, HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc}}, nil)
			})
			connect(t, a, b)
			require.ErrorIs(t, <-a.submitLater(2, "one"), ErrUncertain)
		})
	}
}

func TestWhoMayNotSubmitIsRefused(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	for _, tc := range []struct {
		name  string
		setUp func(a, b *testPeer)
		on    string // the channel that the stream is for
		of    string // and that of the transaction
		want  string
	}{
		{"a node that the channel does not know", func(a, b *testPeer) {
			a.comm.Configure("ch1", []RemoteNode{b.node()})
			b.comm.Configure("ch1", nil)
		}, "ch1", "ch1", "certificate extracted from TLS connection isn't authorized"},
		{"a channel that does not exist", func(a, b *testPeer) { join("ch1", a, b) }, "ch2", "ch2", "channel ch2 doesn't exist"},
		{"no channel", func(a, b *testPeer) { join("ch1", a, b) }, "", "", "badly formatted message, cannot extract channel"},
		{"another channel", func(a, b *testPeer) { join("ch1", a, b); join("ch2", a, b) }, "ch1", "ch2", errOtherChannel.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
			tc.setUp(a, b)
			r, err := a.comm.remote("ch1", 2)
			require.NoError(t, err)
			eventually(t, func() bool { return r.conn.GetState().String() == "READY" }, "no connection")
			rpc, err := openSubmit(t.Context(), r.conn, tc.on)
			if err == nil {
				require.NoError(t, rpc.SendMsg(submitParts(tc.of, 0, protoutil.NewMessage(&cb.Envelope{Payload: []byte("x")}))))
				err = endOf(rpc.RecvMsg(&comm.Received{}))
			}
			require.ErrorIs(t, err, ErrNotTaken)
			require.EqualError(t, err, tc.want)
			require.Empty(t, b.messages)
		})
	}
}

// A sender may find a place in the queue of a stream that has been ended, between
// the last look at the queue and the end of the stream.
func TestWhatIsQueuedBehindTheEndOfAStreamIsRefusedAtOnce(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
	ends, read := make(chan struct{}), make(chan struct{})
	b.atEnd = func() { close(ends); <-read }
	connect(t, a, b)
	require.NoError(t, <-a.submitLater(2, "one"))
	s, err := a.comm.RPC("ch1").submitStream(2)
	require.NoError(t, err)
	a.comm.RPC("ch1").SubmitOnlyTo(0)
	<-ends
	late := make(chan error, 1)
	s.queue <- outgoing{report: func(err error) { late <- err }}
	select {
	case err := <-late:
		require.ErrorIs(t, err, ErrNotTaken)
	case <-time.After(patience):
		t.Error("not answered while the other side has not read everything")
	}
	close(read)
	<-s.ended
}

// endedStream is one whose server has ended it.
type endedStream struct{ grpc.ClientStream }

func (endedStream) SendMsg(any) error { return io.EOF }

func TestWhatComesToAStreamThatHasEndedIsWithNobody(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &stream{
		kind: transactionMessages, ctx: ctx, cancel: cancel, timeout: time.Minute, answers: newAnswers(time.Minute),
		queueLength: metrics.Disabled{}.NewGauge(metrics.Opts{}), onUse: func() {},
	}
	broken := uncertain(errors.New("connection reset"))
	cancel(broken)
	s.answers.end(broken)
	var got error
	require.False(t, s.write(endedStream{}, outgoing{report: func(err error) { got = err }}, time.NewTimer(time.Hour)))
	require.ErrorIs(t, got, ErrNotTaken)
	require.NotErrorIs(t, got, ErrUncertain)
}

func TestMessagesThatWereAnsweredAreLetGo(t *testing.T) {
	a := newAnswers(time.Minute)
	require.True(t, a.await(func(error) {}))
	require.True(t, a.await(func(error) {}))
	all := a.waiting
	require.NoError(t, a.taken(1))
	require.Nil(t, all[0].report, "an idle stream would keep the message")
	require.NotNil(t, all[1].report)
	a.end(errStreamClosed)
	require.Nil(t, all[1].report)
}

// A leader cuts a block when a stream ends in order. One who is no consenter any
// more is not to have that at hand for ever.
func TestTheEndOfAStreamCountsOnlyFromThoseWhoMaySubmit(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	for _, fabric := range []bool{false, true} {
		for _, tc := range []struct {
			name  string
			sends bool
			later map[string]former
			want  int32
		}{
			{"a former consenter in its time", true, nil, 1},
			{"one whose time is over", true, map[string]former{}, 0},
			{"one who sent nothing", false, nil, 0},
		} {
			t.Run(fmt.Sprintf("%s, on a stream of Fabric's: %v", tc.name, fabric), func(t *testing.T) {
				a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
				if fabric {
					b = newFabricPeer(t, ca, 2)
				}
				var ends atomic.Int32
				b.atEnd = func() { ends.Add(1) }
				connect(t, a, b)
				if tc.sends {
					require.NoError(t, <-a.submitLater(2, "one"))
					b.receive(t)
				}
				s, err := a.comm.RPC("ch1").submitStream(2)
				require.NoError(t, err)
				b.comm.Configure("ch1", nil)
				if tc.later != nil {
					b.comm.mu.Lock()
					b.comm.channels["ch1"].former = tc.later
					b.comm.mu.Unlock()
				}
				s.finish()
				<-s.ended
				require.Equal(t, tc.want, ends.Load())
			})
		}
	}
}

// A node that was removed may be hostile: however many streams it opens, those of
// others have their turn.
func TestAFormerConsenterHasOneTransactionTakenAtATime(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	for _, fabric := range []bool{false, true} {
		t.Run(fmt.Sprintf("on a stream of Fabric's: %v", fabric), func(t *testing.T) {
			a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
			if fabric {
				b = newFabricPeer(t, ca, 2)
			}
			connect(t, a, b)
			b.comm.Configure("ch1", nil)
			block := make(chan struct{})
			b.set(nil, block)
			r, err := a.comm.remote("ch1", 2)
			require.NoError(t, err)
			for range 5 {
				r.mu.Lock()
				s := r.newStream(transactionMessages)
				r.mu.Unlock()
				require.NoError(t, s.send(outgoing{parts: submitParts("ch1", 3, protoutil.NewMessage(&cb.Envelope{Payload: []byte("x")}))}))
			}
			eventually(t, func() bool { return b.submitting.Load() > 0 }, "none is taken")
			require.Never(t, func() bool { return b.submitting.Load() > 1 }, 100*time.Millisecond, 5*time.Millisecond, "more than one at a time")
			b.comm.mu.Lock()
			f := b.comm.channels["ch1"].former
			for key, one := range f {
				one.until = time.Now() // while four wait
				f[key] = one
			}
			b.comm.mu.Unlock()
			close(block)
			require.Equal(t, "x", string(b.receive(t).submit.Payload))
			eventually(t, func() bool { return b.logs.FilterMessageSnippet("isn't authorized").Len() == 4 }, "the others are not refused")
			require.Empty(t, b.messages)
		})
	}
}

// What a consenter had on the way when it was removed, or got another key, was
// accepted. It is validated again, and nothing else is taken from it.
func TestTransactionsOfAFormerConsenterAreTakenForAWhile(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	for _, fabric := range []bool{false, true} {
		t.Run(fmt.Sprintf("on a stream of Fabric's: %v", fabric), func(t *testing.T) {
			a, b := newPeer(t, ca, 1, nil), newPeer(t, ca, 2, nil)
			if fabric {
				b = newFabricPeer(t, ca, 2)
			}
			connect(t, a, b)
			require.NoError(t, <-a.submitLater(2, "before"))
			require.EqualValues(t, 3, b.receive(t).configSeq)
			b.comm.Configure("ch1", nil)
			require.NoError(t, <-a.submitLater(2, "after"))
			got := b.receive(t)
			require.EqualValues(t, 1, got.sender)
			require.Zero(t, got.configSeq)
			_ = a.comm.RPC("ch1").SendConsensus(2, [][]byte{[]byte("x")}, nil)
			eventually(t, func() bool { return b.logs.FilterMessageSnippet("isn't authorized").Len() > 0 }, "consensus messages are not refused")
			require.Empty(t, b.messages)
		})
	}
	now := time.Now()
	old := &members{byClientKey: map[string]uint64{"1": 1, "2": 2}}
	gone := &members{former: formerOf(old, map[string]uint64{"2": 2}, now)}
	require.Len(t, gone.former, 1)
	require.EqualValues(t, 1, gone.former["1"].id)
	require.Equal(t, now.Add(formerPatience), gone.former["1"].until)
	require.Equal(t, gone.former, formerOf(gone, nil, now), "with the same turn")
	require.Empty(t, formerOf(gone, map[string]uint64{"1": 3}, now), "a consenter again")
	require.Len(t, formerOf(gone, nil, now.Add(formerPatience-1)), 1)
	require.Empty(t, formerOf(gone, nil, now.Add(formerPatience)))
}
