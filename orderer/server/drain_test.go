package server

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"raftmig/orderer/protoutil"
)

// answered knows which messages were answered with SUCCESS.
type answered struct {
	mu    sync.Mutex
	texts []string
}

func (a *answered) add(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.texts = append(a.texts, text)
}

func (a *answered) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.texts)
}

// keepSending sends different messages over conn, many at a time, on a new
// stream each time that one ends, until ctx does.
func (n *network) keepSending(ctx context.Context, conn *grpc.ClientConn, name string, signer protoutil.Signer, success *answered) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		one, end := context.WithCancel(ctx)
		stream, err := ab.NewAtomicBroadcastClient(conn).Broadcast(one, grpc.WaitForReady(true))
		if err != nil {
			end()
			continue
		}
		text := func(i int) string { return fmt.Sprintf("%s, stream %d, message %d", name, attempt, i) }
		var sender sync.WaitGroup
		sender.Go(func() {
			for i := 0; ; i++ {
				if stream.Send(n.Message("ch1", signer, text(i))) != nil {
					// gRPC may go on with a stream that the server did not process on
					// another connection: nobody would send on that, and it not end.
					time.AfterFunc(time.Second, end)
					return
				}
			}
		})
		for i := 0; ; i++ {
			resp, err := stream.Recv()
			if err != nil || resp.Status != cb.Status_SUCCESS {
				break
			}
			success.add(text(i))
		}
		_ = stream.CloseSend() // the sender may have met the end already
		sender.Wait()
		end()
	}
}

// loaded is a network of three nodes that takes messages through all of them.
type loaded struct {
	*network
	nodes   []*running
	success []answered
	stop    context.CancelFunc
	senders sync.WaitGroup
}

func (n *network) load(nodes []*running) *loaded {
	l := &loaded{network: n, nodes: nodes, success: make([]answered, len(nodes))}
	l.nodes[0].accepted(n.Creation())
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	n.t.Cleanup(cancel)
	for i, node := range l.nodes {
		node.blocks("ch1", n.OrdererAdmin(), 0)
		conn, user := node.dial(), n.OrgUser("User1")
		l.senders.Go(func() { n.keepSending(ctx, conn, fmt.Sprint("through ", i), user, &l.success[i]) })
	}
	return l
}

// goesOn waits until orderer i has taken more messages.
func (l *loaded) goesOn(i int) {
	more := l.success[i].count() + 200
	require.Eventually(l.t, func() bool { return l.success[i].count() > more }, patience, tick, "orderer %d takes nothing", i)
}

// requireNothingLost ends the load and waits until what was answered with SUCCESS
// is in the ledger, once.
func (l *loaded) requireNothingLost() {
	l.stop()
	l.senders.Wait()
	seen := map[string]int{}
	admin := l.OrdererAdmin()
	require.Eventually(l.t, func() bool {
		clear(seen)
		for _, text := range contents(l.t, l.nodes[0].chain("ch1", admin)) {
			seen[text]++
		}
		for i := range l.success {
			for _, text := range l.success[i].texts {
				if seen[text] == 0 {
					return false
				}
			}
		}
		return true
	}, patience, 10*tick, "a message that was answered with SUCCESS is not in the ledger")
	for text, times := range seen {
		require.Equal(l.t, 1, times, text)
	}
}

// The nodes of a network are stopped in order and started, one after the other,
// while messages are sent through all of them: what was answered with SUCCESS is
// in the ledger, once.
func TestOrderlyRestartsUnderLoadLoseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes all processors for seconds")
	}
	n := newNetwork(t)
	n.raftGenesis(n.RaftMetadata(n.ports...))
	l := n.load(n.startAll(3, ""))
	for i := range l.nodes {
		for j := range l.nodes {
			l.goesOn(j)
		}
		began := time.Now()
		l.nodes[i].shutdown()
		require.Less(t, time.Since(began), stopPatience, "the stop did not have to be cut short")
		l.goesOn((i + 1) % len(l.nodes))
		l.nodes[i] = n.start(i, "")
	}
	l.requireNothingLost()
}

// All nodes are stopped at the same moment under load, which none of them is
// told of the others: it takes no longer than it has to, and loses nothing.
func TestAWholeNetworkThatIsStoppedUnderLoadLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes all processors for seconds")
	}
	n := newNetwork(t)
	n.raftGenesis(n.RaftMetadata(n.ports...))
	l := n.load(n.startAll(3, ""))
	for j := range l.nodes {
		l.goesOn(j)
	}
	began := time.Now()
	var stopping sync.WaitGroup
	for _, node := range l.nodes {
		stopping.Go(func() { node.stop(); <-node.ended })
	}
	stopping.Wait()
	took := time.Since(began)
	t.Logf("stopped in %v", took)
	for i, node := range l.nodes {
		require.NoError(t, node.err)
		require.NotContains(t, node.log.String(), "although not everything accepted")
		l.nodes[i] = n.launch(i, "")
	}
	require.Less(t, took, stopPatience)
	for _, node := range l.nodes {
		<-node.serving
	}
	l.requireNothingLost()
}
