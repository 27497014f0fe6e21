package msp_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/msp"
	"raftmig/orderer/msp/msptest"
)

func TestSignedMessagesVerifyOnEveryCurve(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	m := newMSP(t, msp.V1_4_3, root)
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		pair := root.Issue(t, "c", msptest.OU("client"), msptest.Curve(curve))
		signer, id := pair.Signer(t, orgID), decode(t, m, pair)
		for _, msg := range [][]byte{nil, []byte("m"), make([]byte, 1<<20)} {
			sig, err := signer.Sign(msg)
			require.NoError(t, err)
			require.NoError(t, id.Verify(msg, sig))
			require.NoError(t, signer.Verify(msg, sig))
			require.Error(t, id.Verify(append(msg, 0), sig))
		}
	}
}

func TestVerifyRefusesBadSignatures(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	pair := root.Issue(t, "c", msptest.OU("client"))
	id := decode(t, newMSP(t, msp.V1_4_3, root), pair)
	msg := []byte("message")
	digest := sha256.Sum256(msg)
	low, err := msptest.SignDigest(pair.Key, digest[:], false)
	require.NoError(t, err)
	high, err := msptest.SignDigest(pair.Key, digest[:], true)
	require.NoError(t, err)
	other, err := msptest.SignDigest(root.Key, digest[:], false)
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		sig  []byte
		want string
	}{
		{"high S", high, "could not determine the validity of the signature: Invalid S. Must be smaller than half the order ["},
		{"another key", other, "The signature is invalid"},
		{"nothing", nil, "could not determine the validity of the signature: failed unmashalling signature"},
		{"half of it", low[:len(low)/2], "could not determine the validity of the signature: failed unmashalling signature"},
		{"zero R", []byte{0x30, 6, 2, 1, 0, 2, 1, 1}, "invalid signature, R must be larger than zero"},
		{"negative S", []byte{0x30, 6, 2, 1, 1, 2, 1, 0xff}, "invalid signature, S must be larger than zero"},
	} {
		t.Run(tc.name, func(t *testing.T) { require.ErrorContains(t, id.Verify(msg, tc.sig), tc.want) })
	}
	require.NoError(t, id.Verify(msg, low))
	require.NoError(t, id.Verify(msg, append(low, "tail"...)), "Fabric does not look at what follows")
}

func TestSHA3MSPsSignOverSHA3(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	pair := root.Issue(t, "c", msptest.OU("client"))
	id := decode(t, newMSP(t, msp.V1_4_3, root, func(c *mspproto.FabricMSPConfig) {
		c.CryptoConfig = &mspproto.FabricCryptoConfig{SignatureHashFamily: "SHA3", IdentityIdentifierHashFunction: "SHA3_384"}
	}), pair)
	digest := sha3.Sum256([]byte("m"))
	sig, err := msptest.SignDigest(pair.Key, digest[:], false)
	require.NoError(t, err)
	require.NoError(t, id.Verify([]byte("m"), sig))
}

func TestCertificatesWithHighSAreTheSameIdentity(t *testing.T) {
	root := msptest.NewCA(t, "ca", msptest.HighS())
	m := newMSP(t, msp.V1_4_3, root)
	pair := root.Issue(t, "c", msptest.OU("client"), msptest.HighS())
	high := decode(t, m, pair)
	require.NoError(t, high.Validate())
	serialized, err := high.Serialize()
	require.NoError(t, err)
	require.NotEqual(t, pair.Serialized(orgID), serialized)
	low, err := m.DeserializeIdentity(serialized)
	require.NoError(t, err)
	require.Equal(t, high.Key(), low.Key())
	again, err := low.Serialize()
	require.NoError(t, err)
	require.Equal(t, serialized, again)
	require.NoError(t, low.SatisfiesPrincipal(&mspproto.MSPPrincipal{
		PrincipalClassification: mspproto.MSPPrincipal_IDENTITY, Principal: pair.Serialized(orgID),
	}))
}

