package cluster

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"raftmig/orderer/metrics"
)

// connections holds one gRPC connection per remote server certificate and
// address, counted by its users, the channels.
type connections struct {
	tls     ClientTLS
	timeout time.Duration
	count   metrics.Gauge

	mu    sync.Mutex
	conns map[connKey]*connection
}

type connKey struct{ endpoint, serverCert string }

type connection struct {
	*grpc.ClientConn
	users int
}

// acquire returns the connection to a server, made if there is none yet.
func (c *connections) acquire(endpoint string, serverCert []byte) (*grpc.ClientConn, error) {
	key := connKey{endpoint, string(serverCert)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.conns[key]; conn != nil {
		conn.users++
		return conn.ClientConn, nil
	}
	creds, err := c.tls.pinned(endpoint, serverCert)
	if err != nil {
		return nil, err
	}
	cc, err := dial(endpoint, creds, c.timeout)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", endpoint, err)
	}
	c.conns[key] = &connection{ClientConn: cc, users: 1}
	c.count.Add(1)
	return cc, nil
}

// release gives back what acquire returned; the last user closes the connection.
func (c *connections) release(endpoint string, serverCert []byte) {
	key := connKey{endpoint, string(serverCert)}
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.conns[key]
	if conn == nil {
		return
	}
	if conn.users--; conn.users == 0 {
		delete(c.conns, key)
		c.count.Add(-1)
		_ = conn.Close() // closing twice is the only error, and the key is gone
	}
}
