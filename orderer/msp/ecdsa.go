package msp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"raftmig/orderer/msp/p256"
)

var (
	halfP224 = half(elliptic.P224())
	halfP256 = half(elliptic.P256())
	halfP384 = half(elliptic.P384())
	halfP521 = half(elliptic.P521())

	halfP256Bytes = halfP256.Bytes()
)

func half(c elliptic.Curve) *big.Int { return new(big.Int).Rsh(c.Params().N, 1) }

// halfOrder is half the order of the curve's group: the largest S of the two
// that fit a signature.
func halfOrder(c elliptic.Curve) (*big.Int, error) {
	switch c {
	case elliptic.P224():
		return halfP224, nil
	case elliptic.P256():
		return halfP256, nil
	case elliptic.P384():
		return halfP384, nil
	case elliptic.P521():
		return halfP521, nil
	}
	return nil, errors.New("curve not recognized")
}

type ecdsaSignature struct {
	R, S *big.Int
}

// parseSignature decodes an ASN.1 signature. Like Fabric it does not look at
// bytes that follow.
func parseSignature(raw []byte) (*ecdsaSignature, error) {
	sig := &ecdsaSignature{}
	if _, err := asn1.Unmarshal(raw, sig); err != nil {
		return nil, fmt.Errorf("failed unmashalling signature [%s]", err)
	}
	if sig.R == nil || sig.R.Sign() != 1 {
		return nil, errors.New("invalid signature, R must be larger than zero")
	}
	if sig.S == nil || sig.S.Sign() != 1 {
		return nil, errors.New("invalid signature, S must be larger than zero")
	}
	return sig, nil
}

// lowSForm returns the same signature with the smaller S.
func lowSForm(pub *ecdsa.PublicKey, raw []byte) ([]byte, error) {
	sig, err := parseSignature(raw)
	if err != nil {
		return nil, err
	}
	h, err := halfOrder(pub.Curve)
	if err != nil {
		return nil, err
	}
	if sig.S.Cmp(h) > 0 {
		sig.S.Sub(pub.Params().N, sig.S)
	}
	return asn1.Marshal(*sig)
}

// canonical returns R and S, big-endian without leading zeros, of a signature
// that is DER to the letter and has short lengths, as all but those on P-521 are.
func canonical(raw []byte) (r, s []byte, ok bool) {
	if len(raw) < 2 || raw[0] != 0x30 || raw[1] >= 0x80 || int(raw[1]) != len(raw)-2 {
		return nil, nil, false
	}
	r, rest, ok := positiveInteger(raw[2:])
	if !ok {
		return nil, nil, false
	}
	s, rest, ok = positiveInteger(rest)
	return r, s, ok && len(rest) == 0
}

// positiveInteger splits off a DER integer larger than zero.
func positiveInteger(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 0x02 || b[1] == 0 || b[1] >= 0x80 || int(b[1]) > len(b)-2 {
		return nil, nil, false
	}
	value, rest = b[2:2+b[1]], b[2+b[1]:]
	if value[0] == 0 && len(value) > 1 && value[1] >= 0x80 {
		return value[1:], rest, true
	}
	return value, rest, value[0] > 0 && value[0] < 0x80
}

// busyKeys is the number of public keys, over all channels, whose signatures are
// verified with a table. Tables change no answer, so all MSPs share them.
const busyKeys = 64

var keys = p256.NewKeys(busyKeys)

// verifyLowS verifies raw over digest and refuses the larger S.
func verifyLowS(key *p256.Key, digest, raw []byte) error {
	curve := key.Public().Curve
	// The common case, without big numbers: half the order of P-256 has 32 bytes.
	if r, s, ok := canonical(raw); ok && curve == elliptic.P256() &&
		(len(s) < 32 || len(s) == 32 && bytes.Compare(s, halfP256Bytes) <= 0) {
		return valid(key.Verify(digest, r, s))
	}
	sig, err := parseSignature(raw)
	if err != nil {
		return fmt.Errorf("could not determine the validity of the signature: %w", err)
	}
	h, err := halfOrder(curve)
	if err != nil {
		return fmt.Errorf("could not determine the validity of the signature: %w", err)
	}
	if sig.S.Cmp(h) > 0 {
		return fmt.Errorf("could not determine the validity of the signature: Invalid S. Must be smaller than half the order [%s][%s].", sig.S, h)
	}
	return valid(key.Verify(digest, sig.R.Bytes(), sig.S.Bytes()))
}

func valid(ok bool) error {
	if !ok {
		return errors.New("The signature is invalid")
	}
	return nil
}
