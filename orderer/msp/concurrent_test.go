package msp_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"os"
	"sync"
	"testing"

	"github.com/golang/protobuf/proto"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/msp"
	"raftmig/orderer/msp/msptest"
)

func TestOneMSPServesManyGoroutines(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	m := newMSP(t, msp.V1_4_3, root)
	good, bad := root.Issue(t, "c", msptest.OU("client")), root.Issue(t, "d")
	sig, err := good.Signer(t, orgID).Sign([]byte("m"))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				id, err := m.DeserializeIdentity(good.Serialized(orgID))
				if err != nil || id.Validate() != nil || id.Verify([]byte("m"), sig) != nil ||
					id.SatisfiesPrincipal(msptest.Role(orgID, mspproto.MSPRole_CLIENT)) != nil ||
					id.SatisfiesPrincipal(msptest.Role(orgID, mspproto.MSPRole_PEER)) == nil {
					t.Error("the good identity was misjudged")
				}
				id, err = m.DeserializeIdentity(bad.Serialized(orgID))
				if err != nil || id.Validate() == nil || id.SatisfiesPrincipal(msptest.Role(orgID, mspproto.MSPRole_MEMBER)) == nil {
					t.Error("the bad identity was misjudged")
				}
			}
		})
	}
	wg.Wait()
}

func FuzzDeserializeIdentity(f *testing.F) {
	// Fixed certificates: every worker must know the CA of the seeds.
	raw, err := os.ReadFile("testdata/org1.mspconfig")
	require.NoError(f, err)
	conf := &mspproto.MSPConfig{}
	require.NoError(f, proto.Unmarshal(raw, conf))
	m, err := msp.New(msp.V1_4_3, conf)
	require.NoError(f, err)
	mgr, err := msp.NewManager([]msp.MSP{m})
	require.NoError(f, err)
	user, err := os.ReadFile("testdata/user1.identity")
	require.NoError(f, err)
	id, err := mgr.DeserializeIdentity(user)
	require.NoError(f, err)
	require.NoError(f, id.Validate())
	f.Add(user)
	f.Add([]byte("\x12\x00\x0a\x07Org1MSP"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := mgr.DeserializeIdentity(b)
		if err != nil {
			return
		}
		serialized, err := id.Serialize()
		require.NoError(t, err)
		again, err := m.DeserializeIdentity(serialized)
		require.NoError(t, err)
		require.Equal(t, id.Key(), again.Key())
		require.Equal(t, id.Validate() == nil, again.Validate() == nil)
		_ = id.Verify(b, b)
	})
}

func BenchmarkVerifyOfACachedIdentity(b *testing.B) {
	root := msptest.NewCA(b, "ca")
	mgr, err := msp.NewManager([]msp.MSP{newMSP(b, msp.V1_4_3, root)})
	require.NoError(b, err)
	pair := root.Issue(b, "c", msptest.OU("client"))
	serialized, msg := pair.Serialized(orgID), make([]byte, 1000)
	sig, err := pair.Signer(b, orgID).Sign(msg)
	require.NoError(b, err)
	member := msptest.Role(orgID, mspproto.MSPRole_MEMBER)
	b.ReportAllocs()
	for b.Loop() {
		id, err := mgr.DeserializeIdentity(serialized)
		if err != nil || id.Verify(msg, sig) != nil || id.SatisfiesPrincipal(member) != nil {
			b.Fatal("not satisfied")
		}
	}
}

func BenchmarkLookUpOfACachedIdentity(b *testing.B) {
	root := msptest.NewCA(b, "ca")
	mgr, err := msp.NewManager([]msp.MSP{newMSP(b, msp.V1_4_3, root)})
	require.NoError(b, err)
	serialized := root.Issue(b, "c", msptest.OU("client")).Serialized(orgID)
	member := msptest.Role(orgID, mspproto.MSPRole_MEMBER)
	b.ReportAllocs()
	for b.Loop() {
		id, err := mgr.DeserializeIdentity(serialized)
		if err != nil || id.SatisfiesPrincipal(member) != nil {
			b.Fatal("not satisfied")
		}
	}
}

// The floor of BenchmarkVerifyOfACachedIdentity.
func BenchmarkBareVerify(b *testing.B) {
	pair := msptest.NewCA(b, "ca").Issue(b, "c")
	msg := make([]byte, 1000)
	digest := sha256.Sum256(msg)
	sig, err := msptest.SignDigest(pair.Key, digest[:], false)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		digest := sha256.Sum256(msg)
		if !ecdsa.VerifyASN1(&pair.Key.PublicKey, digest[:], sig) {
			b.Fatal("not valid")
		}
	}
}
