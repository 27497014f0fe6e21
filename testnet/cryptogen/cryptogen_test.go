package cryptogen

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"raftmig/orderer/fabrictest"
)

func TestTheTreeIsTheOneThatFabricMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "crypto-config")
	c, err := Load("testdata/crypto-config.yaml")
	require.NoError(t, err)
	require.NoError(t, Generate(c, dir, Options{}))
	require.Equal(t, describe(t, unpack(t, "testdata/crypto-config.tar.gz")), describe(t, dir))
}

const withCADetails = `
OrdererOrgs:
  - Name: Ord
    Domain: ord.example.org
    EnableNodeOUs: true
    CA: {Hostname: root, Country: DE, Province: Bayern, Locality: Hof, OrganizationalUnit: IT, StreetAddress: Weg 1, PostalCode: 95028}
    Specs:
      - {Hostname: o1, CommonName: "first.{{.Domain}}", SANS: ["{{.Hostname}}.alt.{{.Domain}}", 10.1.2.3, "::1"]}
    Template: {Count: 2, Start: 7, Hostname: "node{{.Index}}", SANS: ["{{.CommonName}}.alt"]}
PeerOrgs:
  - {Name: P, Domain: p.example.org, Template: {Count: 1}, Users: {Count: 2}}
`

func TestInteropTheTreeIsTheOneThatTheRealToolMakes(t *testing.T) {
	bin := fabrictest.Dir(t, "cryptogen")
	for _, name := range []string{"testdata/crypto-config.yaml", "testdata/seed-crypto-config.yaml", "ca details"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file := name
			if name == "ca details" {
				file = filepath.Join(t.TempDir(), "crypto-config.yaml")
				require.NoError(t, os.WriteFile(file, []byte(withCADetails), 0o644))
			}
			theirs, ours := filepath.Join(t.TempDir(), "x"), filepath.Join(t.TempDir(), "x")
			out, err := exec.Command(filepath.Join(bin, "cryptogen"), "generate", "--config="+file, "--output="+theirs).CombinedOutput()
			require.NoError(t, err, string(out))
			c, err := Load(file)
			require.NoError(t, err)
			require.NoError(t, Generate(c, ours, Options{}))
			require.Equal(t, describe(t, theirs), describe(t, ours))
		})
	}
}

