package policydsl

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/protoutil"
)

// SignedBy is satisfied by a signature of the identity at index of the envelope.
func SignedBy(index int32) *cb.SignaturePolicy {
	return &cb.SignaturePolicy{Type: &cb.SignaturePolicy_SignedBy{SignedBy: index}}
}

// NOutOf is satisfied if at least n of rules are.
func NOutOf(n int32, rules ...*cb.SignaturePolicy) *cb.SignaturePolicy {
	return &cb.SignaturePolicy{Type: &cb.SignaturePolicy_NOutOf_{
		NOutOf: &cb.SignaturePolicy_NOutOf{N: n, Rules: rules},
	}}
}

// RolePrincipal is the principal of everybody who has role in an MSP.
func RolePrincipal(mspID string, role mspproto.MSPRole_MSPRoleType) *mspproto.MSPPrincipal {
	return &mspproto.MSPPrincipal{
		PrincipalClassification: mspproto.MSPPrincipal_ROLE,
		Principal:               protoutil.MustMarshal(&mspproto.MSPRole{MspIdentifier: mspID, Role: role}),
	}
}

// AcceptAll is satisfied by any set of signatures, the empty one included.
func AcceptAll() *cb.SignaturePolicyEnvelope {
	return &cb.SignaturePolicyEnvelope{Rule: NOutOf(0)}
}

// RejectAll is satisfied by no set of signatures.
func RejectAll() *cb.SignaturePolicyEnvelope {
	return &cb.SignaturePolicyEnvelope{Rule: NOutOf(1)}
}

// SignedByMspMember asks for one signature of any member of an MSP.
func SignedByMspMember(mspID string) *cb.SignaturePolicyEnvelope {
	return signedByRole(mspID, mspproto.MSPRole_MEMBER)
}

// SignedByMspAdmin asks for one signature of any administrator of an MSP.
func SignedByMspAdmin(mspID string) *cb.SignaturePolicyEnvelope {
	return signedByRole(mspID, mspproto.MSPRole_ADMIN)
}

func signedByRole(mspID string, role mspproto.MSPRole_MSPRoleType) *cb.SignaturePolicyEnvelope {
	return &cb.SignaturePolicyEnvelope{
		Rule:       NOutOf(1, SignedBy(0)),
		Identities: []*mspproto.MSPPrincipal{RolePrincipal(mspID, role)},
	}
}

// SignaturePolicy wraps an envelope as the policy of a config group.
func SignaturePolicy(e *cb.SignaturePolicyEnvelope) *cb.Policy {
	return &cb.Policy{Type: int32(cb.Policy_SIGNATURE), Value: protoutil.MustMarshal(e)}
}

// ImplicitMetaPolicy wraps an implicit meta rule as the policy of a config group.
func ImplicitMetaPolicy(p *cb.ImplicitMetaPolicy) *cb.Policy {
	return &cb.Policy{Type: int32(cb.Policy_IMPLICIT_META), Value: protoutil.MustMarshal(p)}
}
