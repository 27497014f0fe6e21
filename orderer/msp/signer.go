package msp

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
)

// ErrKeyMismatch is returned for a private key that belongs to another certificate.
var ErrKeyMismatch = errors.New("the private key does not belong to the certificate")

var errNoMSP = errors.New("a signing identity stands outside an MSP; deserialize it to validate it")

type signer struct {
	mspID      string
	cert       *x509.Certificate
	key        *ecdsa.PrivateKey
	serialized []byte
}

// NewSigningIdentity returns an identity that signs with keyPEM, an EC key in
// PKCS #8 or SEC 1 form. It belongs to no MSP object: Validate and
// SatisfiesPrincipal return an error.
func NewSigningIdentity(mspID string, certPEM, keyPEM []byte) (SigningIdentity, error) {
	cert, err := parseCertPEM(certPEM)
	if err != nil {
		return nil, fmt.Errorf("signing certificate: %w", err)
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("signing certificate: its key is %s, only ECDSA keys can sign", cert.PublicKeyAlgorithm)
	}
	if _, err := halfOrder(pub.Curve); err != nil {
		return nil, fmt.Errorf("signing certificate: %w", err)
	}
	key, err := parseKeyPEM(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	if !key.PublicKey.Equal(pub) {
		return nil, ErrKeyMismatch
	}
	serialized, err := serialize(mspID, cert)
	if err != nil {
		return nil, fmt.Errorf("serializing the signing identity: %w", err)
	}
	return &signer{mspID: mspID, cert: cert, key: key, serialized: serialized}, nil
}

func parseKeyPEM(b []byte) (*ecdsa.PrivateKey, error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, errors.New("could not decode the PEM structure")
		}
		switch block.Type {
		case "EC PARAMETERS": // openssl writes them before the key
			continue
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the key is encrypted; an unencrypted one is needed")
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("neither an EC key nor a PKCS #8 one (PEM type %q)", block.Type)
		}
		ec, ok := key.(*ecdsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("the key is a %T, only ECDSA keys can sign", key)
		}
		return ec, nil
	}
}

func (s *signer) MSPID() string              { return s.mspID }
func (s *signer) ExpiresAt() time.Time       { return s.cert.NotAfter }
func (s *signer) Serialize() ([]byte, error) { return s.serialized, nil }
func (s *signer) Validate() error            { return errNoMSP }

func (s *signer) SatisfiesPrincipal(*mspproto.MSPPrincipal) error { return errNoMSP }

func (s *signer) Key() string {
	sum := sha256.Sum256(s.cert.Raw)
	return s.mspID + ":" + hex.EncodeToString(sum[:])
}

func (s *signer) Verify(msg, sig []byte) error {
	digest := sha256.Sum256(msg)
	return verifyLowS(keys.Key(&s.key.PublicKey), digest[:], sig)
}

// Sign returns the low-S signature over the SHA-256 of msg.
func (s *signer) Sign(msg []byte) ([]byte, error) {
	digest := sha256.Sum256(msg)
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return lowSForm(&s.key.PublicKey, sig)
}
