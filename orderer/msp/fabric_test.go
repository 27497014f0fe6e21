package msp_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"testing"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/msp"
	"raftmig/orderer/msp/msptest"
)

const orgID = "Org1MSP"

type change = func(*mspproto.FabricMSPConfig)

func newMSP(t testing.TB, v msp.Version, root *msptest.CA, changes ...change) msp.MSP {
	t.Helper()
	m, err := msp.New(v, msptest.Config(orgID, root, changes...))
	require.NoError(t, err)
	return m
}

func noNodeOUs(c *mspproto.FabricMSPConfig) { c.FabricNodeOus = nil }

func admins(pairs ...*msptest.Pair) change {
	return func(c *mspproto.FabricMSPConfig) {
		for _, p := range pairs {
			c.Admins = append(c.Admins, p.PEM)
		}
	}
}

func intermediates(cas ...*msptest.CA) change {
	return func(c *mspproto.FabricMSPConfig) {
		for _, ca := range cas {
			c.IntermediateCerts = append(c.IntermediateCerts, ca.PEM)
		}
	}
}

func crls(lists ...[]byte) change {
	return func(c *mspproto.FabricMSPConfig) { c.RevocationList = lists }
}

func TestSetupRefusesABadMSP(t *testing.T) {
	root, other := msptest.NewCA(t, "ca"), msptest.NewCA(t, "other")
	admin := root.Issue(t, "a", msptest.OU("admin"))
	peer := root.Issue(t, "p", msptest.OU("peer"))
	sub := root.Sub(t, "sub")
	notCA := msptest.NewCA(t, "plain", msptest.Template(func(c *x509.Certificate) { c.IsCA = false }))
	for _, tc := range []struct {
		name    string
		version msp.Version
		change  change
		want    string
	}{
		{"no root", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.RootCerts = nil }, "expected at least one CA certificate"},
		{"a root that is no PEM", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.RootCerts = [][]byte{[]byte("x")} }, "root CA certificate 0: could not decode the PEM structure"},
		{"a root that is no CA", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.RootCerts = [][]byte{notCA.PEM} }, "root CA certificate 0: failed to traverse certificate verification chain"},
		{"an intermediate of another CA", msp.V1_4_3, intermediates(other.Sub(t, "x")), "certificate signed by unknown authority"},
		{"a revoked intermediate", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) {
			intermediates(sub)(c)
			crls(root.CRL(t, sub.Cert))(c)
		}, "The certificate has been revoked"},
		{"a revocation list that is none", msp.V1_4_3, crls([]byte("x")), "could not parse RevocationList"},
		{"a TLS root that is no CA", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.TlsRootCerts = [][]byte{admin.PEM} }, "CA Certificate did not have the CA attribute, (SN: "},
		{"a TLS intermediate without its root", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.TlsIntermediateCerts = [][]byte{sub.PEM} }, "CA Certificate is not valid, (SN: "},
		{"no administrators", msp.V1_4_3, noNodeOUs, "administrators must be declared when no admin ou classification is set"},
		{"no administrators and no admin unit", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.FabricNodeOus.AdminOuIdentifier = nil }, "administrators must be declared when no admin ou classification is set"},
		{"an administrator of another CA", msp.V1_4_3, admins(other.Issue(t, "x", msptest.OU("admin"))), "admin 0 is invalid: the supplied identity is not valid"},
		{"an administrator who is a peer", msp.V1_4_3, admins(admin, peer), "admin 1 is invalid [The identity does not contain OU [CLIENT], MSP: [Org1MSP],The identity does not contain OU [ADMIN], MSP: [Org1MSP]]"},
		{"an administrator who is no client, before 1.4.3", msp.V1_3, admins(peer), "admin 0 is invalid: The identity is not a [CLIENT] under this MSP [Org1MSP]: The identity does not contain OU [CLIENT], MSP: [Org1MSP]"},
		{"a revoked administrator", msp.V1_0, func(c *mspproto.FabricMSPConfig) {
			admins(admin)(c)
			crls(root.CRL(t, admin.Cert))(c)
		}, "admin 0 is invalid: could not validate identity against certification chain: The certificate has been revoked"},
		{"no client unit before 1.4.3", msp.V1_1, func(c *mspproto.FabricMSPConfig) { c.FabricNodeOus.ClientOuIdentifier = nil }, "Failed setting up NodeOUs. ClientOU must be different from nil."},
		{"no peer unit before 1.4.3", msp.V1_1, func(c *mspproto.FabricMSPConfig) { c.FabricNodeOus.PeerOuIdentifier = nil }, "Failed setting up NodeOUs. PeerOU must be different from nil."},
		{"a unit below a foreign CA", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.FabricNodeOus.AdminOuIdentifier.Certificate = other.PEM }, "Failed adding OU. Certificate of CN=other not in root or intermediate certs."},
		{"a unit below a CA that has CAs below it", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) {
			mid := root.Sub(t, "mid")
			intermediates(mid, mid.Sub(t, "low"))(c)
			c.FabricNodeOus.AdminOuIdentifier.Certificate = mid.PEM
		}, "not a leaf of the certification tree"},
		{"a listed unit without a certificate", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) {
			c.OrganizationalUnitIdentifiers = []*mspproto.FabricOUIdentifier{{OrganizationalUnitIdentifier: "u"}}
		}, "failed getting certificate for organizational unit u"},
		{"an unknown hash family", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.CryptoConfig.SignatureHashFamily = "MD5" }, "hash family not recognized [MD5]"},
		{"an unknown hash function", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.CryptoConfig.IdentityIdentifierHashFunction = "MD5" }, "hash function not recognized [MD5]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := msp.New(tc.version, msptest.Config(orgID, root, tc.change))
			require.ErrorContains(t, err, tc.want)
		})
	}
	good := msptest.Config(orgID, root)
	_, err := msp.New(msp.V1_4_3, nil)
	require.EqualError(t, err, "Setup error: nil conf reference")
	_, err = msp.New(msp.Version(4), good)
	require.EqualError(t, err, "Invalid MSP version [4]")
	_, err = msp.New(msp.V1_4_3, &mspproto.MSPConfig{Type: 1, Config: good.Config})
	require.EqualError(t, err, "Setup error: unsupported msp type 1")
	_, err = msp.New(msp.V1_4_3, &mspproto.MSPConfig{Config: []byte{0xff}})
	require.ErrorContains(t, err, "failed unmarshalling fabric msp config")
}