func TestInteropExtendMakesWhatTheRealToolMakes(t *testing.T) {
	bin := fabrictest.Dir(t, "cryptogen")
	const more = `
OrdererOrgs:
  - {Name: Orderer, Domain: example.com, Specs: [{Hostname: orderer1}, {Hostname: orderer9}]}
PeerOrgs:
  - {Name: Org1, Domain: org1.example.com, Template: {Count: 3}, Users: {Count: 2}}
  - {Name: Org9, Domain: org9.example.com, Template: {Count: 1}}
`
	file := filepath.Join(t.TempDir(), "more.yaml")
	require.NoError(t, os.WriteFile(file, []byte(more), 0o644))
	theirs, ours := filepath.Join(t.TempDir(), "x"), filepath.Join(t.TempDir(), "x")
	for _, args := range [][]string{
		{"generate", "--config=testdata/seed-crypto-config.yaml", "--output=" + theirs},
		{"generate", "--config=testdata/seed-crypto-config.yaml", "--output=" + ours},
		{"extend", "--config=" + file, "--input=" + theirs},
	} {
		out, err := exec.Command(filepath.Join(bin, "cryptogen"), args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	c, err := Load(file)
	require.NoError(t, err)
	require.NoError(t, Extend(c, ours, Options{}))
	require.Equal(t, describe(t, theirs), describe(t, ours))
}

func TestCertificatesChainToTheirCA(t *testing.T) {
	dir := t.TempDir()
	c, err := Parse("c.yaml", []byte(withCADetails))
	require.NoError(t, err)
	require.NoError(t, Generate(c, dir, Options{}))
	base := filepath.Join(dir, "ordererOrganizations", "ord.example.org")
	for leaf, root := range map[string]string{
		"orderers/node7.ord.example.org/msp/signcerts/node7.ord.example.org-cert.pem": "ca/root.ord.example.org-cert.pem",
		"orderers/node7.ord.example.org/tls/server.crt":                               "tlsca/tlsroot.ord.example.org-cert.pem",
		"users/Admin@ord.example.org/tls/client.crt":                                  "tlsca/tlsroot.ord.example.org-cert.pem",
	} {
		pool := x509.NewCertPool()
		pool.AddCert(readCert(t, filepath.Join(base, root)))
		_, err := readCert(t, filepath.Join(base, leaf)).Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		require.NoError(t, err, leaf)
	}
}

func readCert(t *testing.T, file string) *x509.Certificate {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	cert, err := parseCert(data)
	require.NoError(t, err)
	return cert
}

func TestTheSameClockAndRandomnessGiveTheSameBytes(t *testing.T) {
	c, err := Load("testdata/crypto-config.yaml")
	require.NoError(t, err)
	sum := func() [32]byte {
		dir := t.TempDir()
		require.NoError(t, Generate(c, dir, Options{
			Now:  func() time.Time { return time.Date(2026, 1, 2, 3, 4, 31, 0, time.UTC) },
			Rand: rand.NewChaCha8([32]byte{1}),
		}))
		h := sha256.New()
		require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				h.Write(data)
			}
			return err
		}))
		return [32]byte(h.Sum(nil))
	}
	require.Equal(t, sum(), sum())
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty file":           {"", "neither OrdererOrgs nor PeerOrgs"},
		"unknown key":          {"PeerOrgs:\n  - Name: a\n    Domian: b\n", `c.yaml:3: PeerOrgs.0: unknown key "Domian"`},
		"no domain":            {"PeerOrgs: [{Name: a}]", `organization "a": it has no domain`},
		"path as domain":       {"PeerOrgs: [{Name: a, Domain: ../x}]", `domain "../x" is not a host name`},
		"path as common name":  {"PeerOrgs: [{Name: a, Domain: x, Specs: [{Hostname: h, CommonName: a/b}]}]", `common name "a/b" is not a host name`},
		"domain given twice":   {"PeerOrgs: [{Name: a, Domain: x}, {Name: b, Domain: X}]", `organizations "a" and "b" have the same domain X`},
		"node given twice":     {"PeerOrgs: [{Name: a, Domain: x, Specs: [{Hostname: peer1}], Template: {Count: 2}}]", "node peer1.x is described twice"},
		"negative count":       {"PeerOrgs: [{Name: a, Domain: x, Template: {Count: -1}}]", "must not be negative"},
		"huge count":           {"PeerOrgs: [{Name: a, Domain: x, Template: {Count: 1000000000}}]", "must not be above 10000"},
		"bad template":         {"PeerOrgs: [{Name: a, Domain: x, Template: {Count: 1, Hostname: \"{{.Nix}}\"}}]", `template "{{.Nix}}"`},
		"node without name":    {"PeerOrgs: [{Name: a, Domain: x, Specs: [{SANS: [b]}]}]", "a node has no Hostname"},
		"alternative name":     {"PeerOrgs: [{Name: a, Domain: x, Specs: [{Hostname: h, SANS: [\"a b\"]}]}]", `alternative name "a b"`},
		"name above 64 bytes":  {"PeerOrgs: [{Name: a, Domain: " + strings.Repeat("x", 65) + "}]", "longer than the 64 characters"},
		"wrong type of number": {"PeerOrgs: [{Name: a, Domain: x, Users: {Count: many}}]", `c.yaml:1: PeerOrgs.0.Users.Count: "many" is not a number`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			c, err := Parse("c.yaml", []byte(tc.text))
			if err == nil {
				err = Generate(c, dir, Options{})
			}
			require.ErrorContains(t, err, tc.want)
			require.NoDirExists(t, dir)
		})
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	c, err := Parse("c.yaml", []byte("PeerOrgs: [{Name: a, Domain: a.b}]"))
	require.NoError(t, err)
	require.NoError(t, Generate(c, dir, Options{}))
	before := describe(t, dir)
	c, err = Parse("c.yaml", []byte("PeerOrgs: [{Name: c, Domain: c.d}, {Name: a, Domain: a.b}]"))
	require.NoError(t, err)
	require.ErrorIs(t, Generate(c, dir, Options{}), ErrExists)
	require.Equal(t, before, describe(t, dir))
}

