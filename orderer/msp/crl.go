package msp

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

var oidAuthorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}

// revocationList is a CertificateList of RFC 5280, of version 1 or 2.
type revocationList struct {
	TBS       revocationTBS
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

type revocationTBS struct {
	Raw        asn1.RawContent
	Version    int `asn1:"optional,default:0"`
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	ThisUpdate time.Time
	NextUpdate time.Time        `asn1:"optional"`
	Revoked    []revokedCert    `asn1:"optional"`
	Extensions []pkix.Extension `asn1:"tag:0,optional,explicit"`
}

type revokedCert struct {
	SerialNumber   *big.Int
	RevocationTime time.Time
	Extensions     []pkix.Extension `asn1:"optional"`
}

var crlAlgorithms = []struct {
	oid   asn1.ObjectIdentifier
	alg   x509.SignatureAlgorithm
	ecdsa bool
}{
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}, x509.ECDSAWithSHA1, true},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, x509.ECDSAWithSHA256, true},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, x509.ECDSAWithSHA384, true},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, x509.ECDSAWithSHA512, true},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}, x509.SHA1WithRSA, false},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, x509.SHA256WithRSA, false},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, x509.SHA384WithRSA, false},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, x509.SHA512WithRSA, false},
}

// parseCRL decodes a revocation list in PEM or DER.
func parseCRL(b []byte) (*revocationList, error) {
	if block, _ := pem.Decode(b); block != nil && block.Type == "X509 CRL" {
		b = block.Bytes
	}
	crl := &revocationList{}
	rest, err := asn1.Unmarshal(b, crl)
	if err != nil {
		return nil, fmt.Errorf("could not parse RevocationList: %w", err)
	}
	if len(rest) > 0 {
		return nil, errors.New("could not parse RevocationList: trailing data")
	}
	for _, a := range crlAlgorithms {
		if a.ecdsa && a.oid.Equal(crl.Algorithm.Algorithm) {
			if _, err := parseSignature(crl.Signature.RightAlign()); err != nil {
				return nil, err
			}
		}
	}
	return crl, nil
}

// authorityKeyID returns the key identifier of the list's issuer.
func (l *revocationList) authorityKeyID() ([]byte, error) {
	for _, e := range l.TBS.Extensions {
		if !e.Id.Equal(oidAuthorityKeyID) {
			continue
		}
		var aki struct {
			KeyID  []byte        `asn1:"optional,tag:0"`
			Issuer asn1.RawValue `asn1:"optional,tag:1"`
			Serial asn1.RawValue `asn1:"optional,tag:2"`
		}
		if _, err := asn1.Unmarshal(e.Value, &aki); err != nil {
			return nil, fmt.Errorf("failed to unmarshal AKI: %w", err)
		}
		return aki.KeyID, nil
	}
	return nil, errors.New("authorityKeyIdentifier not found in certificate")
}

func (l *revocationList) lists(serial *big.Int) bool {
	for _, r := range l.TBS.Revoked {
		if r.SerialNumber.Cmp(serial) == 0 {
			return true
		}
	}
	return false
}

func (l *revocationList) signedBy(issuer *x509.Certificate) bool {
	for _, a := range crlAlgorithms {
		if a.oid.Equal(l.Algorithm.Algorithm) {
			return issuer.CheckSignature(a.alg, l.TBS.Raw, l.Signature.RightAlign()) == nil
		}
	}
	return false
}

// checkRevocation returns an error if a list of issuer revokes cert. A list
// that bears the issuer's key identifier but not its signature is ignored.
// The time of revocation does not matter (spec 7.6).
func checkRevocation(crls []*revocationList, cert, issuer *x509.Certificate) error {
	ski, err := subjectKeyID(issuer)
	if err != nil {
		return fmt.Errorf("could not obtain Subject Key Identifier for signer cert: %w", err)
	}
	for _, l := range crls {
		aki, err := l.authorityKeyID()
		if err != nil {
			return fmt.Errorf("could not obtain Authority Key Identifier for crl: %w", err)
		}
		if bytes.Equal(aki, ski) && l.lists(cert.SerialNumber) && l.signedBy(issuer) {
			return errors.New("The certificate has been revoked")
		}
	}
	return nil
}
