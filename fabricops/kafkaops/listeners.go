package kafkaops

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// Listener is a broker's address as a client with TLS or SASL finds it.
type Listener struct {
	Address string
	// Unreachable: no connection is accepted, so nothing is known.
	Unreachable bool
	// Cert is what it presents, whether it passes or not.
	Cert *x509.Certificate
	// Err says why TLS or the login failed, nil if the broker answers.
	Err error
}

// Listeners tries each address once, in the order given, repetitions left out.
func (c *Cluster) Listeners(ctx context.Context, addresses []string) []Listener {
	var out []Listener
	for _, a := range addresses {
		if !slices.ContainsFunc(out, func(l Listener) bool { return l.Address == a }) {
			out = append(out, Listener{Address: a})
		}
	}
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() { c.try(ctx, &out[i]) })
	}
	wg.Wait()
	return out
}

func (c *Cluster) try(ctx context.Context, l *Listener) {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout+replyTimeout)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: DialTimeout}).DialContext(ctx, "tcp", l.Address)
	if err != nil {
		l.Unreachable = true
		return
	}
	if c.TLS != nil {
		l.Cert, l.Err = c.handshake(ctx, conn, l.Address)
	}
	_ = conn.Close() // it was only asked
	if l.Err != nil {
		return
	}
	_, l.Err = bounded(ctx, func() (struct{}, error) {
		b := sarama.NewBroker(l.Address)
		if err := b.Open(c.config(telling)); err != nil {
			return struct{}{}, err
		}
		defer b.Close() //nolint:errcheck // it was only asked
		// The login is part of connecting; the answer shows that it is over.
		_, err := b.GetMetadata(&sarama.MetadataRequest{Version: 1, Topics: []string{}})
		return struct{}{}, err
	})
}

// handshake returns the certificate that is presented, and why it does not pass.
func (c *Cluster) handshake(ctx context.Context, conn net.Conn, address string) (*x509.Certificate, error) {
	cfg := c.TLS.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(address)
	}
	var seen *x509.Certificate
	// Seen first, checked after: a certificate that does not pass is a fact too.
	roots, name := cfg.RootCAs, cfg.ServerName
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("no certificate is presented")
		}
		seen = s.PeerCertificates[0]
		inter := x509.NewCertPool()
		for _, i := range s.PeerCertificates[1:] {
			inter.AddCert(i)
		}
		_, err := seen.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, DNSName: name})
		return err
	}
	err := tls.Client(conn, cfg).HandshakeContext(ctx)
	return seen, err
}
