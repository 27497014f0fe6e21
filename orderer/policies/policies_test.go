package policies_test

import (
	"fmt"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/msp"
	"raftmig/orderer/msp/msptest"
	"raftmig/orderer/policies"
	"raftmig/orderer/policies/policydsl"
	"raftmig/orderer/protoutil"
)

// org is an organization with some identities.
type org struct {
	id string
	ca *msptest.CA
}

func newOrgs(t testing.TB, ids ...string) (map[string]*org, msp.Manager) {
	t.Helper()
	orgs := map[string]*org{}
	var msps []msp.MSP
	for _, id := range ids {
		ca := msptest.NewCA(t, "ca."+id)
		m, err := msp.New(msp.V1_4_3, msptest.Config(id, ca))
		require.NoError(t, err)
		orgs[id], msps = &org{id: id, ca: ca}, append(msps, m)
	}
	mgr, err := msp.NewManager(msps)
	require.NoError(t, err)
	return orgs, mgr
}

func (o *org) signer(t testing.TB, unit string) msp.SigningIdentity {
	t.Helper()
	return o.ca.Issue(t, unit+" of "+o.id, msptest.OU(unit)).Signer(t, o.id)
}

func sign(t testing.TB, data string, signers ...msp.SigningIdentity) []*protoutil.SignedData {
	t.Helper()
	var out []*protoutil.SignedData
	for _, s := range signers {
		serialized, err := s.Serialize()
		require.NoError(t, err)
		sig, err := s.Sign([]byte(data))
		require.NoError(t, err)
		out = append(out, &protoutil.SignedData{Data: []byte(data), Identity: serialized, Signature: sig})
	}
	return out
}

func rule(t testing.TB, text string) *cb.ConfigPolicy {
	t.Helper()
	p, err := policydsl.FromString(text)
	require.NoError(t, err)
	return &cb.ConfigPolicy{Policy: policydsl.SignaturePolicy(p)}
}

func meta(t testing.TB, text string) *cb.ConfigPolicy {
	t.Helper()
	p, err := policydsl.ImplicitMetaFromString(text)
	require.NoError(t, err)
	return &cb.ConfigPolicy{Policy: policydsl.ImplicitMetaPolicy(p)}
}

func TestSignaturePolicies(t *testing.T) {
	orgs, mgr := newOrgs(t, "A", "B")
	a1, a2, aAdmin := orgs["A"].signer(t, "client"), orgs["A"].signer(t, "peer"), orgs["A"].signer(t, "admin")
	b1 := orgs["B"].signer(t, "client")
	strangers, _ := newOrgs(t, "A")
	stranger := strangers["A"].signer(t, "admin")
	for _, tc := range []struct {
		rule    string
		signers []msp.SigningIdentity
		want    bool
	}{
		{"OR('A.member')", []msp.SigningIdentity{a1}, true},
		{"OR('A.member')", nil, false},
		{"OR('A.member')", []msp.SigningIdentity{b1}, false},
		{"OR('A.member')", []msp.SigningIdentity{stranger}, false},
		{"OR('A.member', 'B.member')", []msp.SigningIdentity{stranger, b1}, true},
		{"AND('A.member', 'B.member')", []msp.SigningIdentity{b1, a1}, true},
		{"AND('A.member', 'B.member')", []msp.SigningIdentity{a1, a2}, false},
		{"AND('A.member', 'A.member')", []msp.SigningIdentity{a1, a2}, true},
		{"AND('A.member', 'A.member')", []msp.SigningIdentity{a1, a1}, false},
		{"AND('A.admin', 'A.member')", []msp.SigningIdentity{aAdmin}, false},
		{"AND('A.admin', 'A.member')", []msp.SigningIdentity{a1, aAdmin}, true},
		// The first fitting identity is taken, there is no way back.
		{"AND('A.member', 'A.admin')", []msp.SigningIdentity{aAdmin, a1}, false},
		{"AND('A.member', 'A.admin')", []msp.SigningIdentity{a1, aAdmin}, true},
		// A gate that is satisfied already still consumes.
		{"AND(OR('A.member', 'A.member'), 'A.member')", []msp.SigningIdentity{a1, a2}, false},
		{"AND(OR('A.member', 'A.member'), 'A.member')", []msp.SigningIdentity{a1, a2, aAdmin}, true},
		// A gate that fails gives back.
		{"OR(AND('A.member', 'B.admin'), 'A.member')", []msp.SigningIdentity{a1}, true},
		{"OutOf(2, 'A.member', 'A.peer', 'B.member')", []msp.SigningIdentity{a1, b1}, true},
		{"OutOf(2, 'A.member', 'A.admin', 'B.admin')", []msp.SigningIdentity{a1, b1}, false},
		{"OutOf(0, 'A.member')", nil, true},
		{"OutOf(2, 'A.member')", []msp.SigningIdentity{a1, a2}, false},
	} {
		t.Run(fmt.Sprintf("%s by %d", tc.rule, len(tc.signers)), func(t *testing.T) {
			p, err := policies.NewSignaturePolicy(rule(t, tc.rule).Policy.Value, mgr)
			require.NoError(t, err)
			err = p.EvaluateSignedData(sign(t, "data", tc.signers...))
			if tc.want {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, "signature set did not satisfy policy")
			}
		})
	}
}

