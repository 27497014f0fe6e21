package cluster

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

// RemoteNode is another consenter of a channel.
type RemoteNode struct {
	// ID is its Raft ID.
	ID uint64
	// Endpoint is its host:port.
	Endpoint string
	// ServerTLSCert and ClientTLSCert are DER.
	ServerTLSCert []byte
	ClientTLSCert []byte
}

// Comm holds the connections of this node to the consenters of all channels
// and knows who they are. It is safe for concurrent use.
type Comm struct {
	cfg     Config
	metrics *commMetrics
	log     *zap.SugaredLogger
	conns   *connections

	mu       sync.RWMutex
	channels map[string]*members
	shutdown bool

	submitters submitters
}

// NewComm makes a Comm without any channel; it opens nothing.
func NewComm(cfg Config) *Comm {
	cfg = cfg.withDefaults()
	m := newCommMetrics(cfg.Metrics)
	return &Comm{
		cfg: cfg, metrics: m, log: cfg.Logger,
		conns: &connections{
			tls: cfg.TLS, timeout: cfg.DialTimeout, count: m.connectionCount,
			conns: map[connKey]*connection{},
		},
		channels: map[string]*members{},
	}
}

// members are the remote consenters of one channel.
type members struct {
	byID        map[uint64]*remote
	byClientKey map[string]uint64 // PKIX public key of the client certificate
	former      map[string]former // likewise
	leaving     []*remote         // no members any more, but still read what was sent to them
}

// formerPatience is how long transactions are taken from somebody who was a
// consenter, or had another key: they may have been on the way when the configuration
// took effect, and their clients have been told that they were accepted.
const formerPatience = 10 * time.Second

type former struct {
	id    uint64
	until time.Time
	// turn is filled while a transaction of it is passed on. It has one at a time
	// passed on, on however many streams they come, so that it cannot crowd out others.
	turn chan struct{}
}

// Configure sets the remote consenters of a channel. Connections and streams
// to nodes whose address and server certificate stay are kept; those to others
// are ended when what was sent is read. No nodes is a channel of which this node is the only consenter.
func (c *Comm) Configure(channel string, nodes []RemoteNode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shutdown {
		return
	}
	old := c.channels[channel]
	if old == nil {
		old = &members{}
	}
	next := &members{byID: make(map[uint64]*remote, len(nodes)), byClientKey: make(map[string]uint64, len(nodes))}
	for _, n := range nodes {
		r := old.byID[n.ID]
		if r == nil || r.node.Endpoint != n.Endpoint || !bytes.Equal(r.node.ServerTLSCert, n.ServerTLSCert) {
			r = &remote{comm: c, channel: channel, node: n}
		}
		next.byID[n.ID] = r
		cert, err := x509.ParseCertificate(n.ClientTLSCert)
		if err != nil {
			c.log.Errorf("Invalid client certificate of node %d (%s) in channel %s: %v", n.ID, n.Endpoint, channel, err)
			continue
		}
		key := string(cert.RawSubjectPublicKeyInfo)
		if id, taken := next.byClientKey[key]; !taken || n.ID < id {
			next.byClientKey[key] = n.ID
		}
	}
	next.former = formerOf(old, next.byClientKey, time.Now())
	c.channels[channel] = next
	for id, r := range next.byID {
		if old.byID[id] != r {
			r.connect() // before others are released, so that a shared connection survives
		}
	}
	for _, r := range old.leaving {
		if len(r.endingStreams()) > 0 {
			next.leaving = append(next.leaving, r)
		}
	}
	for id, r := range old.byID {
		if next.byID[id] != r && r.leave() {
			next.leaving = append(next.leaving, r)
		}
	}
	c.log.Infow("Configured communication", "channel", channel, "remotes", len(nodes))
}

// formerOf are those who were members at now, or not long ago, and are not in current.
func formerOf(old *members, current map[string]uint64, now time.Time) map[string]former {
	all := map[string]former{}
	for key, f := range old.former {
		if _, again := current[key]; !again && now.Before(f.until) {
			all[key] = f
		}
	}
	for key, id := range old.byClientKey {
		if _, still := current[key]; !still {
			all[key] = former{id: id, until: now.Add(formerPatience), turn: make(chan struct{}, 1)}
		}
	}
	return all
}

