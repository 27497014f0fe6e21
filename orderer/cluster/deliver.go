package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"raftmig/orderer/protoutil"
)

// source is a connection to one endpoint with, at times, a stream of blocks.
type source struct {
	endpoint Endpoint
	conn     *grpc.ClientConn
	height   uint64
}

// blockStream yields consecutive blocks of a source.
type blockStream struct {
	rpc     ab.AtomicBroadcast_DeliverClient
	cancel  context.CancelFunc
	timeout time.Duration
	next    uint64
}

func (p *BlockPuller) connect(e Endpoint) (*source, error) {
	cfg, err := p.cfg.TLS.config(e.pool())
	if err != nil {
		return nil, err
	}
	conn, err := dial(e.Address, credentials.NewTLS(cfg), p.cfg.DialTimeout)
	if err != nil {
		return nil, err
	}
	return &source{endpoint: e, conn: conn}, nil
}

// seek opens a stream of blocks that begins at start.
func (p *BlockPuller) seek(ctx context.Context, s *source, start *ab.SeekPosition) (*blockStream, error) {
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_DELIVER_SEEK_INFO, ChannelID: p.target.Channel, Time: time.Now(),
		TLSCertHash: p.certHash, Data: &ab.SeekInfo{
			Start:         start,
			Stop:          specified(math.MaxUint64),
			Behavior:      ab.SeekInfo_BLOCK_UNTIL_READY,
			ErrorResponse: ab.SeekInfo_BEST_EFFORT,
		},
	}, p.target.Signer)
	if err != nil {
		return nil, fmt.Errorf("signing seek request: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	st := &blockStream{cancel: cancel, timeout: p.cfg.PullTimeout}
	if st.rpc, err = ab.NewAtomicBroadcastClient(s.conn).Deliver(ctx, grpc.WaitForReady(true)); err == nil {
		err = st.rpc.Send(env)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("requesting blocks from %s: %w", s.endpoint.Address, err)
	}
	return st, nil
}

// receive waits for the next block, for at most the pull timeout.
func (st *blockStream) receive() (*cb.Block, error) {
	timer := time.AfterFunc(st.timeout, st.cancel)
	defer timer.Stop()
	resp, err := st.rpc.Recv()
	if err != nil {
		return nil, err
	}
	switch r := resp.Type.(type) {
	case *ab.DeliverResponse_Block:
		if r.Block == nil || r.Block.Header == nil || r.Block.Data == nil || r.Block.Metadata == nil {
			return nil, errors.New("received a block without header, data or metadata")
		}
		return r.Block, nil
	case *ab.DeliverResponse_Status:
		switch r.Status {
		case cb.Status_FORBIDDEN:
			return nil, ErrForbidden
		case cb.Status_SERVICE_UNAVAILABLE:
			return nil, ErrServiceUnavailable
		default:
			return nil, fmt.Errorf("faulty node, received: %s", r.Status)
		}
	default:
		return nil, fmt.Errorf("response is of type %T, but expected a block", resp.Type)
	}
}

func specified(number uint64) *ab.SeekPosition {
	return &ab.SeekPosition{Type: &ab.SeekPosition_Specified{Specified: &ab.SeekSpecified{Number: number}}}
}

func newest() *ab.SeekPosition {
	return &ab.SeekPosition{Type: &ab.SeekPosition_Newest{Newest: &ab.SeekNewest{}}}
}

// certificateHash is what binds a request to the TLS client certificate.
func certificateHash(der []byte) []byte {
	if len(der) == 0 {
		return nil
	}
	sum := sha256.Sum256(der)
	return sum[:]
}
