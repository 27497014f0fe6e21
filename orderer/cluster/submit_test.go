package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/comm"
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
	require.Equal(t, map[string]former{"1": {1, now.Add(formerPatience)}}, gone.former)
	require.Empty(t, formerOf(gone, map[string]uint64{"1": 3}, now), "a consenter again")
	require.Len(t, formerOf(gone, nil, now.Add(formerPatience-1)), 1)
	require.Empty(t, formerOf(gone, nil, now.Add(formerPatience)))
}
