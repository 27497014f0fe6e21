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
		stream, err := ab.NewAtomicBroadcastClient(conn).Broadcast(ctx, grpc.WaitForReady(true))
		if err != nil {
			continue
		}
		text := func(i int) string { return fmt.Sprintf("%s, stream %d, message %d", name, attempt, i) }
		var sender sync.WaitGroup
		sender.Go(func() {
			for i := 0; ; i++ {
				if stream.Send(n.Message("ch1", signer, text(i))) != nil {
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
	nodes := n.startAll(3, "")
	nodes[0].accepted(n.Creation())
	admin := n.OrdererAdmin()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	success := make([]answered, len(nodes))
	var senders sync.WaitGroup
	for i, node := range nodes {
		node.blocks("ch1", admin, 0)
		conn, user := node.dial(), n.OrgUser("User1")
		senders.Go(func() { n.keepSending(ctx, conn, fmt.Sprint("through ", i), user, &success[i]) })
	}
	goesOn := func(i int) {
		more := success[i].count() + 200
		require.Eventually(t, func() bool { return success[i].count() > more }, patience, tick, "orderer %d takes nothing", i)
	}
	for i := range nodes {
		for j := range nodes {
			goesOn(j)
		}
		began := time.Now()
		nodes[i].shutdown()
		require.Less(t, time.Since(began), stopPatience, "the stop did not have to be cut short")
		goesOn((i + 1) % len(nodes))
		nodes[i] = n.start(i, "")
	}
	cancel()
	senders.Wait()
	seen := map[string]int{}
	require.Eventually(t, func() bool {
		clear(seen)
		for _, text := range contents(t, nodes[0].chain("ch1", admin)) {
			seen[text]++
		}
		for i := range success {
			for _, text := range success[i].texts {
				if seen[text] == 0 {
					return false
				}
			}
		}
		return true
	}, patience, 10*tick, "a message that was answered with SUCCESS is not in the ledger")
	for text, times := range seen {
		require.Equal(t, 1, times, text)
	}
}