// Remove forgets a channel; messages of it are refused from now on.
func (c *Comm) Remove(channel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.channels[channel]; m != nil {
		delete(c.channels, channel)
		m.abort(ErrAborted)
	}
}

func (m *members) abort(cause error) {
	for _, r := range m.byID {
		r.abort(cause)
	}
	for _, r := range m.leaving {
		r.abort(cause)
	}
}

// Shutdown aborts everything for good.
func (c *Comm) Shutdown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shutdown = true
	for channel, m := range c.channels {
		delete(c.channels, channel)
		m.abort(ErrShutdown)
	}
}

// remote finds a consenter by its Raft ID.
func (c *Comm) remote(channel string, id uint64) (*remote, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.shutdown {
		return nil, ErrShutdown
	}
	m := c.channels[channel]
	if m == nil {
		return nil, fmt.Errorf("channel %s doesn't exist", channel)
	}
	r := m.byID[id]
	if r == nil {
		return nil, fmt.Errorf("node %d doesn't exist in channel %s's membership", id, channel)
	}
	return r, nil
}

// sender returns the Raft ID of the consenter with the client public key given
// (PKIX), as the texts of spec 5.2 want it. It has been heard of by that.
func (c *Comm) sender(channel string, clientKey []byte) (uint64, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	m := c.channels[channel]
	if m == nil {
		return 0, fmt.Errorf("channel %s doesn't exist", channel)
	}
	if len(clientKey) == 0 {
		return 0, errNoClientCert
	}
	id, known := m.byClientKey[string(clientKey)]
	if !known {
		return 0, errUnauthorized
	}
	if r := m.byID[id]; r.refused.Load() {
		r.refused.Store(false)
	}
	return id, nil
}

// submitter is like sender, for transactions, which are taken for a while from
// former consenters too. These have a turn.
func (c *Comm) submitter(channel string, clientKey []byte) (id uint64, turn chan struct{}, err error) {
	id, err = c.sender(channel, clientKey)
	if !errors.Is(err, errUnauthorized) {
		return id, nil, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m := c.channels[channel]; m != nil {
		if f, ok := m.former[string(clientKey)]; ok && time.Now().Before(f.until) {
			return f.id, f.turn, nil
		}
	}
	return 0, nil, err
}

// remote is one consenter of one channel with its connection and streams.
type remote struct {
	comm    *Comm
	channel string
	node    RemoteNode

	mu      sync.Mutex
	conn    *grpc.ClientConn // nil until it could be made, and after abort
	aborted bool
	cause   error
	streams [messageTypes]*stream
	// ending are streams for transactions that are being ended in order.
	ending []*stream

	// refused is set when the node refuses a message of this channel, until one
	// of it is taken again.
	refused atomic.Bool
}

// connect starts connecting; a failure shows when a message is to be sent.
func (r *remote) connect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.acquire(); err != nil {
		r.comm.log.Warnf("Unable to obtain connection to %d(%s) (channel %s): %v", r.node.ID, r.node.Endpoint, r.channel, err)
	}
}

func (r *remote) acquire() error {
	if r.conn != nil {
		return nil
	}
	conn, err := r.comm.conns.acquire(r.node.Endpoint, r.node.ServerTLSCert)
	if err != nil {
		return err
	}
	r.conn = conn
	return nil
}

// abort ends the streams and gives up the connection.
func (r *remote) abort(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.aborted, r.cause = true, cause
	for _, s := range r.streams {
		if s != nil {
			s.cancel(cause)
		}
	}
	for _, s := range r.ending {
		s.cancel(cause)
	}
	r.release()
}

// leave is like abort, but what was sent is read: transactions, and that the node
// is no member any more. It returns whether that is still being waited for.
func (r *remote) leave() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.aborted, r.cause = true, ErrAborted
	ending := r.stillEnding()
	for i, s := range r.streams {
		if s != nil && s.ctx.Err() == nil {
			s.finish()
			ending = append(ending, s)
		}
		r.streams[i] = nil
	}
	r.ending = ending
	if len(ending) == 0 {
		r.release()
		return false
	}
	go func() {
		for _, s := range ending {
			<-s.ended
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.release()
	}()
	return true
}

