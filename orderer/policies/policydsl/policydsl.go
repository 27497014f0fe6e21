// Package policydsl turns the policy rules of configtx.yaml into the messages
// that a channel configuration holds (spec 7.5, 10.1):
//
//	AND('Org1MSP.member', OR('Org2MSP.admin', 'Org3MSP.peer'))
//	OutOf(2, 'Org1MSP.member', 'Org2MSP.member', 'Org3MSP.member')
//	MAJORITY Admins
//
// A gate is AND, OR or OutOf in capitals, in lower case or as And, Or, OutOf.
// A principal is 'MSP.role' in single or double quotes, the role one of
// admin, member, client, peer, orderer, the MSP made of letters, digits, dots
// and hyphens. The bytes are those that Fabric's configtxgen writes: every
// principal becomes an identity of its own, numbered gate by gate, the gates
// inside a gate before the principals beside them. It is pure.
package policydsl

import (
	"fmt"
	"strings"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
)

// FromString parses a signature rule. The error of a malformed rule is a
// *SyntaxError that tells where.
func FromString(rule string) (*cb.SignaturePolicyEnvelope, error) {
	root, err := parse(rule)
	if err != nil {
		return nil, err
	}
	b := builder{}
	return &cb.SignaturePolicyEnvelope{Rule: b.gate(root), Identities: b.identities}, nil
}

// builder numbers the principals of a rule.
type builder struct {
	identities []*mspproto.MSPPrincipal
}

func (b *builder) gate(g *gate) *cb.SignaturePolicy {
	rules := make([]*cb.SignaturePolicy, len(g.args))
	for i, a := range g.args {
		if a.gate != nil {
			rules[i] = b.gate(a.gate)
		}
	}
	for i, a := range g.args {
		if a.gate == nil {
			rules[i] = SignedBy(int32(len(b.identities)))
			b.identities = append(b.identities, RolePrincipal(a.mspID, a.role))
		}
	}
	return NOutOf(int32(g.n), rules...)
}

// ImplicitMetaFromString parses an implicit meta rule: ANY, ALL or MAJORITY,
// one blank, the name of the policy in the sub-groups.
func ImplicitMetaFromString(rule string) (*cb.ImplicitMetaPolicy, error) {
	tokens := strings.Split(rule, " ")
	if len(tokens) != 2 {
		return nil, fmt.Errorf("expected two space separated tokens, but got %d", len(tokens))
	}
	kind, ok := cb.ImplicitMetaPolicy_Rule_value[tokens[0]]
	if !ok {
		return nil, fmt.Errorf("unknown rule type '%s', expected ALL, ANY, or MAJORITY", tokens[0])
	}
	return &cb.ImplicitMetaPolicy{Rule: cb.ImplicitMetaPolicy_Rule(kind), SubPolicy: tokens[1]}, nil
}
