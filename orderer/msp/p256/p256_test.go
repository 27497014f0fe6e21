package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"testing"

	"filippo.io/nistec"
	"github.com/stretchr/testify/require"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func tableOf(t testing.TB, pub *ecdsa.PublicKey) *table {
	t.Helper()
	made, err := newTable(pub)
	require.NoError(t, err)
	return made
}

func scalar(k *big.Int) []byte {
	return new(big.Int).Mod(k, order).FillBytes(make([]byte, scalarSize))
}

func times(t testing.TB, q *nistec.P256Point, k *big.Int) *nistec.P256Point {
	t.Helper()
	p, err := nistec.NewP256Point().ScalarMult(q, scalar(k))
	require.NoError(t, err)
	return p
}

func pointOf(t testing.TB, pub *ecdsa.PublicKey) *nistec.P256Point {
	t.Helper()
	encoded, err := pub.Bytes()
	require.NoError(t, err)
	q, err := nistec.NewP256Point().SetBytes(encoded)
	require.NoError(t, err)
	return q
}

func TestEveryEntryOfATableIsTheMultipleThatItsPlaceSays(t *testing.T) {
	key := newKey(t)
	q, made := pointOf(t, &key.PublicKey), tableOf(t, &key.PublicKey)
	for i := range made {
		for d := range made[i] {
			k := new(big.Int).Lsh(big.NewInt(int64(d+1)), uint(8*i))
			require.Equal(t, times(t, q, k).Bytes(), made[i][d].Bytes(), "row %d, digit %d", i, d+1)
		}
	}
}

func TestMultiplesAreThoseOfScalarMult(t *testing.T) {
	key := newKey(t)
	q, made := pointOf(t, &key.PublicKey), tableOf(t, &key.PublicKey)
	scalars := []*big.Int{big.NewInt(0), halfOrder}
	for bit := range uint(255) { // around every power of two: digits at their limits, carries that run far
		power := new(big.Int).Lsh(big.NewInt(1), bit)
		scalars = append(scalars, power, new(big.Int).Sub(power, big.NewInt(1)), new(big.Int).Add(power, big.NewInt(127)))
	}
	for _, b := range []byte{0x7f, 0x80, 0x81, 0xff} { // the same byte in every place but the last
		bytes := make([]byte, scalarSize)
		for i := 1; i < scalarSize; i++ {
			bytes[i] = b
		}
		scalars = append(scalars, new(big.Int).SetBytes(bytes))
	}
	for range 1000 {
		k, err := rand.Int(rand.Reader, halfOrder)
		require.NoError(t, err)
		scalars = append(scalars, k)
	}
	for _, k := range scalars {
		if k.Cmp(halfOrder) > 0 {
			continue
		}
		require.Equal(t, times(t, q, k).Bytes(), made.multiple((*[scalarSize]byte)(scalar(k))).Bytes(), "%x", k)
	}
}

func TestSignaturesVerifyAsWithCryptoECDSA(t *testing.T) {
	for range 4 {
		key := newKey(t)
		made := tableOf(t, &key.PublicKey)
		for range 200 {
			digest := make([]byte, scalarSize)
			_, err := rand.Read(digest)
			require.NoError(t, err)
			r, s, err := ecdsa.Sign(rand.Reader, key, digest)
			require.NoError(t, err)
			require.True(t, made.verify(digest, r, s))
			require.True(t, made.verify(digest, r, new(big.Int).Sub(order, s)), "the larger S is for the caller to refuse")

			one := big.NewInt(1)
			require.False(t, made.verify(digest, new(big.Int).Add(r, one), s))
			require.False(t, made.verify(digest, r, new(big.Int).Add(s, one)))
			require.False(t, made.verify(digest, s, r))
			digest[31] ^= 1
			require.False(t, made.verify(digest, r, s))
		}
	}
}

// craft returns a key and the signature over digest that it verifies, with u1
// and u2 as given and R the point that u1·G + u2·Q shall be.
func craft(t *testing.T, bigR *nistec.P256Point, r, u1, u2 *big.Int) (pub *ecdsa.PublicKey, digest []byte, s *big.Int) {
	t.Helper()
	g := times(t, nistec.NewP256Point().SetGenerator(), u1)
	q := nistec.NewP256Point().Add(bigR, g.Negate(g))
	q = times(t, q, new(big.Int).ModInverse(u2, order))
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), q.Bytes())
	require.NoError(t, err)
	s = new(big.Int).Mul(r, new(big.Int).ModInverse(u2, order))
	s.Mod(s, order)
	return pub, scalar(new(big.Int).Mul(u1, s)), s
}

