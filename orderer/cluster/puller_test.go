package cluster

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/protoutil"
)

// blockServer serves blocks as an orderer does.
type blockServer struct {
	ab.UnimplementedAtomicBroadcastServer
	address string
	server  *grpc.Server

	mu       sync.Mutex
	blocks   []*cb.Block
	status   cb.Status
	requests []*cb.ChannelHeader
	seeks    []*ab.SeekInfo
	hang     bool
}

func newBlockServer(t testing.TB, ca *clustertest.CA, blocks ...*cb.Block) *blockServer {
	t.Helper()
	pair := ca.Issue(t, "orderer")
	s := &blockServer{blocks: blocks}
	s.server = grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair.TLS}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12,
	})))
	ab.RegisterAtomicBroadcastServer(s.server, s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = l.Addr().String()
	go func() { _ = s.server.Serve(l) }() // ends when stopped
	t.Cleanup(s.server.Stop)
	return s
}

func (s *blockServer) Deliver(stream ab.AtomicBroadcast_DeliverServer) error {
	env, err := stream.Recv()
	if err != nil {
		return err
	}
	payload, err := protoutil.EnvelopePayload(env)
	if err != nil {
		return err
	}
	h, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil {
		return err
	}
	seek := &ab.SeekInfo{}
	if err := proto.Unmarshal(payload.Data, seek); err != nil {
		return err
	}
	s.mu.Lock()
	s.requests, s.seeks = append(s.requests, h), append(s.seeks, seek)
	blocks, status, hang := s.blocks, s.status, s.hang
	s.mu.Unlock()
	if status != 0 {
		return stream.Send(&ab.DeliverResponse{Type: &ab.DeliverResponse_Status{Status: status}})
	}
	first := uint64(len(blocks)) - 1
	if p := seek.GetStart().GetSpecified(); p != nil {
		first = p.Number
		if hang {
			<-stream.Context().Done()
			return stream.Context().Err()
		}
	}
	for n := first; n < uint64(len(blocks)); n++ {
		if err := stream.Send(&ab.DeliverResponse{Type: &ab.DeliverResponse_Block{Block: blocks[n]}}); err != nil {
			return err
		}
	}
	<-stream.Context().Done() // as for BLOCK_UNTIL_READY
	return nil
}

func signedEnvelope(headerType cb.HeaderType, channel, data string) []byte {
	env := &cb.Envelope{Payload: protoutil.MustMarshal(&cb.Payload{
		Header: &cb.Header{ChannelHeader: protoutil.MustMarshal(&cb.ChannelHeader{Type: int32(headerType), ChannelId: channel})},
		Data:   []byte(data),
	}), Signature: []byte("signature")}
	return protoutil.MustMarshal(env)
}

// chainOf makes a chain of n blocks; those in configs carry a configuration.
func chainOf(n int, configs ...int) []*cb.Block {
	var blocks []*cb.Block
	var prev []byte
	last := uint64(0)
	for i := 0; i < n; i++ {
		b := protoutil.NewBlock(uint64(i), prev)
		kind := cb.HeaderType_ENDORSER_TRANSACTION
		data := fmt.Sprintf("tx %d", i)
		for _, c := range append(configs, 0) {
			if c == i {
				kind, last = cb.HeaderType_CONFIG, uint64(i)
				data = string(protoutil.MustMarshal(&cb.ConfigEnvelope{Config: &cb.Config{Sequence: uint64(i)}}))
			}
		}
		b.Data.Data = [][]byte{signedEnvelope(kind, "ch1", data)}
		b.Header.DataHash = protoutil.BlockDataHash(b.Data)
		protoutil.SetMetadata(b, cb.BlockMetadataIndex_SIGNATURES, protoutil.MustMarshal(&cb.Metadata{
			Value:      protoutil.MustMarshal(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{Index: last}}),
			Signatures: []*cb.MetadataSignature{{SignatureHeader: protoutil.MustMarshal(&cb.SignatureHeader{Creator: []byte("orderer")})}},
		}))
		prev = protoutil.BlockHeaderHash(b.Header)
		blocks = append(blocks, b)
	}
	return blocks
}

func acceptAll([]*protoutil.SignedData, *cb.ConfigEnvelope) error { return nil }

type testSigner struct{}

func (testSigner) Sign([]byte) ([]byte, error) { return []byte("signature"), nil }
func (testSigner) Serialize() ([]byte, error)  { return []byte("creator"), nil }

