package fileledger

import "raftmig/orderer/blockledger"

// tail holds the most recent blocks so that all readers at the end of the
// chain share one copy. It holds consecutive blocks, the last one always.
type tail struct {
	limit   int64 // bytes of records
	first   uint64
	entries []tailEntry
	bytes   int64
}

type tailEntry struct {
	*blockledger.Entry
	size int64
}

func (t *tail) push(number uint64, e *blockledger.Entry, size int64) {
	if len(t.entries) == 0 {
		t.first = number
	}
	t.entries = append(t.entries, tailEntry{e, size})
	t.bytes += size
	drop := 0
	for t.bytes > t.limit && drop < len(t.entries)-1 {
		t.bytes -= t.entries[drop].size
		t.entries[drop] = tailEntry{}
		drop++
	}
	t.entries, t.first = t.entries[drop:], t.first+uint64(drop)
}

func (t *tail) get(number uint64) *blockledger.Entry {
	if number < t.first || number-t.first >= uint64(len(t.entries)) {
		return nil
	}
	return t.entries[number-t.first].Entry
}
