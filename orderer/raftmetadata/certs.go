package raftmetadata

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"raftmig/orderer/channelconfig"
)

// VerifyOptions returns the options under which consenter certificates are
// verified: the TLS roots and intermediates of all organizations of ord, for
// client or server use (spec 4.2). CurrentTime is left zero.
func VerifyOptions(ord channelconfig.Orderer) (x509.VerifyOptions, error) {
	opts := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, org := range ord.Organizations() {
		if err := addCerts(opts.Roots, org.MSP().TLSRootCerts()); err != nil {
			return x509.VerifyOptions{}, fmt.Errorf("parsing tls root certs: %w", err)
		}
		if err := addCerts(opts.Intermediates, org.MSP().TLSIntermediateCerts()); err != nil {
			return x509.VerifyOptions{}, fmt.Errorf("parsing tls intermediate certs: %w", err)
		}
	}
	return opts, nil
}

func addCerts(pool *x509.CertPool, pems [][]byte) error {
	for _, p := range pems {
		cert, err := ParseCertificate(p)
		if err != nil {
			return err
		}
		pool.AddCert(cert)
	}
	return nil
}

// ParseCertificate decodes one PEM certificate with Fabric's error texts.
func ParseCertificate(pemBytes []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(pemBytes)
	if block == nil {
		return nil, fmt.Errorf("no PEM data found in cert[% x]", pemBytes)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w TLS certificate has invalid ASN1 structure %s", err, string(block.Bytes))
	}
	return cert, nil
}

// VerifyConsenter checks both certificates of a consenter: chain, key usage
// and, at opts.CurrentTime (zero means now), their dates.
func VerifyConsenter(c *etcdraft.Consenter, opts x509.VerifyOptions) error {
	return verifyConsenter(c, func(cert *x509.Certificate) error {
		_, err := cert.Verify(opts)
		return err
	})
}

func verifyConsenter(c *etcdraft.Consenter, verify func(*x509.Certificate) error) error {
	client, err := ParseCertificate(c.GetClientTlsCert())
	if err != nil {
		return fmt.Errorf("parsing tls client cert of %s:%d: %w", c.GetHost(), c.GetPort(), err)
	}
	server, err := ParseCertificate(c.GetServerTlsCert())
	if err != nil {
		return fmt.Errorf("parsing tls server cert of %s:%d: %w", c.GetHost(), c.GetPort(), err)
	}
	if err := verify(client); err != nil {
		return fmt.Errorf("verifying tls client cert with serial number %d: %w", client.SerialNumber, err)
	}
	if err := verify(server); err != nil {
		return fmt.Errorf("verifying tls server cert with serial number %d: %w", server.SerialNumber, err)
	}
	return nil
}

// verifyIgnoringExpiry accepts a chain that holds at some moment of the
// certificate's life, or now; expiry of the certificate itself is no error.
func verifyIgnoringExpiry(opts x509.VerifyOptions) func(*x509.Certificate) error {
	return func(cert *x509.Certificate) error {
		_, atNow := cert.Verify(opts)
		if atNow == nil {
			return nil
		}
		var err error
		for _, t := range []time.Time{cert.NotBefore, cert.NotAfter} {
			at := opts
			at.CurrentTime = t
			if _, err = cert.Verify(at); err == nil {
				return nil
			}
		}
		var invalid x509.CertificateInvalidError
		if errors.As(atNow, &invalid) && invalid.Reason == x509.Expired {
			return err
		}
		return atNow
	}
}

// SamePublicKey reports whether two certificates, each PEM or DER, carry the
// same public key. This, not the certificate's bytes, is what identifies a
// cluster node (spec 5.2), so that a renewal with the same key needs no
// configuration update. A certificate that does not parse equals none.
func SamePublicKey(a, b []byte) bool {
	ka, err := PublicKey(a)
	if err != nil {
		return false
	}
	kb, err := PublicKey(b)
	return err == nil && bytes.Equal(ka, kb)
}

// PublicKey returns the PKIX (DER) public key of a certificate, PEM or DER.
func PublicKey(cert []byte) ([]byte, error) {
	der := cert
	if block, _ := pem.Decode(cert); block != nil {
		der = block.Bytes
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing certificate: %w", err)
	}
	return c.RawSubjectPublicKeyInfo, nil
}