func newTestPuller(t testing.TB, ca *clustertest.CA, change func(*PullerConfig, *PullTarget), servers ...*blockServer) (*BlockPuller, clustertest.Pair) {
	t.Helper()
	client := ca.Issue(t, "client")
	cfg := PullerConfig{
		TLS: ClientTLS{Certificate: &client.TLS}, PullTimeout: 2 * time.Second, RetryTimeout: time.Millisecond,
	}
	target := PullTarget{
		Channel: "ch1", Signer: testSigner{}, MaxRetries: 5,
		Verify: func(blocks []*cb.Block) error { return VerifyBlocks(blocks, acceptAll) },
	}
	for _, s := range servers {
		target.Endpoints = append(target.Endpoints, Endpoint{Address: s.address, RootCAs: [][]byte{ca.PEM}})
	}
	if change != nil {
		change(&cfg, &target)
	}
	p := NewPullerFactory(cfg).New(target)
	t.Cleanup(p.Close)
	return p, client
}

func TestConsecutiveBlocksComeOverOneStream(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	blocks := chainOf(20, 7)
	s := newBlockServer(t, ca, blocks...)
	p, client := newTestPuller(t, ca, func(c *PullerConfig, _ *PullTarget) { c.BufferSize = 400 }, s)
	for n := uint64(3); n < 20; n++ {
		block, err := p.PullBlock(t.Context(), n)
		require.NoError(t, err)
		require.True(t, proto.Equal(blocks[n], block))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.seeks, 2, "one look at the height, one stream")
	require.NotNil(t, s.seeks[0].Start.GetNewest())
	require.EqualValues(t, 3, s.seeks[1].Start.GetSpecified().Number)
	require.Equal(t, ab.SeekInfo_BLOCK_UNTIL_READY, s.seeks[1].Behavior)
	require.Equal(t, ab.SeekInfo_BEST_EFFORT, s.seeks[1].ErrorResponse)
	hash := sha256.Sum256(client.DER)
	require.Equal(t, hash[:], s.requests[1].TlsCertHash)
	require.Equal(t, "ch1", s.requests[1].ChannelId)
}

func TestPullingGoesOnWithAnotherOrderer(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	good := chainOf(10)
	forged := chainOf(10)
	forged[4].Data.Data[0] = append(forged[4].Data.Data[0], 0)
	for _, tc := range []struct {
		name string
		bad  func(s *blockServer)
	}{
		{"when one is behind", func(s *blockServer) { s.blocks = good[:3] }},
		{"when one sends what does not verify", func(s *blockServer) { s.blocks = forged }},
		{"when one says nothing", func(s *blockServer) { s.blocks, s.hang = good, true }},
		{"when one is down", func(s *blockServer) { s.server.Stop() }},
		{"when one refuses", func(s *blockServer) { s.status = cb.Status_FORBIDDEN }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bad, fine := newBlockServer(t, ca), newBlockServer(t, ca, good...)
			tc.bad(bad)
			p, _ := newTestPuller(t, ca, func(c *PullerConfig, target *PullTarget) {
				c.PullTimeout, target.MaxRetries = 300*time.Millisecond, 0
			}, bad, fine)
			for n := uint64(2); n < 10; n++ {
				block, err := p.PullBlock(t.Context(), n)
				require.NoError(t, err)
				require.True(t, proto.Equal(good[n], block))
			}
		})
	}
}

