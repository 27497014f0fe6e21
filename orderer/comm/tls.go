package comm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// ClientAuth says what a server wants to know of its clients.
type ClientAuth int

// The three rules in use (spec 5.2, 6.5).
const (
	// NoClientCert asks for nothing.
	NoClientCert ClientAuth = iota
	// RequestClientCert takes a certificate if there is one and does not verify
	// it; the cluster service compares it with the consenters'.
	RequestClientCert
	// RequireClientCert takes only clients with a certificate of a known CA.
	RequireClientCert
)

// TLSOptions configure a server's side of TLS.
type TLSOptions struct {
	Certificate, Key []byte // PEM
	ClientAuth       ClientAuth
	// ClientRootCAs are PEM blocks; see TLSConfig.SetClientRootCAs.
	ClientRootCAs [][]byte
	// TimeShift is taken off the clock when clients are verified.
	TimeShift time.Duration
	// HTTP is for servers of HTTP rather than gRPC.
	HTTP bool
}

// cipherSuites of TLS 1.2 (spec 5.2).
var cipherSuites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
}

// TLSConfig is a server's TLS whose client CAs may change while it serves.
type TLSConfig struct {
	base *tls.Config
	pool atomic.Pointer[x509.CertPool]
}

// NewTLSConfig checks o and returns the server's TLS.
func NewTLSConfig(o TLSOptions) (*TLSConfig, error) {
	cert, err := tls.X509KeyPair(o.Certificate, o.Key)
	if err != nil {
		return nil, fmt.Errorf("loading the server's TLS certificate and key: %w", err)
	}
	c := &TLSConfig{base: &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12,
		SessionTicketsDisabled: true, CipherSuites: cipherSuites,
	}}
	if o.TimeShift > 0 {
		c.base.Time = func() time.Time { return time.Now().Add(-o.TimeShift) }
	}
	if !o.HTTP {
		c.base.NextProtos = []string{"h2"}
	}
	switch o.ClientAuth {
	case RequestClientCert:
		c.base.ClientAuth = tls.RequestClientCert
		if o.HTTP {
			c.base.ClientAuth = tls.VerifyClientCertIfGiven
		}
	case RequireClientCert:
		c.base.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, c.SetClientRootCAs(o.ClientRootCAs)
}

// SetClientRootCAs replaces the CAs of clients for connections to come. It
// takes those that it can parse and returns an error that names the others.
func (c *TLSConfig) SetClientRootCAs(pems [][]byte) error {
	pool := x509.NewCertPool()
	var errs []error
	for i, p := range pems {
		if !pool.AppendCertsFromPEM(p) {
			errs = append(errs, fmt.Errorf("client root CA %d holds no PEM certificate", i))
		}
	}
	c.pool.Store(pool)
	return errors.Join(errs...)
}

// Config returns the configuration for a listener.
func (c *TLSConfig) Config() *tls.Config {
	outer := c.base.Clone()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		inner := c.base.Clone()
		inner.ClientCAs = c.pool.Load()
		return inner, nil
	}
	return outer
}

// Credentials returns the configuration for a gRPC server.
func (c *TLSConfig) Credentials() credentials.TransportCredentials {
	return credentials.NewTLS(c.Config())
}
