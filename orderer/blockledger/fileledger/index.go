package fileledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"
	"go.uber.org/zap"
)

// location is where a record's length prefix is.
type location struct {
	file   int
	offset int64
}

// managerInfo is the value of blkMgrInfo.
type managerInfo struct {
	file  int    // the last file
	size  int64  // its size up to the end of the last record
	last  uint64 // number of the last block
	empty bool   // there is no block; last means nothing
}

const (
	keyManagerInfo = "blkMgrInfo"
	keyCheckpoint  = "indexCheckpointKey"
	keySeparator   = 0x00
)

// openIndex opens the database in dir. One that another process holds, or that
// may not be read, is an error; one that is damaged is deleted and made anew.
func openIndex(dir string, log *zap.SugaredLogger) (*leveldb.DB, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating ledger index: %w", err)
	}
	options := &opt.Options{OpenFilesCacheCapacity: 64}
	db, err := leveldb.OpenFile(dir, options)
	if err == nil {
		if err = readThrough(db); err == nil {
			return db, nil
		}
		_ = db.Close() // the first error is the one to report
	}
	if !isDamage(err) {
		return nil, fmt.Errorf("opening ledger index %s: %w", dir, err)
	}
	log.Warnf("Ledger index %s does not open (%s); it is deleted and built from the block files", dir, err)
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("deleting damaged ledger index: %w", err)
	}
	if db, err = leveldb.OpenFile(dir, options); err != nil {
		return nil, fmt.Errorf("creating ledger index %s: %w", dir, err)
	}
	return db, nil
}

// readThrough finds damaged tables, which opening does not look at and which would
// fail whoever reads or compacts them later. It takes about half a second for a
// million blocks.
func readThrough(db *leveldb.DB) error {
	it := db.NewIterator(nil, &opt.ReadOptions{DontFillCache: true, Strict: opt.StrictBlockChecksum | opt.StrictReader})
	defer it.Release()
	for it.Next() {
	}
	return it.Error()
}

// isDamage tells what is wrong with the files from what is wrong with their
// surroundings, where deleting would be no cure.
func isDamage(err error) bool {
	for _, other := range []error{storage.ErrLocked, fs.ErrPermission, syscall.EAGAIN, syscall.EACCES,
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.EIO, syscall.ENOTDIR} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
}

// index is one channel's part of the database.
type index struct {
	db     *leveldb.DB
	prefix []byte
}

func newIndex(db *leveldb.DB, channelID string) *index {
	return &index{db: db, prefix: append([]byte(channelID), keySeparator)}
}

func (x *index) key(suffix ...byte) []byte {
	k := make([]byte, 0, len(x.prefix)+len(suffix))
	return append(append(k, x.prefix...), suffix...)
}

func blockKey(number uint64) []byte {
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], number)
	skip := 0
	for skip < len(be) && be[skip] == 0 {
		skip++
	}
	return append([]byte{'n', byte(len(be) - skip)}, be[skip:]...)
}

// batch collects index entries that belong together.
type batch struct {
	x  *index
	db leveldb.Batch
}

func (x *index) newBatch() *batch { return &batch{x: x} }

func (b *batch) block(number uint64, at location) {
	v := binary.AppendUvarint(nil, uint64(at.file))
	v = binary.AppendUvarint(v, uint64(at.offset))
	b.db.Put(b.x.key(blockKey(number)...), append(v, 0))
	b.db.Put(b.x.key([]byte(keyCheckpoint)...), binary.AppendUvarint(nil, number))
}

func (b *batch) manager(info managerInfo) {
	v := binary.AppendUvarint(nil, uint64(info.file))
	v = binary.AppendUvarint(v, uint64(info.size))
	v = binary.AppendUvarint(v, info.last)
	flag := byte(0)
	if info.empty {
		flag = 1
	}
	b.db.Put(b.x.key([]byte(keyManagerInfo)...), append(v, flag))
}

func (b *batch) write(sync bool) error {
	if err := b.x.db.Write(&b.db, &opt.WriteOptions{Sync: sync}); err != nil {
		return fmt.Errorf("writing ledger index: %w", err)
	}
	b.db.Reset()
	return nil
}

// get returns the varints stored under a key; false if there is no such key
// or it cannot be read as count of them.
func (x *index) get(count int, suffix ...byte) ([]uint64, bool) {
	raw, err := x.db.Get(x.key(suffix...), nil)
	if err != nil {
		return nil, false
	}
	r := reader{rest: raw}
	values := make([]uint64, count)
	for i := range values {
		values[i] = r.uvarint()
	}
	return values, !r.failed
}

func (x *index) manager() (managerInfo, bool) {
	v, ok := x.get(4, []byte(keyManagerInfo)...)
	if !ok || v[0] >= 1<<31 || v[1] >= 1<<62 {
		return managerInfo{}, false
	}
	return managerInfo{file: int(v[0]), size: int64(v[1]), last: v[2], empty: v[3] == 1}, true
}

func (x *index) checkpoint() (uint64, bool) {
	v, ok := x.get(1, []byte(keyCheckpoint)...)
	if !ok {
		return 0, false
	}
	return v[0], true
}

func (x *index) location(number uint64) (location, bool) {
	v, ok := x.get(3, blockKey(number)...)
	if !ok || v[0] >= 1<<31 || v[1] >= 1<<62 {
		return location{}, false
	}
	return location{file: int(v[0]), offset: int64(v[1])}, true
}

// clear deletes all keys of the channel.
func (x *index) clear() error {
	it := x.db.NewIterator(util.BytesPrefix(x.prefix), nil)
	defer it.Release()
	var b leveldb.Batch
	flush := func() error {
		if err := x.db.Write(&b, nil); err != nil {
			return fmt.Errorf("deleting index keys: %w", err)
		}
		b.Reset()
		return nil
	}
	for it.Next() {
		b.Delete(it.Key())
		if b.Len() == 10_000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("listing index keys: %w", err)
	}
	return flush()
}

func blockFile(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("blockfile_%06d", number))
}
