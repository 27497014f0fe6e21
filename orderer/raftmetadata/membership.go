package raftmetadata

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
)

// Changes is what a new consenter set means for the Raft group. At most one of
// AddedID, RemovedID and RotatedID is set; 0 is no Raft ID.
type Changes struct {
	// BlockMetadata is the old one with the new consenter_ids and
	// next_consenter_id. Its raft_index is still the old one (spec 4.7).
	BlockMetadata *etcdraft.BlockMetadata
	// Consenters maps Raft IDs to the new consenters.
	Consenters map[uint64]*etcdraft.Consenter
	// Added are the new consenters, for a rotation the one with the new certificate.
	Added []*etcdraft.Consenter
	// AddedID is the new node's ID, RemovedID the ID of the node that leaves:
	// each needs a Raft configuration change.
	AddedID, RemovedID uint64
	// RotatedID is the ID of a node whose client certificate is replaced. Raft
	// does not notice.
	RotatedID uint64
}

// MembershipChanges compares the consenters in force with the next ones. The
// exact bytes of the client TLS certificate identify a consenter (spec 4.4).
// old is not changed. It returns an error if more than one consenter is added
// or removed, other than one for one.
func MembershipChanges(old *etcdraft.BlockMetadata, oldConsenters map[uint64]*etcdraft.Consenter,
	next []*etcdraft.Consenter,
) (*Changes, error) {
	idOf := make(map[string]uint64, len(oldConsenters))
	for id, c := range oldConsenters {
		idOf[string(c.GetClientTlsCert())] = id
	}
	bm := proto.Clone(old).(*etcdraft.BlockMetadata)
	bm.ConsenterIds = make([]uint64, len(next))
	ch := &Changes{BlockMetadata: bm, Consenters: make(map[uint64]*etcdraft.Consenter, len(next))}

	addedAt := -1
	for i, c := range next {
		id, known := idOf[string(c.GetClientTlsCert())]
		if !known {
			addedAt = i
			ch.Added = append(ch.Added, c)
			continue
		}
		bm.ConsenterIds[i] = id
		ch.Consenters[id] = c
	}
	var removed []uint64
	for id := range oldConsenters {
		if ch.Consenters[id] == nil {
			removed = append(removed, id)
		}
	}

	switch added := len(ch.Added); {
	case added == 0 && len(removed) == 0:
	case added == 1 && len(removed) == 1:
		ch.RotatedID = removed[0]
		bm.ConsenterIds[addedAt] = ch.RotatedID
		ch.Consenters[ch.RotatedID] = ch.Added[0]
	case added == 1 && len(removed) == 0:
		ch.AddedID = bm.NextConsenterId
		bm.NextConsenterId++
		bm.ConsenterIds[addedAt] = ch.AddedID
		ch.Consenters[ch.AddedID] = ch.Added[0]
	case added == 0 && len(removed) == 1:
		ch.RemovedID = removed[0]
	default:
		return nil, fmt.Errorf("update of more than one consenter at a time is not supported, requested changes: "+
			"add %d node(s), remove %d node(s)", added, len(removed))
	}
	return ch, nil
}

// Changed reports whether a consenter joins, leaves or gets a new certificate.
func (c *Changes) Changed() bool { return c.AddedID != 0 || c.RemovedID != 0 || c.RotatedID != 0 }

// UnacceptableQuorumLoss reports whether the change would leave the group
// without a quorum although starting nodes first would avoid it (spec 4.4).
// active are the nodes that the leader says are alive.
func (c *Changes) UnacceptableQuorumLoss(active []uint64) bool {
	n := len(c.Consenters)
	quorum, canLoseOne := n/2+1, n > 2
	alive := make(map[uint64]bool, len(active))
	for _, id := range active {
		alive[id] = true
	}
	switch {
	case c.AddedID != 0:
		return canLoseOne && len(alive) < quorum
	case c.RotatedID != 0:
		delete(alive, c.RotatedID)
		return canLoseOne && len(alive) < quorum
	case c.RemovedID != 0:
		delete(alive, c.RemovedID)
		return len(alive) < quorum
	default:
		return false
	}
}
