package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// signed is a signature to verify over and over.
type signed struct {
	pub          *ecdsa.PublicKey
	digest, r, s []byte
}

func sign(t testing.TB, curve elliptic.Curve, digestSize int) signed {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	digest := make([]byte, digestSize)
	_, err = rand.Read(digest)
	require.NoError(t, err)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	require.NoError(t, err)
	return signed{&key.PublicKey, digest, r.Bytes(), s.Bytes()}
}

func (m signed) verify(t testing.TB, k *Key, n int) {
	t.Helper()
	for range n {
		require.True(t, k.Verify(m.digest, m.r, m.s))
		m.digest[0]++
		require.False(t, k.Verify(m.digest, m.r, m.s))
		m.digest[0]--
	}
}

func hasTable(k *Key) bool {
	s := k.slot.Load()
	return s != nil && s.table.Load() != nil
}

func TestAKeyGetsATableWhenItIsBusyAndAnswersTheSame(t *testing.T) {
	keys, m := NewKeys(1), sign(t, elliptic.P256(), 32)
	k := keys.Key(m.pub)
	m.verify(t, k, busyAfter/2-1)
	require.False(t, hasTable(k))
	m.verify(t, k, 1)
	require.True(t, hasTable(k))
	m.verify(t, k, 10)
}

func TestOtherCurvesAndDigestsAreLeftToCryptoECDSA(t *testing.T) {
	keys := NewKeys(8)
	for _, m := range []signed{
		sign(t, elliptic.P224(), 32), sign(t, elliptic.P384(), 32), sign(t, elliptic.P256(), 20), sign(t, elliptic.P256(), 48),
	} {
		k := keys.Key(m.pub)
		m.verify(t, k, busyAfter/2)
		require.False(t, hasTable(k))
	}
	require.Empty(t, keys.slots)
}

// As in FIPS 140 mode.
func TestWithoutTablesCryptoECDSAAnswers(t *testing.T) {
	keys, m := NewKeys(0), sign(t, elliptic.P256(), 32)
	k := keys.Key(m.pub)
	m.verify(t, k, busyAfter)
	require.False(t, hasTable(k))
	require.Empty(t, keys.slots)
}

func TestEqualKeysShareATable(t *testing.T) {
	keys, m := NewKeys(4), sign(t, elliptic.P256(), 32)
	a := keys.Key(m.pub)
	b := keys.Key(&ecdsa.PublicKey{Curve: elliptic.P256(), X: m.pub.X, Y: m.pub.Y})
	m.verify(t, a, busyAfter/2)
	m.verify(t, b, busyAfter/2)
	require.True(t, hasTable(b))
	require.Same(t, a.slot.Load(), b.slot.Load())
	require.Len(t, keys.slots, 1)
}

func TestATableGoesToABusierKeyOnceItIsNotUsed(t *testing.T) {
	keys := NewKeys(2)
	var ms []signed
	var ks []*Key
	for range 3 {
		m := sign(t, elliptic.P256(), 32)
		ms, ks = append(ms, m), append(ks, keys.Key(m.pub))
	}
	ms[0].verify(t, ks[0], busyAfter/2)
	ms[1].verify(t, ks[1], busyAfter/2)
	ms[2].verify(t, ks[2], busyAfter/2) // all tables were used of late: they stay
	require.True(t, hasTable(ks[0]))
	require.True(t, hasTable(ks[1]))
	require.False(t, hasTable(ks[2]))

	ms[1].verify(t, ks[1], 1)
	ms[2].verify(t, ks[2], busyAfter/2) // the first has not been used since
	require.False(t, hasTable(ks[0]))
	require.True(t, hasTable(ks[1]))
	require.True(t, hasTable(ks[2]))
	require.Len(t, keys.slots, 2)

	for i := range ks {
		ms[i].verify(t, ks[i], 3)
	}
}

func TestAPublicKeyThatIsNoPointVerifiesNothing(t *testing.T) {
	keys, m := NewKeys(1), sign(t, elliptic.P256(), 32)
	k := keys.Key(&ecdsa.PublicKey{Curve: elliptic.P256(), X: m.pub.X, Y: new(big.Int).Add(m.pub.Y, big.NewInt(1))})
	for range 2*busyAfter + 1 {
		require.False(t, k.Verify(m.digest, m.r, m.s))
	}
	require.False(t, hasTable(k))
}

func TestKeysAreSafeForConcurrentUse(t *testing.T) {
	keys := NewKeys(2)
	ms := []signed{sign(t, elliptic.P256(), 32), sign(t, elliptic.P256(), 32), sign(t, elliptic.P256(), 32)}
	var wg sync.WaitGroup
	for i := range 6 {
		m := ms[i%3]
		k := keys.Key(m.pub)
		wg.Go(func() {
			for range 3 * busyAfter {
				if !k.Verify(m.digest, m.r, m.s) {
					t.Error("a good signature was refused")
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, keys.slots, 2)
}

func BenchmarkVerify(b *testing.B) {
	m := sign(b, elliptic.P256(), 32)
	for name, k := range map[string]*Key{"crypto-ecdsa": NewKeys(0).Key(m.pub), "table": NewKeys(1).Key(m.pub)} {
		b.Run(name, func(b *testing.B) {
			m.verify(b, k, busyAfter)
			b.ReportAllocs()
			for b.Loop() {
				k.Verify(m.digest, m.r, m.s)
			}
		})
	}
}

func BenchmarkNewTable(b *testing.B) {
	m := sign(b, elliptic.P256(), 32)
	for b.Loop() {
		if _, err := newTable(m.pub); err != nil {
			b.Fatal(err)
		}
	}
}
