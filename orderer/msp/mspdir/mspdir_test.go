package mspdir_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/msp"
	"raftmig/orderer/msp/mspdir"
	"raftmig/orderer/msp/msptest"
	"raftmig/orderer/protoutil"
)

// cryptoConfig unpacks identities that Fabric's cryptogen made.
func cryptoConfig(t *testing.T) string {
	t.Helper()
	f, err := os.Open("testdata/crypto-config.tar.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(dir, "crypto-config")
		}
		require.NoError(t, err)
		if h.Typeflag != tar.TypeReg {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, h.Name), 0o700))
			continue
		}
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		write(t, filepath.Join(dir, h.Name), b)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

func orgs(crypto string) map[string]string {
	return map[string]string{
		"OrdererMSP": filepath.Join(crypto, "ordererOrganizations/example.com"),
		"Org1MSP":    filepath.Join(crypto, "peerOrganizations/org1.example.com"),
	}
}

func TestFoldersGiveTheBytesThatConfigtxgenWrites(t *testing.T) {
	raw, err := os.ReadFile("testdata/genesis.block")
	require.NoError(t, err)
	block, err := protoutil.UnmarshalBlock(raw)
	require.NoError(t, err)
	env, err := protoutil.EnvelopeAt(block, 0)
	require.NoError(t, err)
	config, err := protoutil.ConfigEnvelope(env)
	require.NoError(t, err)
	groups := config.Config.ChannelGroup.Groups
	written := map[string]*cb.ConfigGroup{
		"OrdererMSP": groups["Orderer"].Groups["OrdererOrg"],
		"Org1MSP":    groups["Consortiums"].Groups["SampleConsortium"].Groups["Org1MSP"],
	}
	for id, dir := range orgs(cryptoConfig(t)) {
		conf, err := mspdir.Load(filepath.Join(dir, "msp"), id)
		require.NoError(t, err)
		require.Equal(t, written[id].Values["MSP"].Value, protoutil.MustMarshal(conf))
	}
}

func TestCryptogenIdentitiesHaveTheRoleOfTheirFolder(t *testing.T) {
	for mspID, dir := range orgs(cryptoConfig(t)) {
		conf, err := mspdir.Load(filepath.Join(dir, "msp"), mspID)
		require.NoError(t, err)
		m, err := msp.New(msp.V1_4_3, conf)
		require.NoError(t, err)
		folders, err := filepath.Glob(filepath.Join(dir, "*/*/msp"))
		require.NoError(t, err)
		require.NotEmpty(t, folders)
		for _, folder := range folders {
			want := mspproto.MSPRole_CLIENT
			switch {
			case strings.Contains(folder, "/Admin@"):
				want = mspproto.MSPRole_ADMIN
			case strings.Contains(folder, "/orderers/"):
				want = mspproto.MSPRole_ORDERER
			case strings.Contains(folder, "/peers/"):
				want = mspproto.MSPRole_PEER
			}
			signer, err := mspdir.LoadSigner(folder, mspID)
			require.NoError(t, err)
			serialized, err := signer.Serialize()
			require.NoError(t, err)
			id, err := m.DeserializeIdentity(serialized)
			require.NoError(t, err)
			require.NoError(t, id.Validate())
			for _, role := range []mspproto.MSPRole_MSPRoleType{1, 2, 3, 4} {
				require.Equal(t, role == want, id.SatisfiesPrincipal(msptest.Role(mspID, role)) == nil, "%s as %s", folder, role)
			}
			sig, err := signer.Sign([]byte("m"))
			require.NoError(t, err)
			require.NoError(t, id.Verify([]byte("m"), sig))
		}
	}
}

func fabricConfig(t *testing.T, conf *mspproto.MSPConfig) *mspproto.FabricMSPConfig {
	t.Helper()
	require.EqualValues(t, 0, conf.Type)
	c := &mspproto.FabricMSPConfig{}
	require.NoError(t, proto.Unmarshal(conf.Config, c))
	return c
}

