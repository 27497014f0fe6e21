package raftmetadata_test

import (
	"fmt"
	"testing"

	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/raftmetadata"
)

func consenter(cert string) *etcdraft.Consenter {
	return &etcdraft.Consenter{ClientTlsCert: []byte(cert)}
}

func consenters(certs string) []*etcdraft.Consenter {
	var list []*etcdraft.Consenter
	for _, c := range certs {
		list = append(list, consenter(string(c)))
	}
	return list
}

func TestMembershipChanges(t *testing.T) {
	for _, tc := range []struct {
		name                    string
		ids                     []uint64
		old, next               string
		wantIDs                 []uint64
		wantNext                uint64
		added, removed, rotated uint64
		err                     string
	}{
		{name: "nothing changes", ids: []uint64{1, 2, 3}, old: "abc", next: "abc", wantIDs: []uint64{1, 2, 3}, wantNext: 9},
		{name: "the order changes and the IDs move along", ids: []uint64{1, 2, 3}, old: "abc", next: "cab", wantIDs: []uint64{3, 1, 2}, wantNext: 9},
		{name: "one is added in front", ids: []uint64{1, 2}, old: "ab", next: "xab", wantIDs: []uint64{9, 1, 2}, wantNext: 10, added: 9},
		{name: "one is removed and its ID never comes back", ids: []uint64{1, 2, 3}, old: "abc", next: "ac", wantIDs: []uint64{1, 3}, wantNext: 9, removed: 2},
		{name: "one for one is a rotation that keeps the ID", ids: []uint64{4, 5, 6}, old: "abc", next: "axc", wantIDs: []uint64{4, 5, 6}, wantNext: 9, rotated: 5},
		{name: "a rotation may move", ids: []uint64{4, 5, 6}, old: "abc", next: "xac", wantIDs: []uint64{5, 4, 6}, wantNext: 9, rotated: 5},
		{name: "two added", ids: []uint64{1}, old: "a", next: "axy",
			err: "update of more than one consenter at a time is not supported, requested changes: add 2 node(s), remove 0 node(s)"},
		{name: "two for one", ids: []uint64{1, 2}, old: "ab", next: "axy",
			err: "update of more than one consenter at a time is not supported, requested changes: add 2 node(s), remove 1 node(s)"},
		{name: "two removed", ids: []uint64{1, 2, 3}, old: "abc", next: "c",
			err: "update of more than one consenter at a time is not supported, requested changes: add 0 node(s), remove 2 node(s)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			old := &etcdraft.BlockMetadata{ConsenterIds: tc.ids, NextConsenterId: 9, RaftIndex: 77}
			before, err := raftmetadata.Consenters(old, &etcdraft.ConfigMetadata{Consenters: consenters(tc.old)})
			require.NoError(t, err)
			ch, err := raftmetadata.MembershipChanges(old, before, consenters(tc.next))
			if tc.err != "" {
				require.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.wantIDs, ch.BlockMetadata.ConsenterIds)
			require.Equal(t, tc.wantNext, ch.BlockMetadata.NextConsenterId)
			require.EqualValues(t, 77, ch.BlockMetadata.RaftIndex, "the index is set by whoever writes the block")
			require.Equal(t, []uint64{tc.added, tc.removed, tc.rotated}, []uint64{ch.AddedID, ch.RemovedID, ch.RotatedID})
			require.Equal(t, tc.added+tc.removed+tc.rotated != 0, ch.Changed())
			require.Equal(t, tc.ids, old.ConsenterIds, "the old metadata is not touched")
			for i, c := range consenters(tc.next) {
				require.Equal(t, c.ClientTlsCert, ch.Consenters[tc.wantIDs[i]].ClientTlsCert)
			}
			require.Len(t, ch.Consenters, len(tc.next))
		})
	}
}

func TestQuorumRule(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change raftmetadata.Changes
		size   int
		active []uint64
		refuse bool
	}{
		{"nothing changes although nobody is alive", raftmetadata.Changes{}, 3, nil, false},
		{"adding the second node is never refused", raftmetadata.Changes{AddedID: 2}, 2, nil, false},
		{"adding a third with one alive", raftmetadata.Changes{AddedID: 3}, 3, []uint64{1}, true},
		{"adding a third with two alive", raftmetadata.Changes{AddedID: 3}, 3, []uint64{1, 2}, false},
		{"rotating the node that is down", raftmetadata.Changes{RotatedID: 3}, 3, []uint64{1, 2}, false},
		{"rotating one of two that are alive", raftmetadata.Changes{RotatedID: 2}, 3, []uint64{1, 2}, true},
		{"rotating in a cluster of two", raftmetadata.Changes{RotatedID: 2}, 2, []uint64{2}, false},
		{"removing one of three, all alive", raftmetadata.Changes{RemovedID: 3}, 2, []uint64{1, 2, 3}, false},
		{"removing a live one while another is down", raftmetadata.Changes{RemovedID: 3}, 2, []uint64{1, 3}, true},
		{"removing the one that is down", raftmetadata.Changes{RemovedID: 3}, 2, []uint64{1, 2}, false},
		{"removing without knowing who is alive", raftmetadata.Changes{RemovedID: 2}, 1, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.change.Consenters = map[uint64]*etcdraft.Consenter{}
			for i := 0; i < tc.size; i++ {
				tc.change.Consenters[uint64(100+i)] = &etcdraft.Consenter{}
			}
			require.Equal(t, tc.refuse, tc.change.UnacceptableQuorumLoss(tc.active))
		})
	}
}

// IDs of nodes that stay, stay; a new node's ID was never used before.
func TestIDsAreStableOverAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bm := raftmetadata.MigratedBlockMetadata(consenters("abc"))
		config := &etcdraft.ConfigMetadata{Consenters: consenters("abc")}
		used := map[uint64]bool{1: true, 2: true, 3: true}
		certs := 0
		for step := 0; step < rapid.IntRange(1, 30).Draw(t, "steps"); step++ {
			next := append([]*etcdraft.Consenter(nil), config.Consenters...)
			fresh := func() *etcdraft.Consenter { certs++; return consenter(fmt.Sprintf("new%d", certs)) }
			switch at := rapid.IntRange(0, len(next)-1).Draw(t, "at"); rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				next = append(next[:at:at], append([]*etcdraft.Consenter{fresh()}, next[at:]...)...)
			case 1:
				if len(next) > 1 {
					next = append(next[:at:at], next[at+1:]...)
				}
			default:
				next[at] = fresh()
			}
			before, err := raftmetadata.Consenters(bm, config)
			require.NoError(t, err)
			ch, err := raftmetadata.MembershipChanges(bm, before, next)
			require.NoError(t, err)
			for id, c := range ch.Consenters {
				if was := before[id]; was != nil && id != ch.RotatedID {
					require.Equal(t, was.ClientTlsCert, c.ClientTlsCert)
				}
			}
			if ch.AddedID != 0 {
				require.False(t, used[ch.AddedID])
				used[ch.AddedID] = true
			}
			bm, config = ch.BlockMetadata, &etcdraft.ConfigMetadata{Consenters: next}
		}
	})
}
