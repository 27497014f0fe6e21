package driver

import (
	"context"
	"errors"

	"raftmig/runbook"
	"raftmig/runbook/internal/feed"
)

// ErrEnded is returned by Send once the run is not driven any more.
var ErrEnded = errors.New("the run is not being driven any more")

// client is a runbook.Client in the process of the driver.
type client struct {
	d   *Driver
	sub *feed.Subscriber
}

// Client connects to the run. It may be called before, during and after Run.
func (d *Driver) Client() runbook.Client {
	return &client{d: d, sub: d.hub.Subscribe()}
}

// Send implements runbook.Client.
func (c *client) Send(ctx context.Context, cmd runbook.Command) error {
	rq := request{command: cmd, answer: make(chan error, 1)}
	select {
	case c.d.commands <- rq:
	case <-c.d.ended:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-rq.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Updates implements runbook.Client.
func (c *client) Updates() <-chan runbook.Update { return c.sub.Updates() }

// Close implements runbook.Client.
func (c *client) Close() error {
	c.d.hub.Unsubscribe(c.sub)
	return nil
}