func TestLoadReadsEveryPartOfAFolder(t *testing.T) {
	root, tls := msptest.NewCA(t, "ca"), msptest.NewCA(t, "tlsca")
	sub, tlsSub := root.Sub(t, "sub"), tls.Sub(t, "tlssub")
	admin := sub.Issue(t, "a", msptest.OU("admin"))
	crl := sub.CRL(t, admin.Cert)
	dir := t.TempDir()
	for path, b := range map[string][]byte{
		"cacerts/b.pem": root.PEM, "cacerts/README": []byte("no PEM"), "intermediatecerts/x.pem": sub.PEM,
		"admincerts/a.pem": admin.PEM, "crls/x.pem": crl, "tlscacerts/x.pem": tls.PEM, "tlsintermediatecerts/x.pem": tlsSub.PEM,
		"config.yaml": []byte(`
OrganizationalUnitIdentifiers:
  - {Certificate: intermediatecerts/x.pem, OrganizationalUnitIdentifier: sales}
NodeOUs:
  Enable: true
  ClientOUIdentifier: {Certificate: intermediatecerts/x.pem, OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {Certificate: missing.pem, OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {Certificate: intermediatecerts/x.pem}
`),
	} {
		write(t, filepath.Join(dir, path), b)
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "cacerts/folder"), 0o700))
	require.NoError(t, os.Symlink("b.pem", filepath.Join(dir, "cacerts/a.pem")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "cacerts/c.pem")))
	var warnings []string
	conf, err := mspdir.LoadReporting(dir, "M", func(text string) { warnings = append(warnings, text) })
	require.NoError(t, err)
	got := fabricConfig(t, conf)
	want := &mspproto.FabricMSPConfig{
		Name: "M", RootCerts: [][]byte{root.PEM, root.PEM}, IntermediateCerts: [][]byte{sub.PEM}, Admins: [][]byte{admin.PEM},
		RevocationList: [][]byte{crl}, TlsRootCerts: [][]byte{tls.PEM}, TlsIntermediateCerts: [][]byte{tlsSub.PEM},
		CryptoConfig: &mspproto.FabricCryptoConfig{SignatureHashFamily: "SHA2", IdentityIdentifierHashFunction: "SHA256"},
		OrganizationalUnitIdentifiers: []*mspproto.FabricOUIdentifier{
			{Certificate: sub.PEM, OrganizationalUnitIdentifier: "sales"},
		},
		FabricNodeOus: &mspproto.FabricNodeOUs{
			Enable:             true,
			ClientOuIdentifier: &mspproto.FabricOUIdentifier{Certificate: sub.PEM, OrganizationalUnitIdentifier: "client"},
			PeerOuIdentifier:   &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: "peer"},
			AdminOuIdentifier:  &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: "admin"},
		},
	}
	require.True(t, proto.Equal(want, got), "%v", got)
	require.Len(t, warnings, 3)
	require.Contains(t, warnings[0], "README: it holds no PEM block")
	require.Contains(t, warnings[1], "c.pem")
	require.Contains(t, warnings[2], "Failed loading PeerOU certificate at [")
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no CA folder", map[string]string{"x": ""}, "could not load a valid ca certificate from directory "},
		{"no CA", map[string]string{"cacerts/x": "no PEM"}, "could not load a valid ca certificate from directory "},
		{"a file instead of a folder", map[string]string{"cacerts/x": string(root.PEM), "crls": ""}, "could not read directory "},
		{"bad YAML", map[string]string{"cacerts/x": string(root.PEM), "config.yaml": "NodeOUs: ["}, "failed unmarshalling configuration file at ["},
		{"YAML of another shape", map[string]string{"cacerts/x": string(root.PEM), "config.yaml": "NodeOUs: 7"}, "failed unmarshalling configuration file at ["},
		{"a listed unit without its certificate", map[string]string{"cacerts/x": string(root.PEM), "config.yaml": "OrganizationalUnitIdentifiers: [{Certificate: no.pem}]"}, "failed loading OrganizationalUnit certificate at ["},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			for path, content := range tc.files {
				write(t, filepath.Join(dir, path), []byte(content))
			}
			_, err := mspdir.Load(dir, "M")
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, dir)
		})
	}
	_, err := mspdir.Load(filepath.Join(t.TempDir(), "none"), "M")
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	_, err = mspdir.Load(file, "M")
	require.ErrorContains(t, err, "is not a folder")
}

