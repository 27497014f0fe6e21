package policydsl_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/policies/policydsl"
	"raftmig/orderer/protoutil"
)

// vectors are rules with the bytes that Fabric's configtxgen made of them.
func vectors(t testing.TB) (rules []string, bytes map[string]string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/configtxgen-2.5.16.txt")
	require.NoError(t, err)
	bytes = map[string]string{}
	for _, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		rule, hex, ok := strings.Cut(line, "\t")
		require.True(t, ok, line)
		rules = append(rules, rule)
		bytes[rule] = hex
	}
	return rules, bytes
}

func TestRulesGiveTheBytesOfConfigtxgen(t *testing.T) {
	rules, want := vectors(t)
	for _, rule := range rules {
		t.Run(rule, func(t *testing.T) {
			p, err := policydsl.FromString(rule)
			require.NoError(t, err)
			require.Equal(t, want[rule], hex.EncodeToString(protoutil.MustMarshal(p)))
		})
	}
}

// badRules are refused by configtxgen too, but for the last one: it passes over
// what follows the rule.
var badRules = []struct{ name, rule, msg string }{
	{"nothing", "", "expected AND, OR or OutOf, found the end of the rule (column 1 of policy \"\")"},
	{"a principal without a gate", "'A.member'", `expected AND, OR or OutOf, found '\''`},
	{"an unknown gate", "XOR('A.member', 'B.member')", "unrecognized token 'XOR' in policy string (column 1 of "},
	{"a gate in odd case", "aND('A.member', 'B.member')", "unrecognized token 'aND' in policy string"},
	{"an unknown role", "OR('A.member', 'B.boss')", "unrecognized token 'B.boss' in policy string (column 16 of "},
	{"a role in capitals", "OR('A.MEMBER')", "unrecognized token 'A.MEMBER' in policy string"},
	{"a principal without a role", "OR('A')", "unrecognized token 'A' in policy string (column 4 of "},
	{"a principal without an MSP", "OR('.member')", "unrecognized token '.member' in policy string"},
	{"an MSP with an underscore", "OR('A_B.member')", "unrecognized token 'A_B.member' in policy string"},
	{"a bare principal", "OR(A.member)", "unrecognized token 'A.member' in policy string"},
	{"an empty gate", "AND()", "expected a principal or a gate, found ')' (column 5 of "},
	{"a trailing comma", "OR('A.member',)", "expected a principal or a gate, found ')' (column 15 of "},
	{"two commas", "OR('A.member',,'B.member')", "expected a principal or a gate, found ','"},
	{"no comma", "OR('A.member' 'B.member')", `expected ')' or ',' in OR, found '\'' (column 15 of `},
	{"no bracket", "OR 'A.member'", `expected '(' after OR, found '\''`},
	{"an open bracket", "OR('A.member'", "expected ')' or ',' in OR, found the end of the rule (column 14 of "},
	{"an open quote", "OR('A.member)", "the quote is not closed (column 4 of "},
	{"a count without rules", "OutOf(1)", "expected at least two arguments to NOutOf. Given 1"},
	{"no count", "OutOf('A.member', 'B.member')", "expected a number as the first argument of OutOf, found 'A.member' (column 7 of "},
	{"too large a count", "OutOf(4, 'A.member', 'B.member')", "invalid t-out-of-n predicate, t 4, n 2 (column 1 of "},
	{"a negative count", "OutOf(-1, 'A.member', 'B.member')", "invalid t-out-of-n predicate, t -1, n 2"},
	{"a tail", "OR('A.member') x", "unexpected 'x' after the end of the rule (column 16 of "},
}

func TestMalformedRulesAreRefusedWithTheirColumn(t *testing.T) {
	for _, tc := range badRules {
		t.Run(tc.name, func(t *testing.T) {
			_, err := policydsl.FromString(tc.rule)
			require.ErrorContains(t, err, tc.msg)
			var syntax *policydsl.SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.Equal(t, tc.rule, syntax.Rule)
		})
	}
	_, err := policydsl.FromString(strings.Repeat("OR(", 1000))
	require.ErrorContains(t, err, "nested more than 200 deep")
}

