package msp

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/msp/p256"
	"raftmig/orderer/protoutil"
)

// principalLimit bounds the answers that one identity remembers.
const principalLimit = 256

// identity is a certificate of an MSP, with the answers given about it so far.
// Those never change, because neither the MSP nor the certificate does.
type identity struct {
	msp  *fabricMSP
	cert *x509.Certificate // low-S form
	key  string
	pub  *p256.Key // nil unless the certificate's public key is one of ECDSA
	// issuers are the CAs above cert, the issuer first; with chainErr set there are none.
	issuers  []*x509.Certificate
	chainErr error

	validateOnce sync.Once
	validateErr  error

	principals atomic.Pointer[map[principalKey]error]
}

type principalKey struct {
	class     mspproto.MSPPrincipal_Classification
	principal string
}

func (m *fabricMSP) newIdentity(certPEM []byte) (*identity, error) {
	cert, err := parseCertPEM(certPEM)
	if err != nil {
		return nil, err
	}
	if err := checkPublicKey(cert); err != nil {
		return nil, err
	}
	id := &identity{msp: m}
	if id.cert, id.issuers, err = m.trust.normalize(cert); err != nil {
		return nil, err
	}
	if id.issuers == nil {
		id.issuers, id.chainErr = m.issuersOf(id.cert)
	}
	if pub, ok := id.cert.PublicKey.(*ecdsa.PublicKey); ok {
		id.pub = keys.Key(pub)
	}
	h := m.hashes.identity()
	h.Write(id.cert.Raw)
	id.key = m.id + ":" + hex.EncodeToString(h.Sum(nil))
	return id, nil
}

func (m *fabricMSP) issuersOf(cert *x509.Certificate) ([]*x509.Certificate, error) {
	chain, err := m.trust.chain(cert)
	if err != nil {
		return nil, fmt.Errorf("failed getting validation chain: %w", err)
	}
	return chain[1:], nil
}

// MSPID is the identifier of the identity's MSP.
func (id *identity) MSPID() string { return id.msp.id }

// Key identifies the identity within a channel.
func (id *identity) Key() string { return id.key }

// ExpiresAt is the certificate's NotAfter.
func (id *identity) ExpiresAt() time.Time { return id.cert.NotAfter }

// Serialize returns the identity with its certificate in low-S form.
func (id *identity) Serialize() ([]byte, error) { return serialize(id.msp.id, id.cert) }

func serialize(mspID string, cert *x509.Certificate) ([]byte, error) {
	return protoutil.Marshal(&mspproto.SerializedIdentity{
		Mspid:   mspID,
		IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
	})
}

// Verify checks an ECDSA signature over the hash of msg.
func (id *identity) Verify(msg, sig []byte) error {
	if id.pub == nil {
		return errors.New("could not determine the validity of the signature: only ECDSA identities can sign")
	}
	h := id.msp.hashes.message()
	h.Write(msg)
	return verifyLowS(id.pub, h.Sum(nil), sig)
}

// Validate checks chain, revocation and organizational units, once.
func (id *identity) Validate() error {
	id.validateOnce.Do(func() { id.validateErr = id.validate() })
	return id.validateErr
}

func (id *identity) validate() error {
	if err := id.checkChain(); err != nil {
		return fmt.Errorf("could not obtain certification chain: %w", err)
	}
	if err := checkRevocation(id.msp.crls, id.cert, id.issuers[0]); err != nil {
		return fmt.Errorf("could not validate identity against certification chain: %w", err)
	}
	if err := id.msp.checkOUs(id); err != nil {
		return fmt.Errorf("could not validate identity's OUs: %w", err)
	}
	return nil
}

func (id *identity) checkChain() error {
	switch {
	case id.cert.IsCA:
		return errors.New("An X509 certificate with Basic Constraint: Certificate Authority equals true cannot be used as an identity")
	case id.chainErr != nil:
		return id.chainErr
	case len(id.issuers) == 0:
		return errors.New("expected a chain of length at least 2, got 1")
	case id.msp.inner[string(id.issuers[0].Raw)]:
		return fmt.Errorf("invalid validation chain. Parent certificate should be a leaf of the certification tree, subject %s", id.issuers[0].Subject)
	}
	return nil
}

// SatisfiesPrincipal returns nil if the identity is what principal asks for.
// Any other answer is ErrPrincipalNotSatisfied with the reason as its text.
func (id *identity) SatisfiesPrincipal(principal *mspproto.MSPPrincipal) error {
	if known := id.principals.Load(); known != nil {
		if err, ok := (*known)[principalKey{principal.GetPrincipalClassification(), string(principal.GetPrincipal())}]; ok {
			return err
		}
	}
	err := id.msp.satisfies(id, principal)
	if err != nil {
		err = &notSatisfied{err}
	}
	id.remember(principalKey{principal.GetPrincipalClassification(), string(principal.GetPrincipal())}, err)
	return err
}

func (id *identity) remember(key principalKey, err error) {
	for {
		known := id.principals.Load()
		next := map[principalKey]error{}
		if known != nil {
			if len(*known) >= principalLimit {
				return
			}
			next = maps.Clone(*known)
		}
		next[key] = err
		if id.principals.CompareAndSwap(known, &next) {
			return
		}
	}
}

// notSatisfied is ErrPrincipalNotSatisfied with a reason.
type notSatisfied struct{ reason error }

func (e *notSatisfied) Error() string   { return e.reason.Error() }
func (e *notSatisfied) Unwrap() []error { return []error{ErrPrincipalNotSatisfied, e.reason} }
