// Package broadcast sends envelopes to ordering nodes over the Broadcast
// service and tells apart an acceptance, a refusal and an unknown outcome.
package broadcast

import (
	"context"
	"errors"
	"fmt"
	"io"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/fabricops/dial"
)

// StatusError is a refusal: a Broadcast answer other than SUCCESS.
type StatusError struct {
	Node   string
	Status cb.Status
	Info   string // the node's text
}

// Error gives the status and the node's own text.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Node, e.Status, e.Info)
}

// Retryable reports whether the same message may be accepted later: the node
// has no leader, no broker, or is still starting.
func (e *StatusError) Retryable() bool { return e.Status == cb.Status_SERVICE_UNAVAILABLE }

// ErrUnknownOutcome is returned where the message may have reached the node
// but no answer came back. Whoever sees it must look before sending again.
var ErrUnknownOutcome = errors.New("no answer: the message may or may not have been accepted")

// Client sends envelopes. It is safe for concurrent use.
type Client struct{ pool *dial.Pool }

// New returns a client over the connections of pool.
func New(pool *dial.Pool) *Client { return &Client{pool: pool} }

// Send sends one envelope to a node and waits for the answer: nil for SUCCESS,
// a StatusError for a refusal, an error wrapping ErrUnknownOutcome if the
// answer was lost, any other error if the message was not sent.
func (c *Client) Send(ctx context.Context, node string, env *cb.Envelope) error {
	s, err := c.Open(ctx, node)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Send(env)
}

// Stream sends envelopes one after the other over one stream; not safe for
// concurrent use. After any error it is of no more use.
type Stream struct {
	c      *Client
	node   string
	rpc    ab.AtomicBroadcast_BroadcastClient
	cancel context.CancelFunc
	clean  bool
}

// Open opens a stream to a node.
func (c *Client) Open(ctx context.Context, node string) (*Stream, error) {
	conn, err := c.pool.Conn(node)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	rpc, err := ab.NewAtomicBroadcastClient(conn).Broadcast(ctx)
	if err != nil {
		cancel()
		return nil, c.pool.Wrap(node, "opening a Broadcast stream", err)
	}
	return &Stream{c: c, node: node, rpc: rpc, cancel: cancel, clean: true}, nil
}

// Send is Client.Send on this stream.
func (s *Stream) Send(env *cb.Envelope) error {
	s.clean = false
	if err := s.rpc.Send(env); err != nil && !errors.Is(err, io.EOF) {
		return s.unknown(err)
	}
	resp, err := s.rpc.Recv()
	if err != nil {
		return s.unknown(err)
	}
	s.clean = true
	if resp.Status != cb.Status_SUCCESS {
		return &StatusError{Node: s.node, Status: resp.Status, Info: resp.Info}
	}
	return nil
}

func (s *Stream) unknown(err error) error {
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, s.c.pool.Wrap(s.node, "sending a message", err))
}

// Close ends the stream, cleanly if nothing is outstanding.
func (s *Stream) Close() {
	defer s.cancel()
	if s.clean && s.rpc.CloseSend() == nil {
		_, _ = s.rpc.Recv() // the server's end of stream
	}
}
