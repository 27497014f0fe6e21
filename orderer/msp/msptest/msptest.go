// Package msptest makes certificate authorities, identities and MSP
// configurations for tests: well-formed ones by default, and through Option
// those that real networks are afraid of.
package msptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"testing"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/msp"
	"raftmig/orderer/protoutil"
)

// Certificates are valid from NotBefore to NotAfter unless an Option says otherwise.
var (
	NotBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	NotAfter  = time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Pair is a certificate with its private key.
type Pair struct {
	Cert *x509.Certificate
	Key  *ecdsa.PrivateKey
	// PEM and KeyPEM (PKCS #8) are the forms in which files hold them.
	PEM, KeyPEM []byte
}

// CA is a certificate authority.
type CA struct{ Pair }

type spec struct {
	template *x509.Certificate
	curve    elliptic.Curve
	highS    bool
}

// Option changes what a certificate looks like.
type Option func(*spec)

// OU sets the organizational units.
func OU(units ...string) Option {
	return func(s *spec) { s.template.Subject.OrganizationalUnit = units }
}

// Validity sets the dates.
func Validity(notBefore, notAfter time.Time) Option {
	return func(s *spec) { s.template.NotBefore, s.template.NotAfter = notBefore, notAfter }
}

// HighS makes the issuer sign with the larger of the two possible S.
func HighS() Option { return func(s *spec) { s.highS = true } }

// Curve sets the curve of the key; P-256 by default.
func Curve(c elliptic.Curve) Option { return func(s *spec) { s.curve = c } }

// Template changes anything else.
func Template(change func(*x509.Certificate)) Option { return func(s *spec) { change(s.template) } }

// NewCA returns a self-signed CA.
func NewCA(t testing.TB, name string, opts ...Option) *CA {
	t.Helper()
	return &CA{issue(t, nil, caTemplate(name), opts)}
}

// Sub returns a CA below c.
func (c *CA) Sub(t testing.TB, name string, opts ...Option) *CA {
	t.Helper()
	return &CA{issue(t, &c.Pair, caTemplate(name), opts)}
}

// Issue returns an identity's certificate.
func (c *CA) Issue(t testing.TB, name string, opts ...Option) *Pair {
	t.Helper()
	p := issue(t, &c.Pair, &x509.Certificate{
		Subject:  pkix.Name{CommonName: name},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}, opts)
	return &p
}

// CRL returns a list in PEM, signed by c, that revokes certs.
func (c *CA) CRL(t testing.TB, certs ...*x509.Certificate) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: NotBefore, NextUpdate: NotAfter}
	for _, cert := range certs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: cert.SerialNumber, RevocationTime: NotBefore,
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.Cert, c.Key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
}

func issue(t testing.TB, issuer *Pair, template *x509.Certificate, opts []Option) Pair {
	t.Helper()
	s := &spec{template: template, curve: elliptic.P256()}
	template.NotBefore, template.NotAfter = NotBefore, NotAfter
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	require.NoError(t, err)
	template.SerialNumber = serial
	for _, o := range opts {
		o(s)
	}
	key, err := ecdsa.GenerateKey(s.curve, rand.Reader)
	require.NoError(t, err)
	if template.IsCA && template.SubjectKeyId == nil {
		point, err := key.PublicKey.Bytes()
		require.NoError(t, err)
		sum := sha256.Sum256(point)
		template.SubjectKeyId = sum[:]
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, &sSigner{signer, s.highS})
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return Pair{
		Cert:   cert,
		Key:    key,
		PEM:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}
}

// sSigner signs with the low or the high S.
type sSigner struct {
	key  *ecdsa.PrivateKey
	high bool
}

func (s *sSigner) Public() crypto.PublicKey { return &s.key.PublicKey }

func (s *sSigner) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return SignDigest(s.key, digest, s.high)
}

// SignDigest returns the signature with the high or the low S.
func SignDigest(key *ecdsa.PrivateKey, digest []byte, high bool) ([]byte, error) {
	der, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	n := key.Params().N
	isHigh := sig.S.Cmp(new(big.Int).Rsh(n, 1)) > 0
	if isHigh != high {
		sig.S.Sub(n, sig.S)
	}
	return asn1.Marshal(sig)
}

// Serialized returns the pair's certificate as an identity of an MSP.
func (p *Pair) Serialized(mspID string) []byte {
	return protoutil.MustMarshal(&mspproto.SerializedIdentity{Mspid: mspID, IdBytes: p.PEM})
}

// Signer returns the pair as a signing identity of an MSP.
func (p *Pair) Signer(t testing.TB, mspID string) msp.SigningIdentity {
	t.Helper()
	s, err := msp.NewSigningIdentity(mspID, p.PEM, p.KeyPEM)
	require.NoError(t, err)
	return s
}

// Config returns the configuration of an MSP with one root CA and NodeOUs
// client, peer, admin, orderer; the changes are applied to it.
func Config(mspID string, root *CA, changes ...func(*mspproto.FabricMSPConfig)) *mspproto.MSPConfig {
	c := &mspproto.FabricMSPConfig{
		Name:      mspID,
		RootCerts: [][]byte{root.PEM},
		CryptoConfig: &mspproto.FabricCryptoConfig{
			SignatureHashFamily: "SHA2", IdentityIdentifierHashFunction: "SHA256",
		},
		FabricNodeOus: NodeOUs(nil),
	}
	for _, change := range changes {
		change(c)
	}
	return &mspproto.MSPConfig{Type: msp.TypeFabric, Config: protoutil.MustMarshal(c)}
}

// NodeOUs returns the usual node OUs, below the CA with the PEM given or below any.
func NodeOUs(certifier []byte) *mspproto.FabricNodeOUs {
	ou := func(name string) *mspproto.FabricOUIdentifier {
		return &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: name, Certificate: certifier}
	}
	return &mspproto.FabricNodeOUs{
		Enable:             true,
		ClientOuIdentifier: ou("client"), PeerOuIdentifier: ou("peer"),
		AdminOuIdentifier: ou("admin"), OrdererOuIdentifier: ou("orderer"),
	}
}

// Role is the principal of a role in an MSP.
func Role(mspID string, role mspproto.MSPRole_MSPRoleType) *mspproto.MSPPrincipal {
	return &mspproto.MSPPrincipal{
		PrincipalClassification: mspproto.MSPPrincipal_ROLE,
		Principal:               protoutil.MustMarshal(&mspproto.MSPRole{MspIdentifier: mspID, Role: role}),
	}
}