func TestLoadSignerFindsTheKeyOfTheCertificate(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	id, other := root.Issue(t, "c"), root.Issue(t, "d")
	for _, tc := range []struct {
		name  string
		files map[string][]byte
		want  string // error
	}{
		{"cryptogen's name", map[string][]byte{"signcerts/x.pem": id.PEM, "keystore/priv_sk": id.KeyPEM}, ""},
		{"a name of the CA server's", map[string][]byte{"signcerts/cert.pem": id.PEM, "keystore/0a1b_sk": id.KeyPEM}, ""},
		{"any name", map[string][]byte{"signcerts/cert.pem": id.PEM, "keystore/key.pem": id.KeyPEM}, ""},
		{"several keys", map[string][]byte{"signcerts/x.pem": id.PEM, "keystore/a_sk": other.KeyPEM, "keystore/b_sk": id.KeyPEM}, ""},
		{"several certificates", map[string][]byte{"signcerts/a.pem": id.PEM, "signcerts/b.pem": other.PEM, "keystore/x": id.KeyPEM}, ""},
		{"no certificate", map[string][]byte{"keystore/x_sk": id.KeyPEM}, "could not load a valid signer certificate from directory "},
		{"no PEM certificate", map[string][]byte{"signcerts/x": []byte("?"), "keystore/x_sk": id.KeyPEM}, "x: it holds no PEM block"},
		{"no key", map[string][]byte{"signcerts/x.pem": id.PEM}, "could not load a private key from directory "},
		{"a key of another certificate", map[string][]byte{"signcerts/x.pem": id.PEM, "keystore/x_sk": other.KeyPEM}, "keystore/x_sk: the private key does not belong to the certificate"},
		{"a certificate as key", map[string][]byte{"signcerts/x.pem": id.PEM, "keystore/x_sk": id.PEM}, "keystore/x_sk: private key: neither an EC key nor a PKCS #8 one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			for path, b := range tc.files {
				write(t, filepath.Join(dir, path), b)
			}
			s, err := mspdir.LoadSigner(dir, "M")
			if tc.want != "" {
				require.ErrorContains(t, err, tc.want)
				require.ErrorContains(t, err, dir)
				return
			}
			require.NoError(t, err)
			serialized, err := s.Serialize()
			require.NoError(t, err)
			require.Equal(t, id.Serialized("M"), serialized)
		})
	}
	_, err := mspdir.LoadSigner(filepath.Join(t.TempDir(), "none"), "M")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestCheckExpiry(t *testing.T) {
	end := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	id := msptest.NewCA(t, "ca").Issue(t, "c", msptest.Validity(end.AddDate(-1, 0, 0), end)).Signer(t, "M")
	require.NoError(t, mspdir.CheckExpiry(id, end.Add(-time.Second)))
	require.EqualError(t, mspdir.CheckExpiry(id, end), "signing identity expired 0s ago")
	require.EqualError(t, mspdir.CheckExpiry(id, end.Add(90*time.Minute)), "signing identity expired 1h30m0s ago")
}

func TestLoadLocalChecksTheSignerAgainstTheFolder(t *testing.T) {
	root, other := msptest.NewCA(t, "ca"), msptest.NewCA(t, "other")
	admin := root.Issue(t, "a", msptest.OU("admin"))
	folder := func(signer *msptest.Pair, admins ...*msptest.Pair) string {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "cacerts/ca.pem"), root.PEM)
		write(t, filepath.Join(dir, "signcerts/cert.pem"), signer.PEM)
		write(t, filepath.Join(dir, "keystore/priv_sk"), signer.KeyPEM)
		for _, a := range admins {
			write(t, filepath.Join(dir, "admincerts/a.pem"), a.PEM)
		}
		return dir
	}
	pair := root.Issue(t, "o", msptest.HighS())
	m, signer, err := mspdir.LoadLocal(folder(pair, admin), "M")
	require.NoError(t, err)
	serialized, err := signer.Serialize()
	require.NoError(t, err)
	require.NotEqual(t, pair.Serialized("M"), serialized, "it is in low-S form")
	id, err := m.DeserializeIdentity(pair.Serialized("M"))
	require.NoError(t, err)
	require.Equal(t, id.Key(), signer.Key())
	sig, err := signer.Sign([]byte("m"))
	require.NoError(t, err)
	require.NoError(t, id.Verify([]byte("m"), sig))

	_, _, err = mspdir.LoadLocal(folder(other.Issue(t, "o"), admin), "M")
	require.ErrorContains(t, err, "signcerts/cert.pem: the supplied identity is not valid: x509: certificate signed by unknown authority")
	_, _, err = mspdir.LoadLocal(folder(pair), "M")
	require.ErrorContains(t, err, "administrators must be declared when no admin ou classification is set")
	_, _, err = mspdir.LoadLocal(t.TempDir(), "M")
	require.ErrorContains(t, err, "could not load a valid ca certificate")
	dir := folder(pair, admin)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "keystore")))
	_, _, err = mspdir.LoadLocal(dir, "M")
	require.ErrorContains(t, err, "could not load a private key from directory ")

	elsewhere := t.TempDir()
	_, _, err = mspdir.LoadLocal(dir, "M", elsewhere)
	require.ErrorContains(t, err, "could not load a private key from directory "+filepath.Join(dir, "keystore")+", "+elsewhere)
	write(t, filepath.Join(elsewhere, "other_sk"), other.Issue(t, "o").KeyPEM)
	write(t, filepath.Join(elsewhere, "some_sk"), pair.KeyPEM)
	_, signer, err = mspdir.LoadLocal(dir, "M", elsewhere)
	require.NoError(t, err, "the key may be in another folder, under any name")
	require.Equal(t, id.Key(), signer.Key())
}
