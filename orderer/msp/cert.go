package msp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	oidSubjectAltName  = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
)

// parseCertPEM decodes the first PEM block of b, whatever its type says.
func parseCertPEM(b []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("could not decode the PEM structure")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parseCertificate failed: %w", err)
	}
	return cert, nil
}

// checkPublicKey refuses keys that Fabric does not know. RSA is for CAs only;
// an RSA identity verifies nothing.
func checkPublicKey(cert *x509.Certificate) error {
	switch cert.PublicKeyAlgorithm {
	case x509.ECDSA, x509.RSA:
		return nil
	}
	return errors.New("failed to import certificate's public key: Certificate's public key type not recognized. Supported keys: [ECDSA, RSA]")
}

func subjectKeyID(cert *x509.Certificate) ([]byte, error) {
	if len(cert.SubjectKeyId) == 0 {
		return nil, errors.New("subjectKeyIdentifier not found in certificate")
	}
	return cert.SubjectKeyId, nil
}

// trust is a set of CAs that chains are built to.
type trust struct {
	roots, intermediates *x509.CertPool
}

func newTrust(roots, intermediates []*x509.Certificate) *trust {
	t := &trust{roots: x509.NewCertPool(), intermediates: x509.NewCertPool()}
	for _, c := range roots {
		t.roots.AddCert(c)
	}
	for _, c := range intermediates {
		t.intermediates.AddCert(c)
	}
	return t
}

// chain returns the one chain from cert to a root, cert first. Dates do not
// matter: the chain is verified as of one second after cert began to be valid,
// so expired certificates and CAs are accepted (spec 7.6).
func (t *trust) chain(cert *x509.Certificate) ([]*x509.Certificate, error) {
	chains, err := cert.Verify(x509.VerifyOptions{
		Roots:         t.roots,
		Intermediates: t.intermediates,
		CurrentTime:   cert.NotBefore.Add(time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("the supplied identity is not valid: %w", err)
	}
	if len(chains) != 1 {
		return nil, fmt.Errorf("this MSP only supports a single validation chain, got %d", len(chains))
	}
	if breaksNameConstraints(chains[0]) {
		return nil, fmt.Errorf("the supplied identity is not valid: %w",
			x509.CertificateInvalidError{Cert: cert, Reason: x509.NameConstraintsWithoutSANs})
	}
	return chains[0], nil
}

// breaksNameConstraints reports a certificate without alternative names whose
// common name could be a host's, below a CA with name constraints. Fabric goes
// on refusing those although the Go library has stopped to.
func breaksNameConstraints(chain []*x509.Certificate) bool {
	leaf := chain[0]
	if hasExtension(leaf.Extensions, oidSubjectAltName) || !couldBeHostname(leaf.Subject.CommonName) {
		return false
	}
	for _, c := range chain[1:] {
		if hasExtension(c.Extensions, oidNameConstraints) {
			return true
		}
	}
	return false
}

func hasExtension(exts []pkix.Extension, oid asn1.ObjectIdentifier) bool {
	for _, e := range exts {
		if e.Id.Equal(oid) {
			return true
		}
	}
	return false
}

// couldBeHostname accepts labels of letters, digits, '_', ':' and inner '-',
// the first one may be "*"; one dot may end the name.
func couldBeHostname(name string) bool {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for i, label := range labels {
		if i == 0 && label == "*" {
			continue
		}
		if label == "" || label[0] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
			if !alnum && c != '-' && c != '_' && c != ':' {
				return false
			}
		}
	}
	return true
}

func signedWithECDSA(cert *x509.Certificate) bool {
	switch cert.SignatureAlgorithm {
	case x509.ECDSAWithSHA1, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return true
	}
	return false
}

// normalize returns cert with the low-S form of its signature, and the CAs
// above it, the issuer first. Certificates that are not signed with ECDSA stay
// as they are. A self-signed CA is its own issuer and has no CAs above it.
func (t *trust) normalize(cert *x509.Certificate) (*x509.Certificate, []*x509.Certificate, error) {
	if !signedWithECDSA(cert) {
		return cert, nil, nil
	}
	if cert.IsCA && cert.CheckSignatureFrom(cert) == nil {
		root, err := withLowS(cert, cert)
		if err != nil {
			return nil, nil, err
		}
		_, err = newTrust([]*x509.Certificate{root}, nil).chain(root)
		return root, nil, err
	}
	chain, err := t.chain(cert)
	if err != nil {
		return nil, nil, err
	}
	if len(chain) < 2 {
		return nil, nil, fmt.Errorf("failed to traverse certificate verification chain for leaf or intermediate certificate, with subject %s", cert.Subject)
	}
	low, err := withLowS(cert, chain[1])
	return low, chain[1:], err
}

// withLowS returns cert, rewritten if its signature by issuer is not low-S.
func withLowS(cert, issuer *x509.Certificate) (*x509.Certificate, error) {
	pub, ok := issuer.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the issuer of an ECDSA-signed certificate has no ECDSA key")
	}
	sig, err := lowSForm(pub, cert.Signature)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(sig, cert.Signature) {
		return cert, nil
	}
	var parts struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(cert.Raw, &parts); err != nil {
		return nil, fmt.Errorf("unmarshalling of the certificate failed: %w", err)
	}
	parts.Signature = asn1.BitString{Bytes: sig, BitLength: len(sig) * 8}
	der, err := asn1.Marshal(parts)
	if err != nil {
		return nil, fmt.Errorf("marshalling of the certificate failed: %w", err)
	}
	return x509.ParseCertificate(der)
}
