package fileledger

import (
	"bytes"
	"os"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"github.com/syndtr/goleveldb/leveldb/util"
	"go.uber.org/zap"

	"raftmig/orderer/metrics"
	"raftmig/orderer/protoutil"
)

// chain makes blocks that follow each other, with one message of each size.
func chain(sizes ...int) []*cb.Block {
	var blocks []*cb.Block
	var hash []byte
	for i, size := range sizes {
		m := protoutil.NewMessage(&cb.Envelope{Payload: bytes.Repeat([]byte{byte(i)}, size), Signature: []byte("s")})
		b := protoutil.NewBlockOf(uint64(i), hash, []*protoutil.Message{m})
		protoutil.SetMetadata(b, cb.BlockMetadataIndex_SIGNATURES, []byte("signature"))
		hash = protoutil.BlockHeaderHash(b.Header)
		blocks = append(blocks, b)
	}
	return blocks
}

func equalChain(n, size int) []*cb.Block {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return chain(sizes...)
}

func appendAll(t testing.TB, l *Ledger, blocks []*cb.Block) {
	for _, b := range blocks {
		require.NoError(t, l.Append(b))
	}
}

// failingDisk opens files that hold at most room bytes more and answer err
// beyond; what fits is written before the error, as a full disk does.
type failingDisk struct {
	room     int
	err      error
	syncErr  error
	truncErr error
}

type failingFile struct {
	osFile
	disk *failingDisk
}

func (d *failingDisk) open(path string) (file, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return failingFile{f.(osFile), d}, nil
}

func (f failingFile) WriteAt(b []byte, off int64) (int, error) {
	if f.disk.err == nil || len(b) <= f.disk.room {
		return f.osFile.WriteAt(b, off)
	}
	n, err := f.osFile.WriteAt(b[:f.disk.room], off)
	if err == nil {
		err = &os.PathError{Op: "write", Path: f.Name(), Err: f.disk.err}
	}
	return n, err
}

func (f failingFile) Datasync() error {
	if f.disk.syncErr != nil {
		return f.disk.syncErr
	}
	return f.osFile.Datasync()
}

func (f failingFile) Truncate(size int64) error {
	if f.disk.truncErr != nil {
		return f.disk.truncErr
	}
	return f.osFile.Truncate(size)
}

func openWith(t testing.TB, dir string, o options) *Factory {
	if o.maxFileSize == 0 {
		o.maxFileSize = MaxFileSize
	}
	if o.tailBytes == 0 {
		o.tailBytes = DefaultTailBytes
	}
	if o.open == nil {
		o.open = openFile
	}
	o.now = time.Now
	f, err := newFactory(dir, &o, newMetrics(metrics.Disabled{}), zap.NewNop().Sugar())
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// reopen closes a channel's ledger and opens it again, as a restart would.
func reopen(t require.TestingT, f *Factory, channelID string) *Ledger {
	closeLedger(t, f, channelID)
	l, err := f.GetOrCreate(channelID)
	require.NoError(t, err)
	return l.(*Ledger)
}

func closeLedger(t require.TestingT, f *Factory, channelID string) {
	if l := f.ledgers[channelID]; l != nil {
		require.NoError(t, l.close())
		delete(f.ledgers, channelID)
	}
}

// indexOf returns a channel's part of the index.
func indexOf(t require.TestingT, f *Factory, channelID string) map[string]string {
	content := map[string]string{}
	x := newIndex(f.db, channelID)
	it := f.db.NewIterator(util.BytesPrefix(x.prefix), nil)
	defer it.Release()
	for it.Next() {
		content[string(it.Key()[len(x.prefix):])] = string(it.Value())
	}
	require.NoError(t, it.Error())
	return content
}

// setIndex makes content a channel's part of the index.
func setIndex(t require.TestingT, f *Factory, channelID string, content map[string]string) {
	x := newIndex(f.db, channelID)
	require.NoError(t, x.clear())
	for k, v := range content {
		require.NoError(t, f.db.Put(x.key([]byte(k)...), []byte(v), nil))
	}
}
