package channelcfg

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	fc "github.com/hyperledger/fabric-config/configtx"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrInForce is returned for an update whose goal the configuration has reached.
	ErrInForce = errors.New("already in force")
	// ErrNotNow is wrapped where the configuration's state does not admit the change.
	ErrNotNow = errors.New("the channel is not in a state for this change")
)

// Update is a configuration update of one channel with the signatures
// collected for it. It can be signed by several administrators in turn and by
// other programs: Bytes and Signatures are what a ConfigUpdateEnvelope holds.
type Update struct {
	Channel    string
	Change     runbook.Change
	Base       uint64 // config sequence that it was computed from
	Bytes      []byte // marshalled common.ConfigUpdate
	Signatures []*cb.ConfigSignature
}

// InForce reports whether the goal of a change is reached in a configuration.
func InForce(v *View, change runbook.Change, metadata []byte) bool {
	switch change {
	case runbook.ChangeEnterMaintenance:
		return v.Consensus.State == ab.ConsensusType_STATE_MAINTENANCE
	case runbook.ChangeSwitchType:
		return v.Type() == channelconfig.ConsensusEtcdRaft && bytes.Equal(v.Consensus.Metadata, metadata)
	case runbook.ChangeExitMaintenance:
		return v.Consensus.State == ab.ConsensusType_STATE_NORMAL
	default:
		return false
	}
}

// Build computes the update that makes a change to v. metadata is the
// marshalled etcdraft.ConfigMetadata of a type switch.
func Build(v *View, change runbook.Change, metadata []byte) (*Update, error) {
	if InForce(v, change, metadata) {
		return nil, ErrInForce
	}
	next, ok := proto.Clone(v.Consensus).(*ab.ConsensusType)
	if !ok {
		return nil, errNoOrderer
	}
	switch change {
	case runbook.ChangeEnterMaintenance:
		next.State = ab.ConsensusType_STATE_MAINTENANCE
	case runbook.ChangeExitMaintenance:
		next.State = ab.ConsensusType_STATE_NORMAL
	case runbook.ChangeSwitchType:
		if v.Consensus.State != ab.ConsensusType_STATE_MAINTENANCE {
			return nil, fmt.Errorf("%w: the consensus type changes in maintenance mode only, the channel is in %s", ErrNotNow, v.State())
		}
		if v.Type() == channelconfig.ConsensusEtcdRaft {
			return nil, fmt.Errorf("%w: the consensus type is etcdraft already, with other metadata (hash %s)", ErrNotNow, v.MetadataHash())
		}
		if len(metadata) == 0 {
			return nil, errors.New("the switch to etcdraft needs consenter metadata")
		}
		next.Type, next.Metadata = channelconfig.ConsensusEtcdRaft, metadata
	default:
		return nil, fmt.Errorf("unknown change %q", change)
	}
	return build(v, change, next)
}

func build(v *View, change runbook.Change, next *ab.ConsensusType) (*Update, error) {
	encoded, err := protoutil.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("encoding ConsensusType: %w", err)
	}
	tx := fc.New(v.Config)
	value, ok := consensusValue(tx.UpdatedConfig())
	if !ok {
		return nil, errNoOrderer
	}
	// Not OrdererGroup.SetConsensusState: it resets mod_policy to Admins, and
	// SetEtcdRaftConsensusType re-encodes the certificates.
	value.Value = encoded
	b, err := tx.ComputeMarshaledUpdate(v.Channel)
	if err != nil {
		return nil, fmt.Errorf("channel %s: computing the update: %w", v.Channel, err)
	}
	if err := onlyConsensusType(b); err != nil {
		return nil, fmt.Errorf("channel %s: %w", v.Channel, err)
	}
	return &Update{Channel: v.Channel, Change: change, Base: v.Sequence(), Bytes: b}, nil
}

// onlyConsensusType is the rule of spec 1.4 over an update's write set.
func onlyConsensusType(marshalled []byte) error {
	u, err := protoutil.UnmarshalConfigUpdate(marshalled)
	if err != nil {
		return err
	}
	root := u.GetWriteSet()
	group := root.GetGroups()[channelconfig.OrdererGroup]
	_, ok := group.GetValues()[channelconfig.ConsensusTypeKey]
	if !ok || len(root.GetGroups()) != 1 || len(root.GetValues()) != 0 || len(root.GetPolicies()) != 0 ||
		len(group.GetGroups()) != 0 || len(group.GetValues()) != 1 || len(group.GetPolicies()) != 0 {
		return errors.New("the update would change more than the ConsensusType value")
	}
	return nil
}

// Sign adds an administrator's signature (spec 7.1), in the place of a damaged one.
func (u *Update) Sign(signer protoutil.Signer) error {
	sh, err := protoutil.NewSignatureHeader(signer)
	if err != nil {
		return err
	}
	header, err := protoutil.Marshal(sh)
	if err != nil {
		return fmt.Errorf("encoding signature header: %w", err)
	}
	sig, err := signer.Sign(append(append([]byte(nil), header...), u.Bytes...))
	if err != nil {
		return fmt.Errorf("signing the configuration update of %s: %w", u.Channel, err)
	}
	return u.add([]*cb.ConfigSignature{{SignatureHeader: header, Signature: sig}})
}

// Envelope wraps the update and its signatures for Broadcast, signed by
// signer, who must satisfy the channel's Writers (in maintenance: the Orderer
// group's Writers, spec 1.6).
func (u *Update) Envelope(signer protoutil.Signer, at time.Time, tlsCertHash []byte) (*cb.Envelope, error) {
	return protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type:        cb.HeaderType_CONFIG_UPDATE,
		ChannelID:   u.Channel,
		Time:        at,
		TLSCertHash: tlsCertHash,
		Data:        &cb.ConfigUpdateEnvelope{ConfigUpdate: u.Bytes, Signatures: u.Signatures},
	}, signer)
}
