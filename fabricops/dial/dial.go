// Package dial keeps one gRPC connection to each ordering node. Connections
// are made when first needed, survive restarts of the node, and carry any
// number of streams.
package dial

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"raftmig/fabricops/inventory"
)

// MaxMessage bounds a message in either direction, in bytes: Fabric's default.
const MaxMessage = 100 << 20

// ConnectTimeout bounds one attempt to connect, to a node or anything else that
// is looked at. A packet that opens a connection and is lost is sent again after 1,
// 3 and 7 s: a line that loses two of them in a row is slow, not dead. Nodes are
// looked at in parallel, so that one that does not answer at all costs this once;
// where no process listens, the refusal comes at once.
const ConnectTimeout = 5 * time.Second

// Timing of connections. A node that was restarted must be found again at
// once, so the pause between attempts stays short.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 500 * time.Millisecond
	// pingAfter is above Fabric's General.Keepalive.ServerMinInterval (60s);
	// pinging more often would make the server close the connection.
	pingAfter   = 90 * time.Second
	pingTimeout = 10 * time.Second
)

// ErrUnknownNode is returned for a name that is not in the inventory.
var ErrUnknownNode = errors.New("no such ordering node in the inventory")

// Pool holds the connections to all ordering nodes. It is safe for concurrent use.
type Pool struct {
	names    []string
	orderers map[string]inventory.Orderer
	cert     *tls.Certificate

	mu     sync.Mutex
	conns  map[string]*grpc.ClientConn
	closed bool
}

// New returns a pool over orderers. cert is presented to nodes that demand
// client certificates; nil for none. Nothing is dialled yet.
func New(orderers []inventory.Orderer, cert *tls.Certificate) *Pool {
	p := &Pool{
		orderers: make(map[string]inventory.Orderer, len(orderers)),
		conns:    make(map[string]*grpc.ClientConn, len(orderers)),
		cert:     cert,
	}
	for _, o := range orderers {
		p.names = append(p.names, o.Name)
		p.orderers[o.Name] = o
	}
	return p
}

// Nodes returns the names of the nodes in the order of the inventory.
func (p *Pool) Nodes() []string { return append([]string(nil), p.names...) }

// Address returns the host:port of a node, "" if it is unknown.
func (p *Pool) Address(node string) string { return p.orderers[node].Address }

// TLSCertHash is the SHA-256 of the client certificate's DER, which Deliver
// requests must carry where client certificates are demanded (spec 6.5); nil
// without a client certificate.
func (p *Pool) TLSCertHash() []byte {
	if p.cert == nil || len(p.cert.Certificate) == 0 {
		return nil
	}
	sum := sha256.Sum256(p.cert.Certificate[0])
	return sum[:]
}

// Conn returns the connection to a node, made on first use.
func (p *Pool) Conn(node string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("connection pool is closed")
	}
	if c, ok := p.conns[node]; ok {
		return c, nil
	}
	o, ok := p.orderers[node]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownNode, node)
	}
	creds, err := p.credentials(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", node, err)
	}
	c, err := grpc.NewClient("passthrough:///"+o.Address,
		grpc.WithTransportCredentials(creds),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstRetry, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastRetry},
			MinConnectTimeout: ConnectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("%s: preparing the connection to %s: %w", node, o.Address, err)
	}
	p.conns[node] = c
	return c, nil
}

// Wake makes a node that was found down be tried again without pause.
func (p *Pool) Wake(node string) {
	p.mu.Lock()
	c := p.conns[node]
	p.mu.Unlock()
	if c != nil {
		c.ResetConnectBackoff()
	}
}

// Close ends all connections; calls in progress fail.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var errs []error
	for _, c := range p.conns {
		errs = append(errs, c.Close())
	}
	p.conns = map[string]*grpc.ClientConn{}
	return errors.Join(errs...)
}

func (p *Pool) credentials(o inventory.Orderer) (credentials.TransportCredentials, error) {
	cfg, err := TLSConfig(o, p.cert)
	if err != nil {
		return nil, err
	}
	if cfg == nil {
		return insecure.NewCredentials(), nil
	}
	return credentials.NewTLS(cfg), nil
}

// TLSConfig returns the client TLS settings for a node: its roots, the name
// its certificate is checked for, and cert where it is asked for. A node
// without TLS roots is spoken to without TLS, and the result is nil.
func TLSConfig(o inventory.Orderer, cert *tls.Certificate) (*tls.Config, error) {
	if len(o.TLSRootCAs) == 0 {
		return nil, nil
	}
	roots := x509.NewCertPool()
	for _, file := range o.TLSRootCAs {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading TLS root certificates: %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", file)
		}
	}
	cfg := &tls.Config{RootCAs: roots, ServerName: o.ServerName, MinVersion: tls.VersionTLS12}
	if cert != nil {
		cfg.Certificates = []tls.Certificate{*cert}
	}
	return cfg, nil
}
