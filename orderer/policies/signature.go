package policies

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/msp"
	"raftmig/orderer/protoutil"
)

// evaluator is a compiled rule. It marks in used the identities that it
// consumes; if it returns false, used is not to be looked at any more.
type evaluator func(ids []msp.Identity, used []bool) bool

type signaturePolicy struct {
	evaluate evaluator
	msps     msp.IdentityDeserializer
}

// NewSignaturePolicy compiles the bytes of a SignaturePolicyEnvelope. The
// identities of signatures are looked up in msps.
func NewSignaturePolicy(envelope []byte, msps msp.IdentityDeserializer) (Policy, error) {
	e := &cb.SignaturePolicyEnvelope{}
	if err := proto.Unmarshal(envelope, e); err != nil {
		return nil, fmt.Errorf("Error unmarshalling to SignaturePolicy: %w", err)
	}
	if e.Version != 0 {
		return nil, fmt.Errorf("This evaluator only understands messages of version 0, but version was %d", e.Version)
	}
	evaluate, err := compile(e.Rule, e.Identities)
	if err != nil {
		return nil, err
	}
	return &signaturePolicy{evaluate: evaluate, msps: msps}, nil
}

func (p *signaturePolicy) EvaluateSignedData(signatures []*protoutil.SignedData) error {
	return p.EvaluateIdentities(ValidIdentities(signatures, p.msps))
}

func (p *signaturePolicy) EvaluateIdentities(ids []msp.Identity) error {
	if !p.evaluate(ids, make([]bool, len(ids))) {
		return errors.New("signature set did not satisfy policy")
	}
	return nil
}

// compile turns a rule into a tree of closures. Identities are consumed: along
// the evaluation each satisfies at most one leaf, leaf after leaf, the first
// that fits. A gate goes through all its rules even when it has enough; what a
// failed rule consumed is given back (spec 7.5).
func compile(rule *cb.SignaturePolicy, identities []*mspproto.MSPPrincipal) (evaluator, error) {
	if rule == nil {
		return nil, errors.New("Empty policy element")
	}
	switch t := rule.Type.(type) {
	case *cb.SignaturePolicy_SignedBy:
		if t.SignedBy < 0 || int(t.SignedBy) >= len(identities) {
			return nil, fmt.Errorf("identity index out of range, requested %v, but identities length is %d", t.SignedBy, len(identities))
		}
		return signedBy(identities[t.SignedBy]), nil
	case *cb.SignaturePolicy_NOutOf_:
		rules := make([]evaluator, len(t.NOutOf.GetRules()))
		for i, r := range t.NOutOf.GetRules() {
			var err error
			if rules[i], err = compile(r, identities); err != nil {
				return nil, err
			}
		}
		return nOutOf(int(t.NOutOf.GetN()), rules), nil
	default:
		return nil, fmt.Errorf("Unknown type: %T:%v", t, t)
	}
}

func signedBy(principal *mspproto.MSPPrincipal) evaluator {
	return func(ids []msp.Identity, used []bool) bool {
		for i, id := range ids {
			if !used[i] && id.SatisfiesPrincipal(principal) == nil {
				used[i] = true
				return true
			}
		}
		return false
	}
}

func nOutOf(n int, rules []evaluator) evaluator {
	return func(ids []msp.Identity, used []bool) bool {
		satisfied := 0
		attempt := make([]bool, len(used))
		for _, rule := range rules {
			copy(attempt, used)
			if rule(ids, attempt) {
				satisfied++
				copy(used, attempt)
			}
		}
		return satisfied >= n
	}
}

// ValidIdentities returns the identities whose signatures are valid, each
// once, in the order of the signatures. Signatures that cannot be attributed
// or do not verify are left out. An identity that has been accepted is not
// verified again.
func ValidIdentities(signatures []*protoutil.SignedData, msps msp.IdentityDeserializer) []msp.Identity {
	ids := make([]msp.Identity, 0, len(signatures))
	seen := make(map[string]bool, len(signatures))
	for _, s := range signatures {
		id, err := msps.DeserializeIdentity(s.Identity)
		if err != nil || seen[id.Key()] {
			continue
		}
		if id.Verify(s.Data, s.Signature) != nil {
			continue
		}
		seen[id.Key()] = true
		ids = append(ids, id)
	}
	return ids
}
