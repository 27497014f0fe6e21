package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"math/big"
	"sync"
	"sync/atomic"
)

// busyAfter is the number of signatures after which a key asks for a table. To
// make one takes as long as some 40 verifications save.
const busyAfter = 128

// Keys holds the tables of the keys that are used most, up to a limit. It is
// safe for concurrent use.
type Keys struct {
	limit int

	mu    sync.Mutex
	slots []*slot
	next  int // where the search for a slot that is not used goes on
}

// slot is the table of one public key, nil before it is made and after the slot
// was given to another key.
type slot struct {
	pub   *ecdsa.PublicKey
	table atomic.Pointer[table]
	used  atomic.Bool // since the search for a free slot last came by
}

// NewKeys returns a Keys that holds up to limit tables of 384 KiB each. In FIPS
// 140 mode it holds none: there only validated code may verify.
func NewKeys(limit int) *Keys {
	if fips140.Enabled() {
		limit = 0
	}
	return &Keys{limit: limit}
}

// Key verifies the signatures of pub, which must not change. Keys that are made
// of equal public keys share a table.
func (k *Keys) Key(pub *ecdsa.PublicKey) *Key {
	return &Key{keys: k, pub: pub, tabled: pub.Curve == elliptic.P256()}
}

// Key is a public key. It is safe for concurrent use.
type Key struct {
	keys   *Keys
	pub    *ecdsa.PublicKey
	tabled bool // its curve can have a table

	uses atomic.Uint32 // without a table
	slot atomic.Pointer[slot]
}

// Public returns the public key itself.
func (k *Key) Public() *ecdsa.PublicKey { return k.pub }

// Verify says whether r and s, big-endian, are the key's signature over digest,
// as crypto/ecdsa.Verify does.
func (k *Key) Verify(digest, r, s []byte) bool {
	bigR, bigS := new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)
	if k.tabled && len(digest) == scalarSize {
		if t := k.table(); t != nil && t.verify(digest, bigR, bigS) {
			return true
		}
	}
	return ecdsa.Verify(k.pub, digest, bigR, bigS)
}

// table returns the key's table if it has one; each busyAfter-th time without
// one it sees to it that it gets one.
func (k *Key) table() *table {
	if s := k.slot.Load(); s != nil {
		if t := s.table.Load(); t != nil {
			if !s.used.Load() {
				s.used.Store(true)
			}
			return t
		}
	}
	if k.uses.Add(1)%busyAfter != 0 {
		return nil
	}
	s, isNew := k.keys.slotOf(k.pub)
	k.slot.Store(s)
	if !isNew {
		return nil
	}
	t, err := newTable(k.pub)
	if err != nil {
		return nil // no point of the curve: crypto/ecdsa says so each time
	}
	k.keys.publish(s, t)
	return t
}

// slotOf returns the slot of pub, and whether it was made for this call, which
// then has to fill it; nil where all slots are in use.
func (k *Keys) slotOf(pub *ecdsa.PublicKey) (_ *slot, isNew bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.slots {
		if s.pub.Equal(pub) {
			return s, false
		}
	}
	s := &slot{pub: pub}
	s.used.Store(true)
	if len(k.slots) < k.limit {
		k.slots = append(k.slots, s)
		return s, true
	}
	for range k.slots {
		i := k.next
		k.next = (i + 1) % len(k.slots)
		if !k.slots[i].used.Swap(false) {
			k.slots[i].table.Store(nil)
			k.slots[i] = s
			return s, true
		}
	}
	return nil, false
}

// publish fills s, unless it was given to another key meanwhile.
func (k *Keys) publish(s *slot, t *table) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, held := range k.slots {
		if held == s {
			s.table.Store(t)
			return
		}
	}
}
