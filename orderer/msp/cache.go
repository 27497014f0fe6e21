package msp

import (
	"hash/maphash"
	"sync"
)

const (
	// cacheSize is the number of identities that an MSP remembers.
	cacheSize = 10_000
	// cacheKeyLimit keeps oversized encodings, in bytes, out of the cache:
	// anybody with a valid certificate can encode it in many ways.
	cacheKeyLimit = 4 << 10
	cacheShards   = 16
)

// identityCache remembers identities by their serialized bytes. Each shard
// holds two generations: when the young one is full it becomes the old one, and
// what is still used moves back on its next use. So the cache keeps what was
// used lately, within its bound, and a hit takes a read lock only.
type identityCache struct {
	seed   maphash.Seed
	limit  int // of one generation of one shard
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu         sync.RWMutex
	young, old map[string]*identity
}

func newIdentityCache(size int) *identityCache {
	c := &identityCache{seed: maphash.MakeSeed(), limit: max(1, size/cacheShards/2)}
	for i := range c.shards {
		c.shards[i].young = map[string]*identity{}
	}
	return c
}

func (c *identityCache) shard(key []byte) *cacheShard {
	return &c.shards[maphash.Bytes(c.seed, key)%cacheShards]
}

func (c *identityCache) get(key []byte) (*identity, bool) {
	s := c.shard(key)
	s.mu.RLock()
	id, young := s.young[string(key)]
	if !young {
		id = s.old[string(key)]
	}
	s.mu.RUnlock()
	if !young && id != nil {
		return c.add(key, id), true
	}
	return id, id != nil
}

// add stores id unless another goroutine was first, and returns what is stored.
func (c *identityCache) add(key []byte, id *identity) *identity {
	if len(key) > cacheKeyLimit {
		return id
	}
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.young[string(key)]; ok {
		return other
	}
	if len(s.young) >= c.limit {
		s.old, s.young = s.young, make(map[string]*identity, c.limit)
	}
	s.young[string(key)] = id
	return id
}

// len counts the remembered identities; one in both generations counts twice.
func (c *identityCache) len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.young) + len(s.old)
		s.mu.RUnlock()
	}
	return n
}