func TestAFailureLeavesNoHalfOrganization(t *testing.T) {
	dir := t.TempDir()
	c, err := Parse("c.yaml", []byte("PeerOrgs: [{Name: a, Domain: a.b, Template: {Count: 3}}]"))
	require.NoError(t, err)
	dry := io.LimitReader(rand.NewChaCha8([32]byte{2}), 300)
	require.ErrorContains(t, Generate(c, dir, Options{Rand: dry}), "EOF")
	entries, err := os.ReadDir(filepath.Join(dir, "peerOrganizations"))
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestExtendAddsWhatIsMissingAndKeepsTheRest(t *testing.T) {
	dir := unpack(t, "testdata/crypto-config.tar.gz")
	before := describe(t, dir)
	oldKey, err := os.ReadFile(filepath.Join(dir, "ordererOrganizations/example.com/ca/priv_sk"))
	require.NoError(t, err)
	c, err := Parse("c.yaml", []byte(`
OrdererOrgs:
  - {Name: O, Domain: example.com, EnableNodeOUs: true, Specs: [{Hostname: orderer0}, {Hostname: orderer3}]}
PeerOrgs:
  - {Name: P, Domain: org1.example.com, EnableNodeOUs: true, Template: {Count: 2}, Users: {Count: 2}}
  - {Name: Q, Domain: org2.example.com, Template: {Count: 1}}
`))
	require.NoError(t, err)
	require.NoError(t, Extend(c, dir, Options{}))
	after := describe(t, dir)
	for path, was := range before {
		require.Equal(t, was, after[path], path)
	}
	for _, added := range []string{
		"ordererOrganizations/example.com/orderers/orderer3.example.com/tls/server.crt",
		"peerOrganizations/org1.example.com/peers/peer1.org1.example.com/msp/keystore/priv_sk",
		"peerOrganizations/org1.example.com/users/User2@org1.example.com/tls/client.key",
		"peerOrganizations/org2.example.com/msp/admincerts/Admin@org2.example.com-cert.pem",
	} {
		require.Contains(t, after, added)
	}
	newKey, err := os.ReadFile(filepath.Join(dir, "ordererOrganizations/example.com/ca/priv_sk"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(oldKey, newKey))
}

func TestExtendRefusesAKeyThatDoesNotMatchItsCertificate(t *testing.T) {
	dir := unpack(t, "testdata/crypto-config.tar.gz")
	base := filepath.Join(dir, "ordererOrganizations/example.com")
	other, err := os.ReadFile(filepath.Join(base, "tlsca/priv_sk"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(base, "ca/priv_sk"), other, 0o600))
	c, err := Load("testdata/crypto-config.yaml")
	require.NoError(t, err)
	require.ErrorContains(t, Extend(c, dir, Options{}), "does not belong to")
}

func TestExtendNeedsAnExistingFolder(t *testing.T) {
	c, err := Load("testdata/crypto-config.yaml")
	require.NoError(t, err)
	err = Extend(c, filepath.Join(t.TempDir(), "none"), Options{})
	require.True(t, errors.Is(err, os.ErrNotExist))
}

func TestTheTemplateCanBeGenerated(t *testing.T) {
	c, err := Parse("template", []byte(Template))
	require.NoError(t, err)
	require.NoError(t, Generate(c, t.TempDir(), Options{}))
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(withCADetails))
	f.Add([]byte(Template))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := Parse("c.yaml", data); err == nil {
			_, _ = render(c)
		}
	})
}
