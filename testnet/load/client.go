package load

import (
	"context"
	"fmt"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/fabricops/broadcast"
)

// Opener opens a stream to a node; *broadcast.Client implements it.
type Opener interface {
	Open(ctx context.Context, node string) (*broadcast.Stream, error)
}

// client sends over one stream at a time, to one node after the other.
type client struct {
	send   Sender
	nodes  []string
	at     int
	stream *broadcast.Stream
	cancel context.CancelFunc
}

func (c *client) node() string { return c.nodes[c.at] }

// advance goes to the next node.
func (c *client) advance() {
	c.close()
	c.at = (c.at + 1) % len(c.nodes)
}

func (c *client) close() {
	if c.stream == nil {
		return
	}
	c.stream.Close()
	c.cancel()
	c.stream, c.cancel = nil, nil
}

// attempt sends env once. A node that does not answer in time is left.
func (c *client) attempt(ctx context.Context, env *cb.Envelope) error {
	opener, ok := c.send.(Opener)
	if !ok {
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		return c.send.Send(ctx, c.node(), env)
	}
	if c.stream == nil {
		streamCtx, cancel := context.WithCancel(ctx)
		stop := time.AfterFunc(answerTimeout, cancel)
		s, err := opener.Open(streamCtx, c.node())
		if !stop.Stop() && err == nil {
			err = fmt.Errorf("%s: opening a stream: %w", c.node(), context.DeadlineExceeded)
			s.Close()
		}
		if err != nil {
			cancel()
			return err
		}
		c.stream, c.cancel = s, cancel
	}
	late := time.AfterFunc(answerTimeout, c.cancel)
	err := c.stream.Send(env)
	late.Stop()
	if err != nil {
		c.close()
	}
	return err
}