func TestPullingEnds(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	t.Run("when the attempts are used up", func(t *testing.T) {
		s := newBlockServer(t, ca, chainOf(3)...)
		p, _ := newTestPuller(t, ca, nil, s)
		_, err := p.PullBlock(t.Context(), 5)
		require.ErrorContains(t, err, "failed pulling block [5] after 5 attempts: no orderer has block [5]: "+s.address+" is at height 3")
	})
	t.Run("when all refuse", func(t *testing.T) {
		a, b := newBlockServer(t, ca), newBlockServer(t, ca)
		a.status, b.status = cb.Status_FORBIDDEN, cb.Status_FORBIDDEN
		p, _ := newTestPuller(t, ca, nil, a, b)
		_, err := p.PullBlock(t.Context(), 1)
		require.ErrorIs(t, err, ErrForbidden)
		_, err = p.LastConfigBlock(t.Context())
		require.ErrorIs(t, err, ErrForbidden)
	})
	t.Run("when none can serve", func(t *testing.T) {
		a := newBlockServer(t, ca)
		a.status = cb.Status_SERVICE_UNAVAILABLE
		p, _ := newTestPuller(t, ca, nil, a)
		_, err := p.LastConfigBlock(t.Context())
		require.ErrorIs(t, err, ErrServiceUnavailable)
	})
	t.Run("when the caller has had enough", func(t *testing.T) {
		s := newBlockServer(t, ca, chainOf(3)...)
		p, _ := newTestPuller(t, ca, func(_ *PullerConfig, target *PullTarget) { target.MaxRetries = 0 }, s)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := p.PullBlock(ctx, 5)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("when the server is not who it should be", func(t *testing.T) {
		s := newBlockServer(t, clustertest.NewCA(t, "foreign"), chainOf(3)...)
		p, _ := newTestPuller(t, ca, func(c *PullerConfig, target *PullTarget) {
			c.PullTimeout, target.MaxRetries = 200*time.Millisecond, 1
		}, s)
		_, err := p.PullBlock(t.Context(), 1)
		require.Error(t, err)
		require.Empty(t, s.seeks)
	})
}

func TestTheLastConfigBlockIsThatOfTheHighestLedger(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	blocks := chainOf(10, 3, 7)
	behind, ahead := newBlockServer(t, ca, blocks[:6]...), newBlockServer(t, ca, blocks...)
	p, _ := newTestPuller(t, ca, nil, behind, ahead)
	block, err := p.LastConfigBlock(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, block.Header.Number)
	heights, err := p.Heights(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]uint64{behind.address: 6, ahead.address: 10}, heights)

	ahead.mu.Lock()
	ahead.blocks = blocks[:8] // the newest block is itself the config block
	ahead.mu.Unlock()
	block, err = p.LastConfigBlock(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, block.Header.Number)
}

func TestVerifyBlocks(t *testing.T) {
	type signed struct {
		number uint64
		config uint64 // sequence of the configuration, 99 for the one in force
	}
	for _, tc := range []struct {
		name   string
		blocks func() []*cb.Block
		signed []signed
		refuse uint64
		err    string
	}{
		{name: "nothing", blocks: func() []*cb.Block { return nil }, err: "buffer is empty"},
		{name: "the last block is checked", blocks: func() []*cb.Block { return chainOf(5)[2:] }, signed: []signed{{4, 99}}},
		{name: "each config block is checked against the one before it, the last against the last",
			blocks: func() []*cb.Block { return chainOf(8, 3, 5)[2:] }, signed: []signed{{3, 99}, {5, 3}, {7, 5}}},
		{name: "a config block at the end is checked once", blocks: func() []*cb.Block { return chainOf(6, 5)[2:] }, signed: []signed{{5, 99}}},
		{name: "a genesis block is signed by nobody", blocks: func() []*cb.Block { return chainOf(2) }, signed: []signed{{1, 0}}},
		{name: "a refused signature", blocks: func() []*cb.Block { return chainOf(5)[2:] }, signed: []signed{{4, 99}}, refuse: 4,
			err: "signatures of block [4]: refused"},
		{name: "a wrong data hash", blocks: func() []*cb.Block {
			b := chainOf(3)
			b[1].Data.Data[0] = []byte{1}
			return b
		}, err: "computed hash of block (1) ("},
		{name: "a gap", blocks: func() []*cb.Block { b := chainOf(4); return append(b[1:2], b[3]) }, err: "sequences 1 and 3 were received consecutively"},
		{name: "a broken link", blocks: func() []*cb.Block {
			b := chainOf(3)[1:]
			b[1].Header.PreviousHash = []byte{1}
			return b
		}, err: "mismatches block [2]'s prev block hash (01)"},
		{name: "a transaction without a signature", blocks: func() []*cb.Block { return withData(protoutil.MustMarshal(&cb.Envelope{Payload: []byte("p")})) },
			err: "block has malformed transactions: transaction 0 has no signature"},
		{name: "a transaction without a payload", blocks: func() []*cb.Block { return withData(protoutil.MustMarshal(&cb.Envelope{Signature: []byte("p")})) },
			err: "block has malformed transactions: transaction 0 has no payload"},
		{name: "a transaction with bytes behind it", blocks: func() []*cb.Block {
			return withData(append(signedEnvelope(cb.HeaderType_MESSAGE, "ch1", "x"), 0x1a, 1, 1))
		}, err: "block has malformed transactions: transaction 0 has 3 trailing bytes"},
		{name: "noise", blocks: func() []*cb.Block { return withData([]byte{0xff}) }, err: "block has malformed transactions: transaction 0 is invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []signed
			blocks := tc.blocks()
			at := map[string]uint64{}
			for _, b := range blocks {
				at[string(protoutil.BlockHeaderBytes(b.Header))] = b.Header.Number
			}
			err := VerifyBlocks(blocks, func(s []*protoutil.SignedData, config *cb.ConfigEnvelope) error {
				require.Len(t, s, 1)
				g := signed{config: 99}
				for header, number := range at {
					if len(s[0].Data) >= len(header) && string(s[0].Data[len(s[0].Data)-len(header):]) == header {
						g.number = number
					}
				}
				if config != nil {
					g.config = config.Config.Sequence
				}
				got = append(got, g)
				if tc.refuse != 0 && g.number == tc.refuse {
					return errors.New("refused")
				}
				return nil
			})
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tc.signed, got)
		})
	}
}

// withData returns one block that holds a transaction.
func withData(tx []byte) []*cb.Block {
	b := protoutil.NewBlock(4, []byte("prev"))
	b.Data.Data = [][]byte{tx}
	b.Header.DataHash = protoutil.BlockDataHash(b.Data)
	return []*cb.Block{b}
}
