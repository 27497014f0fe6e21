package fileledger

import (
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/syndtr/goleveldb/leveldb/util"
	"go.uber.org/zap"
)

// Vectors of spec A.5: keys and values of the index of channel c.
func TestIndexVectors(t *testing.T) {
	db, err := openIndex(filepath.Join(t.TempDir(), "index"), zap.NewNop().Sugar())
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	b := newIndex(db, "c").newBatch()
	b.block(0, location{file: 0, offset: 1})
	b.block(300, location{file: 2, offset: 300})
	b.manager(managerInfo{file: 2, size: 400, last: 300})
	require.NoError(t, b.write(true))
	got := map[string]string{}
	it := db.NewIterator(&util.Range{}, nil)
	defer it.Release()
	for it.Next() {
		got[hex.EncodeToString(it.Key())] = hex.EncodeToString(it.Value())
	}
	require.NoError(t, it.Error())
	text := func(s string) string { return hex.EncodeToString([]byte(s)) }
	require.Equal(t, map[string]string{
		"6300" + "6e00":                     "00" + "01" + "00",
		"6300" + "6e02012c":                 "02" + "ac02" + "00",
		"6300" + text("blkMgrInfo"):         "02" + "9003" + "ac02" + "00",
		"6300" + text("indexCheckpointKey"): "ac02",
	}, got)
	require.Equal(t, "6e08ffffffffffffffff", hex.EncodeToString(blockKey(1<<64-1)))
	require.Equal(t, "6e020100", hex.EncodeToString(blockKey(256)))
}
