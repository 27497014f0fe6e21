// Package deliver reads blocks from ordering nodes over the Deliver service.
//
// Requests are signed by one identity and ask with BEST_EFFORT, so that a
// channel can be read while its consenter has no leader or no broker
// (spec 6.5). Every block that comes back is checked: its number is the one
// asked for and its data hash fits its data.
package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"google.golang.org/grpc"

	"raftmig/fabricops/dial"
	"raftmig/orderer/protoutil"
)

// HeadTimeout is what callers allow for Head: time for two large blocks over a
// slow line. A node that is down is known sooner, as it takes no connection.
const HeadTimeout = 10 * time.Second

// StatusError is a Deliver answer other than SUCCESS.
type StatusError struct {
	Node    string
	Channel string
	Status  cb.Status
}

// Error explains the status in the operator's terms.
func (e *StatusError) Error() string {
	text := map[cb.Status]string{
		cb.Status_FORBIDDEN:           "the identity may not read this channel",
		cb.Status_NOT_FOUND:           "the node does not have this channel or block",
		cb.Status_SERVICE_UNAVAILABLE: "the node's consenter for this channel is not available",
		cb.Status_BAD_REQUEST:         "the request was refused: check clock, client certificate and identity",
	}[e.Status]
	if text == "" {
		text = "unexpected answer"
	}
	return fmt.Sprintf("%s: channel %s: %s: %s", e.Node, e.Channel, e.Status, text)
}

// Final reports whether asking again is of no use: the identity may not read
// the channel, or the node does not have it.
func (e *StatusError) Final() bool {
	return e.Status == cb.Status_FORBIDDEN || e.Status == cb.Status_NOT_FOUND
}

// ErrBadBlock is returned for a block that is not what was asked for or whose
// hash does not fit.
var ErrBadBlock = errors.New("the node sent a bad block")

// Client reads blocks. It is safe for concurrent use.
type Client struct {
	pool   *dial.Pool
	signer protoutil.Signer
	now    func() time.Time
}

// New returns a client that signs its requests with signer.
func New(pool *dial.Pool, signer protoutil.Signer) *Client {
	return &Client{pool: pool, signer: signer, now: time.Now}
}

// Newest returns the last block of a channel on a node.
func (c *Client) Newest(ctx context.Context, node, channel string) (*cb.Block, error) {
	s, err := c.open(ctx, node, channel)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.one(newest(), ab.SeekInfo_FAIL_IF_NOT_READY)
}

// Block returns one block, or a StatusError NOT_FOUND if the node does not
// have it yet.
func (c *Client) Block(ctx context.Context, node, channel string, number uint64) (*cb.Block, error) {
	s, err := c.open(ctx, node, channel)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.number(number)
}

// Head is what a node says of a channel: its last block, and the config block
// that the last block points to; the same block where that is itself.
type Head struct {
	Newest *cb.Block
	Config *cb.Block
}

// Height is the number of blocks.
func (h *Head) Height() uint64 { return h.Newest.Header.Number + 1 }

// Head reads the last block and the last config block of a channel over one
// stream. known is asked for the config block by number first; nil for none.
func (c *Client) Head(ctx context.Context, node, channel string, known func(number uint64) *cb.Block) (*Head, error) {
	s, err := c.open(ctx, node, channel)
	if err != nil {
		return nil, err
	}
	defer s.close()
	last, err := s.one(newest(), ab.SeekInfo_FAIL_IF_NOT_READY)
	if err != nil {
		return nil, err
	}
	index, err := protoutil.LastConfigIndex(last)
	if err != nil {
		return nil, fmt.Errorf("%w: %s, channel %s: %v", ErrBadBlock, node, channel, err)
	}
	h := &Head{Newest: last, Config: last}
	if index == last.Header.Number {
		return h, nil
	}
	if known != nil {
		if h.Config = known(index); h.Config != nil {
			return h, nil
		}
	}
	h.Config, err = s.number(index)
	return h, err
}

// Follow calls fn for every block of a channel from number on, those to come
// included, until fn returns false or an error, or ctx ends. It asks for one
// block at a time: a stream that ends between two of them ends cleanly, and
// nodes do not log a warning for each.
func (c *Client) Follow(ctx context.Context, node, channel string, from uint64, fn func(*cb.Block) (bool, error)) error {
	s, err := c.open(ctx, node, channel)
	if err != nil {
		return err
	}
	defer s.close()
	for next := from; ; next++ {
		block, err := s.one(specified(next), ab.SeekInfo_BLOCK_UNTIL_READY)
		if err != nil {
			return err
		}
		if err := s.check(block, next); err != nil {
			return err
		}
		if more, err := fn(block); err != nil || !more {
			return err
		}
	}
}

// Range calls fn for the blocks from..to, which must exist, in order.
func (c *Client) Range(ctx context.Context, node, channel string, from, to uint64, fn func(*cb.Block) error) error {
	s, err := c.open(ctx, node, channel)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.seek(specified(from), specified(to), ab.SeekInfo_FAIL_IF_NOT_READY); err != nil {
		return err
	}
	for next := from; ; next++ {
		block, err := s.recv()
		if err != nil {
			return err
		}
		if block == nil {
			if next != to+1 {
				return fmt.Errorf("%w: %s, channel %s: the stream ended at block %d of %d", ErrBadBlock, node, channel, next, to)
			}
			return nil
		}
		if err := s.check(block, next); err != nil {
			return err
		}
		if err := fn(block); err != nil {
			return err
		}
	}
}

