package msp

import (
	"errors"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrUnknownMSP is returned for an identity of an MSP that the channel does not know.
	ErrUnknownMSP = errors.New("MSP is unknown")
	// ErrPrincipalNotSatisfied is returned for an identity that is not what a
	// principal asks for; the text of the error gives the reason.
	ErrPrincipalNotSatisfied = errors.New("the identity does not satisfy the principal")
)

// Identity is a certificate of an MSP.
type Identity interface {
	// MSPID is the identifier of the identity's MSP.
	MSPID() string
	// Key identifies the identity: MSP ID and the SHA-256 of its certificate.
	Key() string
	// ExpiresAt is the certificate's NotAfter.
	ExpiresAt() time.Time
	// Validate checks chain, revocation and organizational units, not the dates.
	Validate() error
	// SatisfiesPrincipal returns nil if the identity is what principal asks for.
	SatisfiesPrincipal(principal *mspproto.MSPPrincipal) error
	// Verify checks sig over the SHA-256 of msg; only low-S signatures pass.
	Verify(msg, sig []byte) error
	// Serialize returns the marshalled SerializedIdentity.
	Serialize() ([]byte, error)
}

// SigningIdentity is an identity with its private key.
type SigningIdentity interface {
	Identity
	// Sign returns the ASN.1 DER, low-S signature over the SHA-256 of msg.
	Sign(msg []byte) ([]byte, error)
}

// MSP is one organization's membership service provider.
type MSP interface {
	// ID is the MSP identifier, e.g. "OrdererMSP".
	ID() string
	IdentityDeserializer
	// TLSRootCerts and TLSIntermediateCerts are PEM blocks.
	TLSRootCerts() [][]byte
	TLSIntermediateCerts() [][]byte
}

// IdentityDeserializer turns bytes into identities.
type IdentityDeserializer interface {
	// DeserializeIdentity decodes a marshalled SerializedIdentity. It does not
	// validate it; see Identity.Validate.
	DeserializeIdentity(serialized []byte) (Identity, error)
}

// Manager holds the MSPs of one channel configuration.
type Manager interface {
	IdentityDeserializer
	// MSPs returns all MSPs by identifier. The map must not be changed.
	MSPs() map[string]MSP
}

// Version selects the rules that a channel's capabilities ask for (spec 7.4).
type Version int

// MSP versions in order of appearance.
const (
	V1_0 Version = iota
	V1_1
	V1_3
	V1_4_3
)