func TestImplicitMetaRules(t *testing.T) {
	for rule, want := range map[string]cb.ImplicitMetaPolicy_Rule{
		"ANY Readers": cb.ImplicitMetaPolicy_ANY, "ALL Writers": cb.ImplicitMetaPolicy_ALL, "MAJORITY Admins": cb.ImplicitMetaPolicy_MAJORITY,
	} {
		p, err := policydsl.ImplicitMetaFromString(rule)
		require.NoError(t, err)
		require.Equal(t, want, p.Rule)
		require.Equal(t, strings.Fields(rule)[1], p.SubPolicy)
	}
	_, err := policydsl.ImplicitMetaFromString("ANY")
	require.EqualError(t, err, "expected two space separated tokens, but got 1")
	_, err = policydsl.ImplicitMetaFromString("ANY  Readers")
	require.EqualError(t, err, "expected two space separated tokens, but got 3")
	_, err = policydsl.ImplicitMetaFromString("any Readers")
	require.EqualError(t, err, "unknown rule type 'any', expected ALL, ANY, or MAJORITY")
}

func TestHelpersEqualTheRulesThatTheyStandFor(t *testing.T) {
	member, err := policydsl.FromString("OR('Org1MSP.member')")
	require.NoError(t, err)
	require.True(t, proto.Equal(member, policydsl.SignedByMspMember("Org1MSP")))
	admin, err := policydsl.FromString("OutOf(1, 'Org1MSP.admin')")
	require.NoError(t, err)
	require.True(t, proto.Equal(admin, policydsl.SignedByMspAdmin("Org1MSP")))
	require.Equal(t, "12021200", hex.EncodeToString(protoutil.MustMarshal(policydsl.AcceptAll())))
	require.Equal(t, "120412020801", hex.EncodeToString(protoutil.MustMarshal(policydsl.RejectAll())))
}

// randomRule draws a well-formed rule.
func randomRule(t *rapid.T, depth int) string {
	n := rapid.IntRange(1, 4).Draw(t, "n")
	args := make([]string, n)
	for i := range args {
		if depth > 0 && rapid.Bool().Draw(t, "nested") {
			args[i] = randomRule(t, depth-1)
			continue
		}
		q := rapid.SampledFrom([]string{"'", `"`}).Draw(t, "quote")
		msp := rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9.-]{0,8}`).Draw(t, "msp")
		role := rapid.SampledFrom([]string{"admin", "member", "client", "peer", "orderer"}).Draw(t, "role")
		args[i] = q + msp + "." + role + q
	}
	sep := rapid.SampledFrom([]string{",", ", ", " , "}).Draw(t, "separator")
	gate := rapid.SampledFrom([]string{"AND", "And", "and", "OR", "Or", "or", "OutOf", "OUTOF", "outof"}).Draw(t, "gate")
	if strings.EqualFold(gate, "outof") {
		count := rapid.SampledFrom([]string{"0", "1", "2", "'1'"}).Draw(t, "count")
		args = append([]string{count}, args...)
	}
	return gate + "(" + strings.Join(args, sep) + ")"
}

func TestEveryPrincipalOfARuleIsSignedByOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := randomRule(t, 3)
		p, err := policydsl.FromString(rule)
		require.NoError(t, err, rule)
		used := make([]int, len(p.Identities))
		var walk func(*cb.SignaturePolicy)
		walk = func(r *cb.SignaturePolicy) {
			if gate := r.GetNOutOf(); gate != nil {
				for _, sub := range gate.Rules {
					walk(sub)
				}
				return
			}
			used[r.GetSignedBy()]++
		}
		walk(p.Rule)
		for i, n := range used {
			require.Equal(t, 1, n, "identity %d of %s", i, rule)
		}
		require.Equal(t, strings.Count(rule, "'")/2+strings.Count(rule, `"`)/2-strings.Count(rule, "('1'"), len(used))
	})
}

func FuzzFromString(f *testing.F) {
	for _, s := range []string{"OR('A.member')", "OutOf(2,'A.peer',AND(\"B.admin\",'C.client'))", "OR(", "'", "OutOf('1','A.member')"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		p, err := policydsl.FromString(rule)
		if err != nil {
			return
		}
		require.NotEmpty(t, p.Identities)
		for _, id := range p.Identities {
			require.Equal(t, mspproto.MSPPrincipal_ROLE, id.PrincipalClassification)
			require.NoError(t, proto.Unmarshal(id.Principal, &mspproto.MSPRole{}))
		}
		again := &cb.SignaturePolicyEnvelope{}
		require.NoError(t, proto.Unmarshal(protoutil.MustMarshal(p), again))
		require.True(t, proto.Equal(p, again))
	})
}