func TestSignaturesThatDoNotVerifyAreSkipped(t *testing.T) {
	orgs, mgr := newOrgs(t, "A")
	a := orgs["A"].signer(t, "client")
	good := sign(t, "data", a)[0]
	forged := &protoutil.SignedData{Data: []byte("other data"), Identity: good.Identity, Signature: good.Signature}
	garbage := &protoutil.SignedData{Identity: []byte{0xff}}
	require.Empty(t, policies.ValidIdentities([]*protoutil.SignedData{forged, garbage}, mgr))
	// A forged signature does not spoil the good one of the same identity; that counts once.
	require.Len(t, policies.ValidIdentities([]*protoutil.SignedData{forged, good, garbage, good}, mgr), 1)
}

func TestSignaturePoliciesThatDoNotCompile(t *testing.T) {
	_, mgr := newOrgs(t, "A")
	marshal := func(e *cb.SignaturePolicyEnvelope) []byte { return protoutil.MustMarshal(e) }
	for _, tc := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"no message", []byte{0xff}, "Error unmarshalling to SignaturePolicy: "},
		{"another version", marshal(&cb.SignaturePolicyEnvelope{Version: 1}), "This evaluator only understands messages of version 0, but version was 1"},
		{"no rule", nil, "Empty policy element"},
		{"an empty rule", marshal(&cb.SignaturePolicyEnvelope{Rule: &cb.SignaturePolicy{}}), "Unknown type: <nil>:<nil>"},
		{"an index too large", marshal(&cb.SignaturePolicyEnvelope{Rule: policydsl.SignedBy(0)}), "identity index out of range, requested 0, but identities length is 0"},
		{"a negative index inside", marshal(&cb.SignaturePolicyEnvelope{
			Rule: policydsl.NOutOf(1, policydsl.SignedBy(-1)), Identities: []*mspproto.MSPPrincipal{msptest.Role("A", 0)},
		}), "identity index out of range, requested -1, but identities length is 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := policies.NewSignaturePolicy(tc.bytes, mgr)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func group(subs map[string]*cb.ConfigGroup, ps map[string]*cb.ConfigPolicy) *cb.ConfigGroup {
	return &cb.ConfigGroup{Groups: subs, Policies: ps}
}