// release gives up the connection. r.mu is held.
func (r *remote) release() {
	if r.conn != nil {
		r.comm.conns.release(r.node.Endpoint, r.node.ServerTLSCert)
		r.conn = nil
	}
}

// stream returns the live stream for a type of message, a new one if there is
// none. It does not wait for the network.
func (r *remote) stream(kind messageType) (*stream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.aborted {
		return nil, r.cause
	}
	if s := r.streams[kind]; s != nil && s.ctx.Err() == nil {
		return s, nil
	}
	if err := r.acquire(); err != nil {
		return nil, err
	}
	if state := r.conn.GetState(); state != connectivity.Ready {
		if state == connectivity.Idle {
			r.conn.Connect()
		}
		return nil, fmt.Errorf("connection to %d(%s) is in state %s", r.node.ID, r.node.Endpoint, state)
	}
	s := r.newStream(kind)
	r.streams[kind] = s
	return s, nil
}

// finish ends the stream for transactions in order, if there is one.
func (r *remote) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.streams[transactionMessages]; s != nil {
		s.finish()
		r.streams[transactionMessages] = nil
		r.ending = append(r.stillEnding(), s)
	}
}

func (r *remote) submitting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.streams[transactionMessages]
	return s != nil && s.ctx.Err() == nil || len(r.stillEnding()) > 0
}

// stillEnding forgets the streams that have ended. r.mu is held.
func (r *remote) stillEnding() []*stream {
	var left []*stream
	for _, s := range r.ending {
		select {
		case <-s.ended:
		default:
			left = append(left, s)
		}
	}
	return left
}

func (r *remote) endingStreams() []*stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stillEnding()
}

// reachable reports whether there is a connection to the node and it takes
// messages of the channel, as far as is known.
func (r *remote) reachable() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conn != nil && r.conn.GetState() == connectivity.Ready && !r.refused.Load()
}

func (r *remote) newStream(kind messageType) *stream {
	c := r.comm
	host := r.node.Endpoint
	ctx, cancel := context.WithCancelCause(context.Background())
	expiry := r.expiryWarning()
	s := &stream{
		kind: kind, channel: r.channel, queue: make(chan outgoing, c.cfg.SendBufferSize),
		ctx: ctx, cancel: cancel, timeout: c.cfg.RPCTimeout,
		finishing: make(chan struct{}), ended: make(chan struct{}),
		queueLength: c.metrics.queueLength.With("host", host, "msg_type", kind.String(), "channel", r.channel),
		sendTime:    c.metrics.sendTime.With("host", host, "channel", r.channel),
		dropped:     c.metrics.dropped.With("host", host, "channel", r.channel),
		onUse:       func() { expiry.check(r.channel) },
		onRefusal:   func() { r.refused.Store(true) },
	}
	c.metrics.queueCapacity.With("host", host, "msg_type", kind.String(), "channel", r.channel).Set(float64(c.cfg.SendBufferSize))
	workers := c.metrics.queueWorkers.With("channel", r.channel)
	count := c.metrics.streamCount.With("channel", r.channel)
	workers.Add(1)
	count.Add(1)
	conn := r.conn
	go func() {
		s.run(conn)
		workers.Add(-1)
		count.Add(-1)
		c.log.Debugw("Stream ended", "channel", r.channel, "node", r.node.ID, "type", kind.String(), "reason", context.Cause(ctx))
	}()
	return s
}

func (r *remote) expiryWarning() *expiryWarning {
	w := &expiryWarning{
		threshold: r.comm.cfg.CertExpirationWarningThreshold, endpoint: r.node.Endpoint,
		log: r.comm.log, now: time.Now,
	}
	if cert, err := x509.ParseCertificate(r.node.ServerTLSCert); err == nil {
		w.notAfter, w.node = cert.NotAfter, cert.Subject.CommonName
	}
	return w
}