func TestIdentityIsValidOrNot(t *testing.T) {
	year := func(y int) time.Time { return time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC) }
	root, other := msptest.NewCA(t, "ca"), msptest.NewCA(t, "other")
	mid := root.Sub(t, "mid")
	low := mid.Sub(t, "low")
	oldRoot := msptest.NewCA(t, "old", msptest.Validity(year(2000), year(2010)))
	revoked, client := root.Issue(t, "revoked", msptest.OU("client")), msptest.OU("client")
	// A CA with the key identifier of root, and a list of that CA.
	impostor := msptest.NewCA(t, "impostor", msptest.Template(func(c *x509.Certificate) { c.SubjectKeyId = root.Cert.SubjectKeyId }))
	constrained := msptest.NewCA(t, "c", msptest.Template(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"org1"} }))
	p384 := msptest.NewCA(t, "p384", msptest.Curve(elliptic.P384()))

	tree := []change{intermediates(mid, low)}
	for _, tc := range []struct {
		name    string
		root    *msptest.CA
		changes []change
		id      *msptest.Pair
		decode  string // error of DeserializeIdentity
		want    string // error of Validate
	}{
		{name: "a client", id: root.Issue(t, "c", client)},
		{name: "an identity that has expired", id: root.Issue(t, "c", client, msptest.Validity(year(2021), year(2022)))},
		{name: "an identity that is not valid yet", id: root.Issue(t, "c", client, msptest.Validity(year(2100), year(2110)))},
		{name: "an identity of a CA that has expired since", root: oldRoot, id: oldRoot.Issue(t, "c", client, msptest.Validity(year(2005), year(2020)))},
		{name: "an identity issued after its CA had expired", root: oldRoot, id: oldRoot.Issue(t, "c", client, msptest.Validity(year(2011), year(2020))), decode: "certificate has expired or is not yet valid"},
		{name: "an identity of an unknown CA", id: other.Issue(t, "c", client), decode: "the supplied identity is not valid: x509: certificate signed by unknown authority"},
		{name: "a certificate with a P-521 key", id: root.Issue(t, "c", client, msptest.Curve(elliptic.P521()))},
		{name: "a certificate of a P-384 CA with high S", root: p384, id: p384.Issue(t, "c", client, msptest.HighS())},
		{name: "a CA", id: &root.Pair, want: "could not obtain certification chain: An X509 certificate with Basic Constraint: Certificate Authority equals true cannot be used as an identity"},
		{name: "an identity of the lowest CA", changes: tree, id: low.Issue(t, "c", client)},
		{name: "an identity of a CA with CAs below it", changes: tree, id: mid.Issue(t, "c", client), want: "could not obtain certification chain: invalid validation chain. Parent certificate should be a leaf of the certification tree"},
		{name: "an identity of the root above", changes: tree, id: root.Issue(t, "c", client), want: "Parent certificate should be a leaf of the certification tree"},
		{name: "an identity that was revoked", changes: []change{crls(root.CRL(t, revoked.Cert))}, id: revoked, want: "could not validate identity against certification chain: The certificate has been revoked"},
		{name: "an identity that a foreign CA says is revoked", changes: []change{crls(other.CRL(t, revoked.Cert))}, id: revoked},
		{name: "an identity that a CA with the same key identifier says is revoked", changes: []change{crls(impostor.CRL(t, revoked.Cert))}, id: revoked},
		{name: "another identity than the revoked one", changes: []change{crls(root.CRL(t, revoked.Cert))}, id: root.Issue(t, "c", client)},
		{name: "a name that may be a host's below name constraints", root: constrained, id: constrained.Issue(t, "peer0.org1", client), decode: "the supplied identity is not valid: x509: issuer has name constraints but leaf doesn't have a SAN extension"},
		{name: "a name that is no host's below name constraints", root: constrained, id: constrained.Issue(t, "User 1", client)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.root == nil {
				tc.root = root
			}
			m := newMSP(t, msp.V1_4_3, tc.root, tc.changes...)
			id, err := m.DeserializeIdentity(tc.id.Serialized(orgID))
			if tc.decode != "" {
				require.ErrorContains(t, err, tc.decode)
				return
			}
			require.NoError(t, err)
			require.Equal(t, orgID, id.MSPID())
			require.Equal(t, tc.id.Cert.NotAfter, id.ExpiresAt())
			for range 2 {
				if tc.want != "" {
					require.ErrorContains(t, id.Validate(), tc.want)
				} else {
					require.NoError(t, id.Validate())
				}
			}
		})
	}
}