func channel(t testing.TB) *cb.ConfigGroup {
	orgGroup := func(id string) *cb.ConfigGroup {
		return group(nil, map[string]*cb.ConfigPolicy{"Admins": rule(t, "OR('"+id+".admin')"), "Readers": rule(t, "OR('"+id+".member')")})
	}
	return group(map[string]*cb.ConfigGroup{
		"Orderer": group(map[string]*cb.ConfigGroup{"OrgA": orgGroup("A"), "OrgB": orgGroup("B"), "OrgC": orgGroup("C")},
			map[string]*cb.ConfigPolicy{"Admins": meta(t, "MAJORITY Admins"), "Readers": meta(t, "ANY Readers"), "All": meta(t, "ALL Admins"), "Writers": meta(t, "ANY Writers")}),
		"Consortiums": group(nil, map[string]*cb.ConfigPolicy{"Admins": {Policy: policydsl.SignaturePolicy(policydsl.AcceptAll())}, "Any": meta(t, "ANY X"), "Every": meta(t, "ALL X"), "Most": meta(t, "MAJORITY X")}),
	}, map[string]*cb.ConfigPolicy{"Admins": meta(t, "MAJORITY Admins"), "OrgReaders": meta(t, "ANY OrgA/Readers")})
}

func TestImplicitMetaPolicies(t *testing.T) {
	orgs, mgr := newOrgs(t, "A", "B", "C")
	a, b, c := orgs["A"].signer(t, "admin"), orgs["B"].signer(t, "admin"), orgs["C"].signer(t, "admin")
	client := orgs["A"].signer(t, "client")
	pm, err := policies.NewManager("Channel", channel(t), mgr)
	require.NoError(t, err)
	failure := func(got, need int, name string) string {
		return fmt.Sprintf("implicit policy evaluation failed - %d sub-policies were satisfied, but this policy requires %d of the '%s' sub-policies to be satisfied", got, need, name)
	}
	for _, tc := range []struct {
		policy  string
		signers []msp.SigningIdentity
		want    string
	}{
		{"/Channel/Orderer/Readers", []msp.SigningIdentity{client}, ""},
		{"/Channel/Orderer/Readers", nil, failure(0, 1, "Readers")},
		{"/Channel/Orderer/Admins", []msp.SigningIdentity{a, c}, ""},
		{"/Channel/Orderer/Admins", []msp.SigningIdentity{a}, failure(1, 2, "Admins")},
		{"/Channel/Orderer/Admins", []msp.SigningIdentity{a, a, client}, failure(1, 2, "Admins")},
		{"/Channel/Orderer/All", []msp.SigningIdentity{a, b, c}, ""},
		{"/Channel/Orderer/All", []msp.SigningIdentity{a, b}, failure(2, 3, "Admins")},
		{"/Channel/Orderer/Writers", []msp.SigningIdentity{a, b, c}, failure(0, 1, "Writers")}, // no organization has the policy
		// The accept-all policy of Consortiums is one of two; a majority of two is two.
		{"/Channel/Admins", []msp.SigningIdentity{a, b}, ""},
		{"/Channel/Admins", nil, failure(1, 2, "Admins")},
		{"/Channel/Consortiums/Any", nil, ""}, // no sub-groups
		{"/Channel/Consortiums/Every", nil, ""},
		{"/Channel/Consortiums/Most", nil, ""},
		{"/Channel/OrgReaders", []msp.SigningIdentity{client}, ""},
		{"/Channel/OrgReaders", []msp.SigningIdentity{b}, failure(0, 1, "OrgA/Readers")},
	} {
		t.Run(fmt.Sprintf("%s by %d", tc.policy, len(tc.signers)), func(t *testing.T) {
			p, ok := pm.GetPolicy(tc.policy)
			require.True(t, ok)
			err := p.EvaluateSignedData(sign(t, "data", tc.signers...))
			if tc.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tc.want)
			}
		})
	}
}

