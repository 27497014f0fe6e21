package policies

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/msp"
	"raftmig/orderer/protoutil"
)

// implicitMeta asks the sub-groups' policies of one name. The signatures are
// verified once for all of them.
type implicitMeta struct {
	name      string
	threshold int
	subs      []Policy
	msps      msp.IdentityDeserializer
}

// newImplicitMeta compiles the bytes of an ImplicitMetaPolicy over the managers
// of the direct sub-groups. A sub-group without the policy rejects. Without any
// sub-group the policy is satisfied (spec 7.5).
func newImplicitMeta(definition []byte, subGroups []*manager, msps msp.IdentityDeserializer) (Policy, error) {
	d := &cb.ImplicitMetaPolicy{}
	if err := proto.Unmarshal(definition, d); err != nil {
		return nil, fmt.Errorf("Error unmarshalling to ImplicitMetaPolicy: %w", err)
	}
	p := &implicitMeta{name: d.SubPolicy, msps: msps}
	for _, g := range subGroups {
		sub, _ := g.GetPolicy(d.SubPolicy)
		p.subs = append(p.subs, sub)
	}
	switch d.Rule {
	case cb.ImplicitMetaPolicy_ANY:
		p.threshold = min(1, len(p.subs))
	case cb.ImplicitMetaPolicy_ALL:
		p.threshold = len(p.subs)
	case cb.ImplicitMetaPolicy_MAJORITY:
		p.threshold = min(len(p.subs)/2+1, len(p.subs))
	default:
		return nil, fmt.Errorf("unknown rule type %d, expected ALL, ANY, or MAJORITY", d.Rule)
	}
	return p, nil
}

func (p *implicitMeta) EvaluateSignedData(signatures []*protoutil.SignedData) error {
	if p.threshold == 0 {
		return nil
	}
	return p.EvaluateIdentities(ValidIdentities(signatures, p.msps))
}

func (p *implicitMeta) EvaluateIdentities(ids []msp.Identity) error {
	satisfied := 0
	for _, sub := range p.subs {
		if satisfied == p.threshold {
			return nil
		}
		if sub.EvaluateIdentities(ids) == nil {
			satisfied++
		}
	}
	if satisfied == p.threshold {
		return nil
	}
	return fmt.Errorf("implicit policy evaluation failed - %d sub-policies were satisfied, but this policy requires %d of the '%s' sub-policies to be satisfied",
		satisfied, p.threshold, p.name)
}
