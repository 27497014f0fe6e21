package msp

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"google.golang.org/protobuf/encoding/protowire"
)

type manager struct {
	msps map[string]MSP
}

// NewManager returns a manager of MSPs with different identifiers.
func NewManager(msps []MSP) (Manager, error) {
	m := &manager{msps: make(map[string]MSP, len(msps))}
	for _, one := range msps {
		if _, ok := m.msps[one.ID()]; ok {
			return nil, fmt.Errorf("MSP %s is defined twice", one.ID())
		}
		m.msps[one.ID()] = one
	}
	return m, nil
}

// MSPs returns all MSPs by identifier.
func (m *manager) MSPs() map[string]MSP { return m.msps }

// DeserializeIdentity asks the MSP that the identity names. If the channel has
// no such MSP the error is ErrUnknownMSP.
func (m *manager) DeserializeIdentity(serialized []byte) (Identity, error) {
	if id, ok := leadingMSPID(serialized); ok {
		if one, ok := m.msps[string(id)]; ok {
			return one.DeserializeIdentity(serialized)
		}
	}
	sid := &mspproto.SerializedIdentity{}
	if err := proto.Unmarshal(serialized, sid); err != nil {
		return nil, fmt.Errorf("could not deserialize a SerializedIdentity: %w", err)
	}
	one, ok := m.msps[sid.Mspid]
	if !ok {
		return nil, &unknownMSP{sid.Mspid}
	}
	return one.DeserializeIdentity(serialized)
}

// leadingMSPID returns the MSP identifier if it is the first field, where
// encoders put it. A guess only: the MSP decodes the bytes itself.
func leadingMSPID(serialized []byte) ([]byte, bool) {
	num, typ, n := protowire.ConsumeTag(serialized)
	if n < 0 || num != 1 || typ != protowire.BytesType {
		return nil, false
	}
	id, n := protowire.ConsumeBytes(serialized[n:])
	return id, n >= 0
}

type unknownMSP struct{ id string }

func (e *unknownMSP) Error() string        { return fmt.Sprintf("MSP %s is not defined on channel", e.id) }
func (e *unknownMSP) Is(target error) bool { return target == ErrUnknownMSP }