// A coordinate can be larger than the order; r is then what is left of it. No
// signer gets there by chance: one in 2^32 would.
func TestACoordinateAboveTheOrderIsReduced(t *testing.T) {
	p := elliptic.P256().Params().P
	found := 0
	for i := int64(1); found < 8; i++ {
		x := new(big.Int).Add(order, big.NewInt(i))
		require.Negative(t, x.Cmp(p))
		bigR, err := nistec.NewP256Point().SetBytes(append([]byte{2}, x.Bytes()...))
		if err != nil {
			continue // no point has this coordinate
		}
		found++
		r := big.NewInt(i)
		pub, digest, s := craft(t, bigR, r, big.NewInt(12345), big.NewInt(678910+i))
		require.True(t, ecdsa.Verify(pub, digest, r, s))
		require.True(t, tableOf(t, pub).verify(digest, r, s))
		require.False(t, tableOf(t, pub).verify(digest, x, s), "r must be less than the order")
	}
}

func TestSpecialSumsVerifyAsWithCryptoECDSA(t *testing.T) {
	g := nistec.NewP256Point().SetGenerator()
	minus := func(k int64) *big.Int { return new(big.Int).Sub(order, big.NewInt(k)) }
	for name, d := range map[string]*big.Int{
		"Q is G": big.NewInt(1), "Q is -G": minus(1), "Q is 2G": big.NewInt(2), "Q is -2G": minus(2), "Q is 256G": big.NewInt(256),
	} {
		t.Run(name, func(t *testing.T) {
			pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), times(t, g, d).Bytes())
			require.NoError(t, err)
			made := tableOf(t, pub)
			for _, u1 := range []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), big.NewInt(256), minus(1), minus(2), halfOrder} {
				for _, u2 := range []*big.Int{big.NewInt(1), big.NewInt(2), big.NewInt(128), big.NewInt(129), minus(1), minus(2), halfOrder} {
					k := new(big.Int).Mul(u2, d) // R = (u1 + u2·d)·G
					k.Mod(k.Add(k, u1), order)
					r := big.NewInt(7) // the point at infinity has no coordinate: nothing may verify
					if k.Sign() > 0 {
						x, err := times(t, g, k).BytesX()
						require.NoError(t, err)
						r.Mod(new(big.Int).SetBytes(x), order)
					}
					s := new(big.Int).Mul(r, new(big.Int).ModInverse(u2, order))
					s.Mod(s, order)
					digest := scalar(new(big.Int).Mul(u1, s))
					require.Equal(t, k.Sign() > 0, ecdsa.Verify(pub, digest, r, s))
					require.Equal(t, k.Sign() > 0, made.verify(digest, r, s), "u1 %x, u2 %x", u1, u2)
				}
			}
		})
	}
}

func TestNumbersThatAreNoScalarsVerifyNothing(t *testing.T) {
	key := newKey(t)
	made := tableOf(t, &key.PublicKey)
	digest := make([]byte, scalarSize)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	require.NoError(t, err)
	for _, bad := range []*big.Int{new(big.Int), big.NewInt(-1), order, new(big.Int).Neg(r), new(big.Int).Lsh(order, 300)} {
		require.False(t, made.verify(digest, bad, s))
		require.False(t, made.verify(digest, r, bad))
	}
	require.False(t, made.verify(digest, new(big.Int).Add(r, order), s))
	require.False(t, made.verify(digest, r, new(big.Int).Add(s, order)))
}

func FuzzVerifyAgreesWithCryptoECDSA(f *testing.F) {
	key := newKey(f)
	made := tableOf(f, &key.PublicKey)
	seed := sha256.Sum256(nil)
	r, s, err := ecdsa.Sign(rand.Reader, key, seed[:])
	require.NoError(f, err)
	f.Add(seed[:], r.Bytes(), s.Bytes(), false)
	f.Add(seed[:], r.Bytes(), s.Bytes(), true)
	f.Add([]byte{}, order.Bytes(), []byte{0}, true)
	f.Fuzz(func(t *testing.T, digest, rBytes, sBytes []byte, sign bool) {
		digest = scalar(new(big.Int).SetBytes(digest))
		r, s := new(big.Int).SetBytes(rBytes), new(big.Int).SetBytes(sBytes)
		if sign { // a good signature, with what was given on top of it
			goodR, goodS, err := ecdsa.Sign(rand.Reader, key, digest)
			require.NoError(t, err)
			if len(rBytes)%2 == 0 {
				r = goodR
			}
			if len(sBytes)%2 == 0 {
				s = goodS
			}
		}
		require.Equal(t, ecdsa.Verify(&key.PublicKey, digest, r, s), made.verify(digest, r, s))
	})
}
