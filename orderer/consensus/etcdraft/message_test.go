package etcdraft

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"pgregory.net/rapid"
)

func TestMessagesInPartsDecodeToThemselves(t *testing.T) {
	u64 := rapid.Uint64()
	data := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 1, 300))
	entry := rapid.Custom(func(t *rapid.T) raftpb.Entry {
		return raftpb.Entry{
			Type: raftpb.EntryType(rapid.IntRange(0, 2).Draw(t, "type")), Term: u64.Draw(t, "term"),
			Index: u64.Draw(t, "index"), Data: data.Draw(t, "data"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		m := raftpb.Message{
			Type: raftpb.MessageType(rapid.IntRange(0, 18).Draw(t, "type")), To: u64.Draw(t, "to"), From: u64.Draw(t, "from"),
			Term: u64.Draw(t, "term"), LogTerm: u64.Draw(t, "log term"), Index: u64.Draw(t, "index"), Commit: u64.Draw(t, "commit"),
			Reject: rapid.Bool().Draw(t, "reject"), RejectHint: u64.Draw(t, "hint"), Context: data.Draw(t, "context"),
			Entries: rapid.SliceOfN(entry, 0, 5).Draw(t, "entries"),
		}
		m.Snapshot.Data = data.Draw(t, "snapshot")
		if len(m.Entries) == 0 {
			m.Entries = nil
		}
		parts, err := encodeMessage(&m)
		require.NoError(t, err)
		encoded := bytes.Join(parts, nil)
		require.Len(t, encoded, m.Size())
		var got raftpb.Message
		require.NoError(t, got.Unmarshal(encoded))
		require.Equal(t, m, got)
	})
}