func TestDecodingRefusesWhatIsNoIdentityOfTheMSP(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	m := newMSP(t, msp.V1_4_3, root)
	id := root.Issue(t, "c", msptest.OU("client"))
	_, err := m.DeserializeIdentity([]byte{0xff})
	require.ErrorContains(t, err, "could not deserialize a SerializedIdentity")
	_, err = m.DeserializeIdentity(id.Serialized("Org2MSP"))
	require.EqualError(t, err, "expected MSP ID Org1MSP, received Org2MSP")
	_, err = m.DeserializeIdentity((&msptest.Pair{PEM: []byte("no PEM")}).Serialized(orgID))
	require.EqualError(t, err, "could not decode the PEM structure")
	_, err = m.DeserializeIdentity((&msptest.Pair{PEM: id.KeyPEM}).Serialized(orgID))
	require.ErrorContains(t, err, "parseCertificate failed")
}

func TestTLSCertificatesAreHandedOut(t *testing.T) {
	root, tls := msptest.NewCA(t, "ca"), msptest.NewCA(t, "tlsca")
	sub := tls.Sub(t, "tlssub")
	m := newMSP(t, msp.V1_4_3, root, func(c *mspproto.FabricMSPConfig) {
		c.TlsRootCerts, c.TlsIntermediateCerts = [][]byte{tls.PEM}, [][]byte{sub.PEM}
	})
	require.Equal(t, orgID, m.ID())
	require.Equal(t, [][]byte{tls.PEM}, m.TLSRootCerts())
	require.Equal(t, [][]byte{sub.PEM}, m.TLSIntermediateCerts())
}

func TestManagerAsksTheMSPThatAnIdentityNames(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	m := newMSP(t, msp.V1_4_3, root)
	mgr, err := msp.NewManager([]msp.MSP{m})
	require.NoError(t, err)
	require.Equal(t, map[string]msp.MSP{orgID: m}, mgr.MSPs())
	pair := root.Issue(t, "c", msptest.OU("client"))
	id, err := mgr.DeserializeIdentity(pair.Serialized(orgID))
	require.NoError(t, err)
	require.NoError(t, id.Validate())
	_, err = mgr.DeserializeIdentity(pair.Serialized("Org9MSP"))
	require.EqualError(t, err, "MSP Org9MSP is not defined on channel")
	require.ErrorIs(t, err, msp.ErrUnknownMSP)
	_, err = mgr.DeserializeIdentity([]byte{0xff})
	require.ErrorContains(t, err, "could not deserialize a SerializedIdentity")
	_, err = mgr.DeserializeIdentity(nil)
	require.ErrorIs(t, err, msp.ErrUnknownMSP)
	// The MSP identifier may stand after the certificate, or twice: the last counts.
	wire := pair.Serialized(orgID)
	id, err = mgr.DeserializeIdentity(append([]byte("\x0a\x04Nope"), wire...))
	require.NoError(t, err)
	require.Equal(t, orgID, id.MSPID())
	_, err = mgr.DeserializeIdentity(append(wire, "\x0a\x04Nope"...))
	require.Error(t, err)
	_, err = msp.NewManager([]msp.MSP{m, m})
	require.EqualError(t, err, "MSP Org1MSP is defined twice")
}
