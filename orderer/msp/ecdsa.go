package msp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

var (
	halfP224 = half(elliptic.P224())
	halfP256 = half(elliptic.P256())
	halfP384 = half(elliptic.P384())
	halfP521 = half(elliptic.P521())
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

// verifyLowS verifies raw over digest and refuses the larger S.
func verifyLowS(pub *ecdsa.PublicKey, digest, raw []byte) error {
	sig, err := parseSignature(raw)
	if err != nil {
		return fmt.Errorf("could not determine the validity of the signature: %w", err)
	}
	h, err := halfOrder(pub.Curve)
	if err != nil {
		return fmt.Errorf("could not determine the validity of the signature: %w", err)
	}
	if sig.S.Cmp(h) > 0 {
		return fmt.Errorf("could not determine the validity of the signature: Invalid S. Must be smaller than half the order [%s][%s].", sig.S, h)
	}
	if !ecdsa.Verify(pub, digest, sig.R, sig.S) {
		return errors.New("The signature is invalid")
	}
	return nil
}
