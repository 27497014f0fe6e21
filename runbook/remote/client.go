package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"

	"raftmig/runbook"
	"raftmig/runbook/internal/feed"
)

// ErrLost is returned by Send once the connection is gone. The run may go on.
var ErrLost = errors.New("the connection to the run is lost")

// client is a runbook.Client on the other end of a socket.
type client struct {
	conn net.Conn
	sub  *feed.Subscriber
	lost chan struct{} // closed when nothing more can be read

	mu      sync.Mutex // of enc, next and waiting
	enc     *json.Encoder
	next    uint64
	waiting map[uint64]chan error
}

// Dial connects to the run that is served at path.
func Dial(ctx context.Context, path string) (runbook.Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connecting to the run at %s: %w", path, err)
	}
	c := &client{
		conn: conn, sub: feed.NewSubscriber(), lost: make(chan struct{}),
		enc: json.NewEncoder(conn), waiting: map[uint64]chan error{},
	}
	go c.read()
	return c, nil
}

// Updates implements runbook.Client.
func (c *client) Updates() <-chan runbook.Update { return c.sub.Updates() }

// Send implements runbook.Client.
func (c *client) Send(ctx context.Context, cmd runbook.Command) error {
	answer := make(chan error, 1)
	id, err := c.ask(cmd, answer)
	if err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-c.lost:
		select {
		case err := <-answer: // it came just before
			return err
		default:
			return ErrLost
		}
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		return ctx.Err()
	}
}

func (c *client) ask(cmd runbook.Command, answer chan error) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	id := c.next
	c.waiting[id] = answer
	if err := c.enc.Encode(fromClient{ID: id, Command: cmd}); err != nil {
		delete(c.waiting, id)
		return 0, fmt.Errorf("%w: %w", ErrLost, err)
	}
	return id, nil
}

// Close implements runbook.Client.
func (c *client) Close() error {
	c.sub.Abandon()
	_ = c.conn.Close() // read closes it too; whichever comes second is told so
	<-c.lost
	return nil
}

// read takes what the server sends until the connection ends. It never waits
// for whoever fetches the updates, so that answers come through.
func (c *client) read() {
	defer c.sub.Finish()
	defer close(c.lost)
	defer c.conn.Close()
	dec := json.NewDecoder(c.conn)
	for {
		var m fromServer
		if err := dec.Decode(&m); err != nil || m.End {
			return
		}
		switch {
		case m.Update != nil:
			c.sub.Offer(*m.Update)
		case m.Reply != 0:
			c.answered(m)
		}
	}
}

func (c *client) answered(m fromServer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.waiting[m.Reply]
	if !ok {
		return
	}
	delete(c.waiting, m.Reply)
	switch {
	case m.Error == "":
		answer <- nil
	case m.Refused:
		answer <- refusal(m.Error)
	default:
		answer <- errors.New(m.Error)
	}
}

// refusal is a refusal of the runbook, in the words of the other process.
type refusal string

func (r refusal) Error() string { return string(r) }

func (r refusal) Is(target error) bool { return target == runbook.ErrRefused }
