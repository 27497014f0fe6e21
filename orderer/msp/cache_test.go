package msp

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func key(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

func TestCacheStaysWithinItsBound(t *testing.T) {
	c := newIdentityCache(320)
	for i := range 5000 {
		c.add(key(i), &identity{})
		require.LessOrEqual(t, c.len(), 320)
	}
	_, ok := c.get(key(0))
	require.False(t, ok)
	_, ok = c.get(key(4999))
	require.True(t, ok)
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newIdentityCache(320)
	hot := &identity{}
	c.add(key(0), hot)
	for i := 1; i < 5000; i++ {
		c.add(key(i), &identity{})
		got, ok := c.get(key(0))
		require.True(t, ok)
		require.Same(t, hot, got)
	}
}

func TestCacheTakesNoOversizedKeys(t *testing.T) {
	c := newIdentityCache(320)
	big := make([]byte, cacheKeyLimit+1)
	id := &identity{}
	require.Same(t, id, c.add(big, id))
	require.Zero(t, c.len())
}

func TestCacheNeverReturnsTheIdentityOfAnotherKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newIdentityCache(64)
		ids := map[int]*identity{}
		for range rapid.IntRange(1, 300).Draw(t, "operations") {
			k := rapid.IntRange(0, 200).Draw(t, "key")
			if got, ok := c.get(key(k)); ok {
				require.Same(t, ids[k], got)
				continue
			}
			ids[k] = &identity{}
			require.Same(t, ids[k], c.add(key(k), ids[k]))
		}
	})
}