func TestRSACAsMayIssueECDSAIdentities(t *testing.T) {
	ecRoot := msptest.NewCA(t, "ca")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := *ecRoot.Cert
	template.SignatureAlgorithm, template.PublicKey = x509.SHA256WithRSA, nil
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	require.NoError(t, err)
	rsaRoot, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	leaf := ecRoot.Issue(t, "c", msptest.OU("client"))
	leafTemplate := *leaf.Cert
	leafTemplate.SignatureAlgorithm = x509.SHA256WithRSA
	der, err = x509.CreateCertificate(rand.Reader, &leafTemplate, rsaRoot, &leaf.Key.PublicKey, key)
	require.NoError(t, err)

	root := &msptest.CA{Pair: msptest.Pair{PEM: certPEM(rsaRoot.Raw)}}
	m := newMSP(t, msp.V1_4_3, root)
	pair := &msptest.Pair{PEM: certPEM(der), KeyPEM: leaf.KeyPEM}
	id := decode(t, m, pair)
	require.NoError(t, id.Validate())
	sig, err := pair.Signer(t, orgID).Sign([]byte("m"))
	require.NoError(t, err)
	require.NoError(t, id.Verify([]byte("m"), sig))

	// Nobody can sign as an RSA identity.
	der, err = x509.CreateCertificate(rand.Reader, &leafTemplate, rsaRoot, &key.PublicKey, key)
	require.NoError(t, err)
	rsaID := decode(t, m, &msptest.Pair{PEM: certPEM(der)})
	require.ErrorContains(t, rsaID.Verify([]byte("m"), sig), "only ECDSA identities can sign")
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestSigningIdentityNeedsTheKeyOfItsCertificate(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	pair, other := root.Issue(t, "c"), root.Issue(t, "d")
	sec1, err := x509.MarshalECPrivateKey(pair.Key)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	edKey, err := x509.MarshalPKCS8PrivateKey(ed)
	require.NoError(t, err)
	block := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	for _, tc := range []struct {
		name      string
		cert, key []byte
		want      string
	}{
		{"PKCS 8", pair.PEM, pair.KeyPEM, ""},
		{"SEC 1", pair.PEM, block("EC PRIVATE KEY", sec1), ""},
		{"SEC 1 after its parameters", pair.PEM, append(block("EC PARAMETERS", []byte{6, 1, 1}), block("EC PRIVATE KEY", sec1)...), ""},
		{"no certificate", []byte("x"), pair.KeyPEM, "signing certificate: could not decode the PEM structure"},
		{"no key", pair.PEM, nil, "private key: could not decode the PEM structure"},
		{"a certificate as key", pair.PEM, pair.PEM, `private key: neither an EC key nor a PKCS #8 one (PEM type "CERTIFICATE")`},
		{"an encrypted key", pair.PEM, block("ENCRYPTED PRIVATE KEY", sec1), "private key: the key is encrypted"},
		{"a key of another kind", pair.PEM, block("PRIVATE KEY", edKey), "private key: the key is a ed25519.PrivateKey, only ECDSA keys can sign"},
		{"the key of another certificate", pair.PEM, other.KeyPEM, "the private key does not belong to the certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := msp.NewSigningIdentity(orgID, tc.cert, tc.key)
			if tc.want != "" {
				require.ErrorContains(t, err, tc.want)
				return
			}
			require.NoError(t, err)
			serialized, err := s.Serialize()
			require.NoError(t, err)
			require.Equal(t, pair.Serialized(orgID), serialized)
			require.Equal(t, orgID, s.MSPID())
			require.Equal(t, pair.Cert.NotAfter, s.ExpiresAt())
			require.Error(t, s.Validate())
			require.Error(t, s.SatisfiesPrincipal(msptest.Role(orgID, 0)))
			id := decode(t, newMSP(t, msp.V1_4_3, root), pair)
			require.Equal(t, id.Key(), s.Key())
		})
	}
	_, err = msp.NewSigningIdentity(orgID, pair.PEM, other.KeyPEM)
	require.ErrorIs(t, err, msp.ErrKeyMismatch)
}

func TestSignaturesAreLowS(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	pair := root.Issue(t, "c", msptest.OU("client"))
	s := pair.Signer(t, orgID)
	id := decode(t, newMSP(t, msp.V1_4_3, root), pair)
	for i := range 64 { // half of them would be high without care
		sig, err := s.Sign([]byte{byte(i)})
		require.NoError(t, err)
		require.NoError(t, id.Verify([]byte{byte(i)}, sig))
		digest := sha256.Sum256([]byte{byte(i)})
		require.True(t, ecdsa.VerifyASN1(&pair.Key.PublicKey, digest[:], sig))
	}
}

func TestVerifyAgreesWithTheSlowWayOnAnyBytes(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	pair := root.Issue(t, "c", msptest.OU("client"))
	id := decode(t, newMSP(t, msp.V1_4_3, root), pair)
	msg := []byte("message")
	digest := sha256.Sum256(msg)
	valid := 0
	rapid.Check(t, func(t *rapid.T) {
		sig, err := msptest.SignDigest(pair.Key, digest[:], rapid.Bool().Draw(t, "high"))
		require.NoError(t, err)
		switch rapid.SampledFrom([]string{"", "", "flip", "cut", "tail", "pad"}).Draw(t, "damage") {
		case "flip":
			sig[rapid.IntRange(0, len(sig)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case "cut":
			sig = sig[:rapid.IntRange(0, len(sig)).Draw(t, "length")]
		case "tail":
			sig = append(sig, 0)
		case "pad": // an integer with a zero too many
			sig = append([]byte{0x30, sig[1] + 1, 2, sig[3] + 1, 0}, sig[4:]...)
		}
		var parts struct{ R, S *big.Int }
		_, err = asn1.Unmarshal(sig, &parts)
		want := err == nil && parts.R.Sign() > 0 && parts.S.Sign() > 0 &&
			parts.S.Cmp(new(big.Int).Rsh(pair.Key.Params().N, 1)) <= 0 &&
			ecdsa.Verify(&pair.Key.PublicKey, digest[:], parts.R, parts.S)
		require.Equal(t, want, id.Verify(msg, sig) == nil, "%x", sig)
		if want {
			valid++
		}
	})
	require.Positive(t, valid)
}
