package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"

	"filippo.io/nistec"
)

const (
	// scalarSize is the length of a scalar, a coordinate and a digest, in bytes.
	scalarSize = 32
	// digits is the number of digits that a scalar is cut into: its bytes.
	digits = scalarSize
	// half is the largest digit. Bytes above it become negative digits with a
	// carry, which halves the table: -P costs next to nothing.
	half = 128
)

var (
	order     = elliptic.P256().Params().N
	halfOrder = new(big.Int).Rsh(order, 1)
)

// table holds the multiples of one public key Q: table[i][d-1] is d·256^i·Q.
// It takes 384 KiB and about 2 ms to make, and does not change afterwards.
type table [digits][half]nistec.P256Point

// newTable fails if pub is no point of the curve.
func newTable(pub *ecdsa.PublicKey) (*table, error) {
	encoded, err := pub.Bytes()
	if err != nil {
		return nil, err
	}
	base, err := nistec.NewP256Point().SetBytes(encoded)
	if err != nil {
		return nil, err
	}
	t := new(table)
	for i := range t {
		row := &t[i]
		row[0].Set(base)
		for d := 1; d < half; d++ {
			row[d].Add(&row[d-1], base)
		}
		base.Double(&row[half-1])
	}
	return t, nil
}

// multiple returns k·Q, for k up to half the curve's order: a larger one could
// leave a carry behind its last byte.
func (t *table) multiple(k *[scalarSize]byte) *nistec.P256Point {
	sum, negative := nistec.NewP256Point(), nistec.NewP256Point()
	carry := 0
	for i := range t {
		digit := int(k[scalarSize-1-i]) + carry
		carry = 0
		if digit > half {
			digit, carry = digit-256, 1
		}
		switch {
		case digit > 0:
			sum.Add(sum, &t[i][digit-1])
		case digit < 0:
			sum.Add(sum, negative.Negate(&t[i][-digit-1]))
		}
	}
	return sum
}

// verify is the verification of FIPS 186-5, section 6.4.2, for a digest of
// scalarSize bytes.
func (t *table) verify(digest []byte, r, s *big.Int) bool {
	if !isScalar(r) || !isScalar(s) {
		return false
	}
	w := new(big.Int).ModInverse(s, order)
	u1 := new(big.Int).SetBytes(digest)
	u1.Mod(u1.Mul(u1, w), order)
	u2 := w.Mod(w.Mul(w, r), order)
	negative := u2.Cmp(halfOrder) > 0
	if negative {
		u2.Sub(order, u2)
	}

	var k [scalarSize]byte
	q := t.multiple((*[scalarSize]byte)(u2.FillBytes(k[:])))
	if negative {
		q.Negate(q)
	}
	g, err := nistec.NewP256Point().ScalarBaseMult(u1.FillBytes(k[:]))
	if err != nil {
		return false
	}
	x, err := g.Add(g, q).BytesX() // an error for the point at infinity
	if err != nil {
		return false
	}
	v := u1.SetBytes(x)
	if v.Cmp(order) >= 0 { // a coordinate is less than twice the order
		v.Sub(v, order)
	}
	return v.Cmp(r) == 0
}

// isScalar says whether r can be half of a signature.
func isScalar(r *big.Int) bool { return r.Sign() > 0 && r.Cmp(order) < 0 }
