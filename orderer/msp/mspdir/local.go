package mspdir

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/msp"
)

// LoadLocal reads a local MSP folder as a node does at start: the MSP under
// the rules of 1.4.3 and the signing identity, which must lead to one of the
// folder's CAs and is returned with its certificate in low-S form (spec 7.6).
// Its key is in the MSP folder or in one of the folders keystores, if given. It
// does not look at dates; see CheckExpiry.
func LoadLocal(dir, mspID string, keystores ...string) (msp.MSP, msp.SigningIdentity, error) {
	conf, err := Load(dir, mspID)
	if err != nil {
		return nil, nil, err
	}
	m, err := msp.New(msp.V1_4_3, conf)
	if err != nil {
		return nil, nil, fmt.Errorf("setting up the MSP of folder %s: %w", dir, err)
	}
	s, err := loadSigner(dir, mspID, keystores...)
	if err != nil {
		return nil, nil, err
	}
	serialized, err := s.Serialize()
	if err != nil {
		return nil, nil, fmt.Errorf("serializing certificate %s: %w", s.cert.path, err)
	}
	id, err := m.DeserializeIdentity(serialized)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s: %w", s.cert.path, err)
	}
	normal, err := id.Serialize()
	if err != nil {
		return nil, nil, fmt.Errorf("serializing certificate %s: %w", s.cert.path, err)
	}
	sid := &mspproto.SerializedIdentity{}
	if err := proto.Unmarshal(normal, sid); err != nil {
		return nil, nil, fmt.Errorf("normalizing certificate %s: %w", s.cert.path, err)
	}
	signer, err := msp.NewSigningIdentity(mspID, sid.IdBytes, s.key.content)
	return m, signer, err
}
