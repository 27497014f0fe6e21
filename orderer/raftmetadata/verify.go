package raftmetadata

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
)

// DefaultSnapshotIntervalSize is used where the options give 0, in bytes (spec 4.2).
const DefaultSnapshotIntervalSize = 16 << 20

// Unmarshal decodes the metadata of a ConsensusType value.
func Unmarshal(b []byte) (*etcdraft.ConfigMetadata, error) {
	md := &etcdraft.ConfigMetadata{}
	if err := proto.Unmarshal(b, md); err != nil {
		return nil, fmt.Errorf("failed to unmarshal etcdraft metadata configuration: %w", err)
	}
	return md, nil
}

// Verify checks a consenter set and its options in Fabric's order and with its
// texts (spec 4.2). opts comes from VerifyOptions of the new configuration.
// Expiry of certificates is ignored, see VerifyConsenter.
func Verify(md *etcdraft.ConfigMetadata, opts x509.VerifyOptions) error {
	if md == nil {
		return errors.New("nil Raft config metadata")
	}
	if err := VerifyRaftOptions(md.Options); err != nil {
		return err
	}
	if len(md.Consenters) == 0 {
		return errors.New("empty consenter set")
	}
	verify := verifyIgnoringExpiry(opts)
	for _, c := range md.Consenters {
		if c == nil {
			return errors.New("metadata has nil consenter")
		}
		if err := verifyConsenter(c, verify); err != nil {
			return fmt.Errorf("consenter %s:%d has invalid certificate: %w", c.Host, c.Port, err)
		}
	}
	return verifyUnique(md.Consenters)
}

// VerifyRaftOptions checks the options alone (spec 4.2).
func VerifyRaftOptions(o *etcdraft.Options) error {
	if o == nil {
		return errors.New("nil Raft config metadata options")
	}
	if o.HeartbeatTick == 0 || o.ElectionTick == 0 || o.MaxInflightBlocks == 0 {
		return fmt.Errorf("none of HeartbeatTick (%d), ElectionTick (%d) and MaxInflightBlocks (%d) can be zero",
			o.HeartbeatTick, o.ElectionTick, o.MaxInflightBlocks)
	}
	if o.ElectionTick <= o.HeartbeatTick {
		return fmt.Errorf("ElectionTick (%d) must be greater than HeartbeatTick (%d)", o.ElectionTick, o.HeartbeatTick)
	}
	d, err := time.ParseDuration(o.TickInterval)
	if err != nil {
		return fmt.Errorf("failed to parse TickInterval (%s) to time duration: %w", o.TickInterval, err)
	}
	if d == 0 {
		return errors.New("TickInterval cannot be zero")
	}
	return nil
}

// verifyUnique returns an error if a certificate's bytes occur in two
// consenters; one consenter may use one certificate for both purposes.
func verifyUnique(consenters []*etcdraft.Consenter) error {
	seen := make(map[string]bool, 2*len(consenters))
	for _, c := range consenters {
		server, client := string(c.ServerTlsCert), string(c.ClientTlsCert)
		if seen[server] || seen[client] {
			return fmt.Errorf("duplicate consenter: server cert: %s, client cert: %s", server, client)
		}
		seen[server], seen[client] = true, true
	}
	return nil
}

// VerifySubset returns an error if a consenter of a new channel is not one of
// the system channel, by the bytes of its client certificate (spec 4.3).
func VerifySubset(consenters, system []*etcdraft.Consenter) error {
	known := make(map[string]bool, len(system))
	for _, c := range system {
		known[string(c.GetClientTlsCert())] = true
	}
	for _, c := range consenters {
		if !known[string(c.GetClientTlsCert())] {
			return errors.New("new channel has consenter that is not part of system consenter set")
		}
	}
	return nil
}
