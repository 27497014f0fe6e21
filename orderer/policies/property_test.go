package policies_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/msp"
	"raftmig/orderer/policies"
	"raftmig/orderer/policies/policydsl"
	"raftmig/orderer/protoutil"
)

// fakeIdentity satisfies the principals whose bytes it lists.
type fakeIdentity struct {
	name       string
	principals map[string]bool
}

func (f *fakeIdentity) MSPID() string              { return "M" }
func (f *fakeIdentity) Key() string                { return f.name }
func (f *fakeIdentity) ExpiresAt() time.Time       { return time.Time{} }
func (f *fakeIdentity) Validate() error            { return nil }
func (f *fakeIdentity) Serialize() ([]byte, error) { return []byte(f.name), nil }

// Verify accepts the signature "ok".
func (f *fakeIdentity) Verify(_, sig []byte) error {
	if string(sig) != "ok" {
		return errors.New("bad signature")
	}
	return nil
}

func (f *fakeIdentity) SatisfiesPrincipal(p *mspproto.MSPPrincipal) error {
	if !f.principals[string(p.Principal)] {
		return msp.ErrPrincipalNotSatisfied
	}
	return nil
}

type fakeMSP map[string]*fakeIdentity

func (m fakeMSP) DeserializeIdentity(b []byte) (msp.Identity, error) {
	if id, ok := m[string(b)]; ok {
		return id, nil
	}
	return nil, errors.New("unknown")
}

// set is an immutable set of the identities that were consumed.
type set string

func (s set) has(i int) bool { return s[i] == 'x' }
func (s set) with(i int) set { return s[:i] + "x" + s[i+1:] }

// evaluate says whether ids satisfy a rule after some were consumed, and which
// are consumed then: the definition of spec 7.5, written down without shortcuts.
func evaluate(rule *cb.SignaturePolicy, principals []*mspproto.MSPPrincipal, ids []*fakeIdentity, used set) (bool, set) {
	if gate := rule.GetNOutOf(); gate != nil {
		satisfied := int32(0)
		for _, sub := range gate.Rules {
			if ok, after := evaluate(sub, principals, ids, used); ok {
				satisfied++
				used = after
			}
		}
		return satisfied >= gate.N, used
	}
	for i, id := range ids {
		if !used.has(i) && id.principals[string(principals[rule.GetSignedBy()].Principal)] {
			return true, used.with(i)
		}
	}
	return false, used
}

func drawRule(t *rapid.T, principals, depth int) *cb.SignaturePolicy {
	if depth == 0 || rapid.Bool().Draw(t, "leaf") {
		return policydsl.SignedBy(int32(rapid.IntRange(0, principals-1).Draw(t, "principal")))
	}
	rules := make([]*cb.SignaturePolicy, rapid.IntRange(0, 4).Draw(t, "rules"))
	for i := range rules {
		rules[i] = drawRule(t, principals, depth-1)
	}
	return policydsl.NOutOf(int32(rapid.IntRange(-1, len(rules)+1).Draw(t, "of")), rules...)
}

func TestEvaluationFollowsItsDefinition(t *testing.T) {
	satisfied := 0
	rapid.Check(t, func(t *rapid.T) {
		const principals = 4
		e := &cb.SignaturePolicyEnvelope{Rule: drawRule(t, principals, 4)}
		for i := range principals {
			e.Identities = append(e.Identities, &mspproto.MSPPrincipal{Principal: []byte{byte(i)}})
		}
		msps := fakeMSP{}
		var data []*protoutil.SignedData
		var valid []*fakeIdentity
		for i := range rapid.IntRange(0, 5).Draw(t, "identities") {
			id := &fakeIdentity{name: strconv.Itoa(i), principals: map[string]bool{}}
			for p := range principals {
				id.principals[string([]byte{byte(p)})] = rapid.Bool().Draw(t, "satisfies")
			}
			msps[id.name] = id
			seen := false
			for range rapid.IntRange(0, 2).Draw(t, "signatures") {
				sig := rapid.SampledFrom([]string{"ok", "ok", "bad"}).Draw(t, "signature")
				data = append(data, &protoutil.SignedData{Identity: []byte(id.name), Signature: []byte(sig)})
				if sig == "ok" && !seen {
					valid, seen = append(valid, id), true
				}
			}
		}
		unused := set(make([]byte, len(valid)))
		want, _ := evaluate(e.Rule, e.Identities, valid, unused)
		p, err := policies.NewSignaturePolicy(protoutil.MustMarshal(e), msps)
		require.NoError(t, err)
		require.Equal(t, want, p.EvaluateSignedData(data) == nil)
		require.Equal(t, want, p.EvaluateSignedData(data) == nil, "a second time")
		if want {
			satisfied++
		}
	})
	require.Positive(t, satisfied)
}

func TestImplicitMetaCountsSubGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := map[string]*cb.ConfigGroup{}
		n, satisfied := rapid.IntRange(0, 6).Draw(t, "groups"), 0
		for i := range n {
			g := &cb.ConfigGroup{Policies: map[string]*cb.ConfigPolicy{}}
			switch rapid.SampledFrom([]string{"accept", "reject", "none"}).Draw(t, "policy") {
			case "accept":
				g.Policies["P"] = &cb.ConfigPolicy{Policy: policydsl.SignaturePolicy(policydsl.AcceptAll())}
				satisfied++
			case "reject":
				g.Policies["P"] = &cb.ConfigPolicy{Policy: policydsl.SignaturePolicy(policydsl.RejectAll())}
			}
			groups["G"+strconv.Itoa(i)] = g
		}
		kind := rapid.SampledFrom([]cb.ImplicitMetaPolicy_Rule{0, 1, 2}).Draw(t, "rule")
		root := &cb.ConfigGroup{Groups: groups, Policies: map[string]*cb.ConfigPolicy{
			"Q": {Policy: policydsl.ImplicitMetaPolicy(&cb.ImplicitMetaPolicy{SubPolicy: "P", Rule: kind})},
		}}
		pm, err := policies.NewManager("Channel", root, fakeMSP{})
		require.NoError(t, err)
		p, ok := pm.GetPolicy("Q")
		require.True(t, ok)
		want := map[cb.ImplicitMetaPolicy_Rule]bool{
			cb.ImplicitMetaPolicy_ANY:      satisfied > 0,
			cb.ImplicitMetaPolicy_ALL:      satisfied == n,
			cb.ImplicitMetaPolicy_MAJORITY: 2*satisfied > n,
		}[kind] || n == 0
		require.Equal(t, want, p.EvaluateSignedData(nil) == nil)
		require.Equal(t, want, p.EvaluateIdentities(nil) == nil)
	})
}
