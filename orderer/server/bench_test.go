package server

import (
	"errors"
	"io"
	"sync"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// BenchmarkBroadcast measures signed messages of 3.5 KB per second through one
// node over TLS, signature checks and fsync on, clients in the same process.
// One operation is one message; it is done when its answer has come.
func BenchmarkBroadcast(b *testing.B) {
	for _, kind := range []string{"raft", "kafka"} {
		for _, streams := range []int{1, 8} {
			b.Run(map[int]string{1: kind + "/1 stream", 8: kind + "/8 streams"}[streams], func(b *testing.B) {
				n := newNetwork(b)
				if kind == "raft" {
					n.raftGenesis(n.RaftMetadata(n.ports[0]))
				}
				o := n.start(0, "")
				if kind == "raft" {
					o.awaitLog("Start accepting requests as Raft leader")
				} else {
					o.awaitLog("Start phase completed successfully")
				}
				o.accepted(n.Creation())
				user := n.OrgUser("User1")
				o.blocks("ch1", user, 0)
				o.accepted(n.Message("ch1", user, "warm up"))
				payload := string(make([]byte, 2300)) // with header and certificate about 3.5 KB
				var messages []*cb.Envelope
				for range 200 {
					messages = append(messages, n.Message("ch1", user, payload))
				}
				b.SetBytes(int64(len(protoutil.MustMarshal(messages[0]))))
				b.ResetTimer()
				var wg sync.WaitGroup
				for range streams {
					wg.Go(func() { pump(b, o, messages, b.N/streams+1) })
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}

// pump sends count messages on one stream without waiting for answers in between.
func pump(b *testing.B, o *running, messages []*cb.Envelope, count int) {
	stream, err := ab.NewAtomicBroadcastClient(o.dial()).Broadcast(b.Context())
	require.NoError(b, err)
	go func() {
		for i := range count {
			if err := stream.Send(messages[i%len(messages)]); err != nil {
				return // the answers say why
			}
		}
		_ = stream.CloseSend()
	}()
	for answered := 0; ; answered++ {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			require.Equal(b, count, answered)
			return
		}
		require.NoError(b, err)
		require.Equal(b, cb.Status_SUCCESS, resp.Status, resp.Info)
	}
}