// stream is one Deliver stream to one node about one channel.
type stream struct {
	c             *Client
	node, channel string
	rpc           ab.AtomicBroadcast_DeliverClient
	cancel        context.CancelFunc
	clean         bool // the last request was answered in full
}

func (c *Client) open(ctx context.Context, node, channel string) (*stream, error) {
	conn, err := c.pool.Conn(node)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	rpc, err := ab.NewAtomicBroadcastClient(conn).Deliver(ctx, grpc.WaitForReady(false))
	if err != nil {
		cancel()
		return nil, c.pool.Wrap(node, "opening a Deliver stream", err)
	}
	return &stream{c: c, node: node, channel: channel, rpc: rpc, cancel: cancel}, nil
}

// close ends the stream. Where nothing is outstanding it waits for the
// server's end, so that the node does not log a cancelled stream as a warning.
func (s *stream) close() {
	defer s.cancel()
	if !s.clean || s.rpc.CloseSend() != nil {
		return
	}
	stop := time.AfterFunc(time.Second, s.cancel)
	defer stop.Stop()
	for {
		if _, err := s.rpc.Recv(); err != nil {
			return
		}
	}
}

func (s *stream) seek(start, stop *ab.SeekPosition, behavior ab.SeekInfo_SeekBehavior) error {
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type:        cb.HeaderType_DELIVER_SEEK_INFO,
		ChannelID:   s.channel,
		Time:        s.c.now(),
		TLSCertHash: s.c.pool.TLSCertHash(),
		Data: &ab.SeekInfo{
			Start: start, Stop: stop, Behavior: behavior, ErrorResponse: ab.SeekInfo_BEST_EFFORT,
		},
	}, s.c.signer)
	if err != nil {
		return fmt.Errorf("building a Deliver request for channel %s: %w", s.channel, err)
	}
	s.clean = false
	if err := s.rpc.Send(env); err != nil && !errors.Is(err, io.EOF) { // EOF: Recv tells why
		return s.c.pool.Wrap(s.node, "asking for blocks of "+s.channel, err)
	}
	return nil
}

// recv returns the next block, or nil at the SUCCESS that ends a request.
func (s *stream) recv() (*cb.Block, error) {
	resp, err := s.rpc.Recv()
	if err != nil {
		return nil, s.c.pool.Wrap(s.node, "reading blocks of "+s.channel, err)
	}
	switch t := resp.Type.(type) {
	case *ab.DeliverResponse_Block:
		if t.Block.GetHeader() == nil {
			return nil, fmt.Errorf("%w: %s, channel %s: no header", ErrBadBlock, s.node, s.channel)
		}
		return t.Block, nil
	case *ab.DeliverResponse_Status:
		s.clean = true
		if t.Status == cb.Status_SUCCESS {
			return nil, nil
		}
		return nil, &StatusError{Node: s.node, Channel: s.channel, Status: t.Status}
	default:
		return nil, fmt.Errorf("%w: %s, channel %s: empty answer", ErrBadBlock, s.node, s.channel)
	}
}

// one asks for a single block and reads it together with its status.
func (s *stream) one(at *ab.SeekPosition, behavior ab.SeekInfo_SeekBehavior) (*cb.Block, error) {
	if err := s.seek(at, at, behavior); err != nil {
		return nil, err
	}
	block, err := s.recv()
	if err != nil {
		return nil, err
	}
	if block == nil {
		return nil, fmt.Errorf("%w: %s, channel %s: no block before SUCCESS", ErrBadBlock, s.node, s.channel)
	}
	if err := s.check(block, block.Header.Number); err != nil {
		return nil, err
	}
	if extra, err := s.recv(); err != nil {
		return nil, err
	} else if extra != nil {
		return nil, fmt.Errorf("%w: %s, channel %s: more blocks than asked for", ErrBadBlock, s.node, s.channel)
	}
	return block, nil
}

func (s *stream) number(number uint64) (*cb.Block, error) {
	block, err := s.one(specified(number), ab.SeekInfo_FAIL_IF_NOT_READY)
	if err != nil {
		return nil, err
	}
	return block, s.check(block, number)
}

func (s *stream) check(block *cb.Block, number uint64) error {
	if got := block.GetHeader().GetNumber(); got != number {
		return fmt.Errorf("%w: %s, channel %s: block %d instead of %d", ErrBadBlock, s.node, s.channel, got, number)
	}
	if !bytes.Equal(block.Header.DataHash, protoutil.BlockDataHash(block.Data)) {
		return fmt.Errorf("%w: %s, channel %s: data hash of block %d does not fit", ErrBadBlock, s.node, s.channel, number)
	}
	if id, err := protoutil.ChannelIDOf(block); err != nil || id != s.channel {
		return fmt.Errorf("%w: %s: block %d is of channel %q instead of %q", ErrBadBlock, s.node, number, id, s.channel)
	}
	return nil
}

func newest() *ab.SeekPosition {
	return &ab.SeekPosition{Type: &ab.SeekPosition_Newest{Newest: &ab.SeekNewest{}}}
}

func specified(number uint64) *ab.SeekPosition {
	return &ab.SeekPosition{Type: &ab.SeekPosition_Specified{Specified: &ab.SeekSpecified{Number: number}}}
}
