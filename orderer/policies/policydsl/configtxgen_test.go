package policydsl_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/fabrictest"
	"raftmig/orderer/policies/policydsl"
	"raftmig/orderer/protoutil"
)

const configtx = `
Profiles:
  P:
    Policies: &M
      Readers: {Type: ImplicitMeta, Rule: "ANY Readers"}
      Writers: {Type: ImplicitMeta, Rule: "ANY Writers"}
      Admins: {Type: ImplicitMeta, Rule: "ANY Admins"}
      BlockValidation: {Type: ImplicitMeta, Rule: "ANY Writers"}
    Orderer:
      OrdererType: solo
      Policies: *M
      Organizations:
        - Name: O
          ID: OMSP
          MSPDir: %s
          Policies:
            Readers: &X {Type: Signature, Rule: "OR('OMSP.member')"}
            Writers: *X
            Admins: *X
`

// configtxgen writes a genesis block with the rules as policies and returns
// the policies' bytes by rule. It skips the test without Fabric's binaries.
func configtxgen(t *testing.T, rules []string) (map[string]string, error) {
	t.Helper()
	bin := fabrictest.Dir(t, "configtxgen")
	dir := t.TempDir()
	mspDir, err := filepath.Abs("testdata/msp")
	require.NoError(t, err)
	var b strings.Builder
	fmt.Fprintf(&b, configtx, mspDir)
	for i, rule := range rules {
		fmt.Fprintf(&b, "            P%d: {Type: Signature, Rule: %q}\n", i, rule)
	}
	b.WriteString("    Consortiums: {}\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "configtx.yaml"), []byte(b.String()), 0o600))
	out := filepath.Join(dir, "genesis.block")
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "configtxgen"), "-profile", "P", "-channelID", "c", "-outputBlock", out)
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+dir)
	if log, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("configtxgen: %w\n%s", err, log)
	}
	raw, err := os.ReadFile(out)
	require.NoError(t, err)
	block, err := protoutil.UnmarshalBlock(raw)
	require.NoError(t, err)
	env, err := protoutil.EnvelopeAt(block, 0)
	require.NoError(t, err)
	config, err := protoutil.ConfigEnvelope(env)
	require.NoError(t, err)
	org := config.Config.ChannelGroup.Groups["Orderer"].Groups["O"]
	result := map[string]string{}
	for i, rule := range rules {
		p := org.Policies[fmt.Sprintf("P%d", i)].Policy
		require.EqualValues(t, cb.Policy_SIGNATURE, p.Type)
		result[rule] = hex.EncodeToString(p.Value)
	}
	return result, nil
}

func TestInteropConfigtxgenStillGivesTheVectors(t *testing.T) {
	rules, want := vectors(t)
	got, err := configtxgen(t, rules)
	require.NoError(t, err)
	if os.Getenv("UPDATE_VECTORS") != "" {
		var b strings.Builder
		for _, rule := range rules {
			fmt.Fprintf(&b, "%s\t%s\n", rule, got[rule])
		}
		require.NoError(t, os.WriteFile("testdata/configtxgen-2.5.16.txt", []byte(b.String()), 0o644))
		return
	}
	require.Equal(t, want, got)
}

func TestInteropConfigtxgenAgreesOnRandomRules(t *testing.T) {
	var rules []string
	gen := rapid.Custom(func(t *rapid.T) string { return randomRule(t, 3) })
	for i := range 300 {
		rules = append(rules, gen.Example(i))
	}
	want, err := configtxgen(t, rules)
	require.NoError(t, err)
	for _, rule := range rules {
		p, err := policydsl.FromString(rule)
		require.NoError(t, err, rule)
		require.Equal(t, want[rule], hex.EncodeToString(protoutil.MustMarshal(p)), rule)
	}
}

func TestInteropConfigtxgenRefusesMalformedRulesToo(t *testing.T) {
	for _, tc := range badRules[:len(badRules)-1] {
		t.Run(tc.name, func(t *testing.T) {
			_, err := configtxgen(t, []string{tc.rule})
			require.Error(t, err)
		})
	}
}
