package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// ErrNoClientTLS is returned for every connection where the node has no
// cluster client certificate (spec 8.5).
var ErrNoClientTLS = errors.New("cluster client TLS is not configured")

// ClientTLS is the client side of connections to other orderers.
type ClientTLS struct {
	// Certificate is this node's cluster client certificate with its key. Nil
	// means that there is none; every connection then fails.
	Certificate *tls.Certificate
	// RootCAs returns the certificates that server certificates are verified
	// against: the TLS CAs of the orderer organizations of all channels and
	// General.Cluster.RootCAs. It is called for each handshake.
	RootCAs func() *x509.CertPool
	// TimeShift moves the time of certificate checks back (TLSHandshakeTimeShift).
	TimeShift time.Duration
}

// CertificateDER returns this node's client certificate, or nil.
func (c ClientTLS) CertificateDER() []byte {
	if c.Certificate == nil || len(c.Certificate.Certificate) == 0 {
		return nil
	}
	return c.Certificate.Certificate[0]
}

// config returns TLS settings for a connection; roots overrides RootCAs if not nil.
func (c ClientTLS) config(roots *x509.CertPool) (*tls.Config, error) {
	if c.Certificate == nil {
		return nil, ErrNoClientTLS
	}
	if roots == nil && c.RootCAs != nil {
		roots = c.RootCAs()
	}
	if roots == nil {
		roots = x509.NewCertPool() // nil would mean the machine's own roots
	}
	cfg := &tls.Config{
		Certificates: []tls.Certificate{*c.Certificate},
		RootCAs:      roots,
		MinVersion:   tls.VersionTLS12,
	}
	if c.TimeShift > 0 {
		shift := c.TimeShift
		cfg.Time = func() time.Time { return time.Now().Add(-shift) }
	}
	return cfg, nil
}

// pinned returns credentials that also require the server to present the
// public key of serverCert (DER).
func (c ClientTLS) pinned(endpoint string, serverCert []byte) (credentials.TransportCredentials, error) {
	expected, err := x509.ParseCertificate(serverCert)
	if err != nil {
		return nil, fmt.Errorf("invalid certificate DER: %w", err)
	}
	fresh := func() (credentials.TransportCredentials, error) {
		cfg, err := c.config(nil)
		if err != nil {
			return nil, err
		}
		cfg.VerifyConnection = func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 ||
				!bytes.Equal(state.PeerCertificates[0].RawSubjectPublicKeyInfo, expected.RawSubjectPublicKeyInfo) {
				return fmt.Errorf("public key of server certificate presented by %s doesn't match the expected public key", endpoint)
			}
			return nil
		}
		return credentials.NewTLS(cfg), nil
	}
	first, err := fresh()
	if err != nil {
		return nil, err
	}
	return &freshTLS{TransportCredentials: first, fresh: fresh}, nil
}

// freshTLS makes its settings anew for each handshake, so that a connection
// that is made again is verified against the root certificates of that time.
type freshTLS struct {
	credentials.TransportCredentials
	fresh func() (credentials.TransportCredentials, error)
}

// ClientHandshake implements credentials.TransportCredentials.
func (f *freshTLS) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	creds, err := f.fresh()
	if err != nil {
		return nil, nil, err
	}
	return creds.ClientHandshake(ctx, authority, conn)
}

// Clone implements credentials.TransportCredentials.
func (f *freshTLS) Clone() credentials.TransportCredentials {
	return &freshTLS{TransportCredentials: f.TransportCredentials.Clone(), fresh: f.fresh}
}