func TestPoliciesAreFoundByPath(t *testing.T) {
	_, mgr := newOrgs(t, "A", "B", "C")
	pm, err := policies.NewManager("Channel", channel(t), mgr)
	require.NoError(t, err)
	orderer, ok := pm.Manager([]string{"Orderer"})
	require.True(t, ok)
	orgA, ok := pm.Manager([]string{"Orderer", "OrgA"})
	require.True(t, ok)
	same, ok := orderer.Manager(nil)
	require.True(t, ok)
	require.Same(t, orderer, same)
	_, ok = pm.Manager([]string{"Orderer", "OrgA", "X"})
	require.False(t, ok)
	_, ok = pm.Manager([]string{"Application"})
	require.False(t, ok)
	for _, tc := range []struct {
		m      policies.Manager
		path   string
		reject string // name in the text of a missing policy
	}{
		{pm, "/Channel/Admins", ""},
		{pm, "Admins", ""},
		{pm, "/Channel/Orderer/OrgA/Readers", ""},
		{pm, "Orderer/OrgA/Readers", ""},
		{orderer, "Admins", ""},
		{orderer, "OrgA/Admins", ""},
		{orderer, "/Channel/Orderer/Admins", ""},
		{orgA, "Admins", ""},
		{orderer, "/Channel/Admins", "/Channel/Admins"},
		{pm, "", ""},
		{pm, "/", "/"},
		{pm, "/Channel", "/Channel"},
		{pm, "/Channel/", ""},
		{pm, "/ChannelX/Admins", "/ChannelX/Admins"},
		{pm, "/Channel/Nobody", "Nobody"},
		{pm, "/Channel/Orderer/OrgA/X/Admins", "Orderer/OrgA/X/Admins"},
		{pm, "Orderer", "Orderer"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			p, ok := tc.m.GetPolicy(tc.path)
			require.NotNil(t, p)
			if !ok {
				want := "no such policy: '" + tc.reject + "'"
				require.EqualError(t, p.EvaluateSignedData(nil), want)
				require.EqualError(t, p.EvaluateIdentities(nil), want)
			}
			missing := tc.reject != "" || tc.path == "" || tc.path == "/Channel/"
			require.Equal(t, !missing, ok)
		})
	}
}

func TestManagersThatDoNotCompile(t *testing.T) {
	_, mgr := newOrgs(t, "A")
	for _, tc := range []struct {
		name   string
		policy *cb.ConfigPolicy
		want   string
	}{
		{"no policy", &cb.ConfigPolicy{}, "policy P at path Channel/G was nil"},
		{"an unknown type", &cb.ConfigPolicy{Policy: &cb.Policy{Type: 2}}, "policy P at path Channel/G has unknown policy type: 2"},
		{"a bad signature policy", &cb.ConfigPolicy{Policy: &cb.Policy{Type: 1}}, "policy P at path Channel/G did not compile: Empty policy element"},
		{"a bad implicit policy", &cb.ConfigPolicy{Policy: &cb.Policy{Type: 3, Value: []byte{0xff}}}, "implicit policy P at path Channel/G did not compile: Error unmarshalling to ImplicitMetaPolicy: "},
		{"an unknown rule", &cb.ConfigPolicy{Policy: &cb.Policy{Type: 3, Value: []byte{0x10, 7}}}, "implicit policy P at path Channel/G did not compile: unknown rule type 7"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := policies.NewManager("Channel", group(map[string]*cb.ConfigGroup{"G": group(nil, map[string]*cb.ConfigPolicy{"P": tc.policy})}, nil), mgr)
			require.ErrorContains(t, err, tc.want)
		})
	}
	pm, err := policies.NewManager("Channel", nil, mgr)
	require.NoError(t, err)
	_, ok := pm.GetPolicy("Admins")
	require.False(t, ok)
}

func BenchmarkEvaluateSignedDataOfACachedIdentity(b *testing.B) {
	orgs, mgr := newOrgs(b, "A", "B", "C")
	pm, err := policies.NewManager("Channel", channel(b), mgr)
	require.NoError(b, err)
	p, _ := pm.GetPolicy("/Channel/Orderer/Readers")
	data := sign(b, "data", orgs["C"].signer(b, "client"))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.EvaluateSignedData(data); err != nil {
			b.Fatal(err)
		}
	}
}
