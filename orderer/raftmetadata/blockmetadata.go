package raftmetadata

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrNoOptions is returned for a configuration without Raft options.
var ErrNoOptions = errors.New("etcdraft options have not been provided")

// IsMigration reports whether a channel comes from another consensus type: it
// has blocks beyond its genesis block, and its last block carries no consenter
// metadata because it is the one that changed the type (spec 2.3).
func IsMigration(lastBlockMetadata *cb.Metadata, height uint64) bool {
	return len(lastBlockMetadata.GetValue()) == 0 && height > 1
}

// MigratedBlockMetadata is the metadata that a new or migrated channel starts
// with: Raft IDs 1..n in the order of the consenters (spec 2.3).
func MigratedBlockMetadata(consenters []*etcdraft.Consenter) *etcdraft.BlockMetadata {
	n := uint64(len(consenters))
	bm := &etcdraft.BlockMetadata{ConsenterIds: make([]uint64, n), NextConsenterId: n + 1}
	for i := range bm.ConsenterIds {
		bm.ConsenterIds[i] = uint64(i) + 1
	}
	return bm
}

// ReadBlockMetadata decodes the consenter metadata of a channel's last block,
// or derives it from the configuration in force where the block has none. It
// returns an error where Raft IDs and consenters do not correspond: a block
// that Kafka wrote after the type change looks like that (spec 2.1).
func ReadBlockMetadata(md *cb.Metadata, config *etcdraft.ConfigMetadata) (*etcdraft.BlockMetadata, error) {
	if len(md.GetValue()) == 0 {
		return MigratedBlockMetadata(config.GetConsenters()), nil
	}
	bm := &etcdraft.BlockMetadata{}
	if err := proto.Unmarshal(md.Value, bm); err != nil {
		return nil, fmt.Errorf("failed to unmarshal block's metadata: %w", err)
	}
	if _, err := Consenters(bm, config); err != nil {
		return nil, err
	}
	return bm, nil
}

// Consenters maps Raft IDs to the consenters of a configuration. It returns an
// error if their numbers differ or an ID is zero or occurs twice.
func Consenters(bm *etcdraft.BlockMetadata, config *etcdraft.ConfigMetadata) (map[uint64]*etcdraft.Consenter, error) {
	ids, consenters := bm.GetConsenterIds(), config.GetConsenters()
	if len(ids) != len(consenters) {
		return nil, fmt.Errorf("block metadata has %d consenter IDs %v, but the configuration has %d consenters: "+
			"the last block was not written by Raft, nor is it the block that changed the consensus type",
			len(ids), ids, len(consenters))
	}
	m := make(map[uint64]*etcdraft.Consenter, len(ids))
	for i, id := range ids {
		if id == 0 || m[id] != nil {
			return nil, fmt.Errorf("block metadata has invalid consenter IDs %v", ids)
		}
		if consenters[i] == nil {
			return nil, errors.New("metadata has nil consenter")
		}
		m[id] = consenters[i]
	}
	return m, nil
}

// ConsenterIDOf returns the Raft ID of the first consenter whose server TLS
// certificate has the public key of cert (PEM or DER), or false if none has.
func ConsenterIDOf(cert []byte, bm *etcdraft.BlockMetadata, config *etcdraft.ConfigMetadata) (uint64, bool) {
	i, ok := ConsenterIndex(cert, config)
	if !ok || i >= len(bm.GetConsenterIds()) {
		return 0, false
	}
	return bm.ConsenterIds[i], true
}

// ConsenterIndex returns the position of the first consenter whose server TLS
// certificate has the public key of cert (PEM or DER), or false if none has.
func ConsenterIndex(cert []byte, config *etcdraft.ConfigMetadata) (int, bool) {
	for i, c := range config.GetConsenters() {
		if SamePublicKey(cert, c.GetServerTlsCert()) {
			return i, true
		}
	}
	return 0, false
}

// FirstCampaigner is the Raft ID, out of 1..n, of the node that campaigns
// first on a fresh channel, so that no election timeout has to pass (spec A.4).
// n must be positive.
func FirstCampaigner(channelID string, n int) uint64 {
	sum := sha256.Sum256([]byte(channelID))
	x, length := protowire.ConsumeVarint(sum[24:])
	if length < 0 {
		x = 0
	}
	return x%uint64(n) + 1
}
