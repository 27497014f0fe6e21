package raftmetadata_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/msp"
	"raftmig/orderer/raftmetadata"
)

type fakeOrderer struct {
	channelconfig.Orderer
	orgs map[string]channelconfig.OrdererOrg
}

func (o fakeOrderer) Organizations() map[string]channelconfig.OrdererOrg { return o.orgs }

type fakeOrg struct {
	channelconfig.OrdererOrg
	roots, intermediates [][]byte
}

func (o fakeOrg) MSP() msp.MSP { return fakeMSP{org: o} }

type fakeMSP struct {
	msp.MSP
	org fakeOrg
}

func (m fakeMSP) TLSRootCerts() [][]byte         { return m.org.roots }
func (m fakeMSP) TLSIntermediateCerts() [][]byte { return m.org.intermediates }

func verifyOptions(t *testing.T, cas ...*clustertest.CA) x509.VerifyOptions {
	t.Helper()
	orgs := map[string]channelconfig.OrdererOrg{}
	for _, ca := range cas {
		orgs[ca.Cert.Subject.CommonName] = fakeOrg{roots: [][]byte{ca.PEM}}
	}
	opts, err := raftmetadata.VerifyOptions(fakeOrderer{orgs: orgs})
	require.NoError(t, err)
	return opts
}

func TestVerifyOptionsNamesTheCertificateItCannotParse(t *testing.T) {
	_, err := raftmetadata.VerifyOptions(fakeOrderer{orgs: map[string]channelconfig.OrdererOrg{
		"org": fakeOrg{roots: [][]byte{{1, 2}}},
	}})
	require.EqualError(t, err, "parsing tls root certs: no PEM data found in cert[01 02]")
	_, err = raftmetadata.VerifyOptions(fakeOrderer{orgs: map[string]channelconfig.OrdererOrg{
		"org": fakeOrg{intermediates: [][]byte{{1, 2}}},
	}})
	require.EqualError(t, err, "parsing tls intermediate certs: no PEM data found in cert[01 02]")
}

// Spec 4.2, text by text.
func TestVerifyChecksInFabricsOrderWithFabricsTexts(t *testing.T) {
	ca, foreign := clustertest.NewCA(t, "ca"), clustertest.NewCA(t, "foreign")
	opts := verifyOptions(t, ca)
	one, two, alien := ca.Issue(t, "one"), ca.Issue(t, "two"), foreign.Issue(t, "alien")
	past := ca.Issue(t, "past", clustertest.ValidFor(time.Now().Add(-3*time.Hour), time.Now().Add(-time.Hour)))
	good := &etcdraft.ConfigMetadata{
		Consenters: []*etcdraft.Consenter{
			{Host: "a", Port: 1, ClientTlsCert: one.PEM, ServerTlsCert: one.PEM},
			{Host: "b", Port: 2, ClientTlsCert: two.PEM, ServerTlsCert: two.PEM},
		},
		Options: &etcdraft.Options{TickInterval: "500ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5},
	}
	require.NoError(t, raftmetadata.Verify(good, opts))
	require.EqualError(t, raftmetadata.Verify(nil, opts), "nil Raft config metadata")

	for _, tc := range []struct {
		name   string
		change func(*etcdraft.ConfigMetadata)
		want   string
	}{
		{"a snapshot interval of zero means the default", func(md *etcdraft.ConfigMetadata) { md.Options.SnapshotIntervalSize = 0 }, ""},
		{"an expired certificate is no reason to refuse", func(md *etcdraft.ConfigMetadata) {
			md.Consenters[0].ClientTlsCert, md.Consenters[0].ServerTlsCert = past.PEM, past.PEM
		}, ""},
		{"no options", func(md *etcdraft.ConfigMetadata) { md.Options = nil }, "nil Raft config metadata options"},
		{"no heartbeat", func(md *etcdraft.ConfigMetadata) { md.Options.HeartbeatTick = 0 },
			"none of HeartbeatTick (0), ElectionTick (10) and MaxInflightBlocks (5) can be zero"},
		{"no blocks in flight", func(md *etcdraft.ConfigMetadata) { md.Options.MaxInflightBlocks = 0 },
			"none of HeartbeatTick (1), ElectionTick (10) and MaxInflightBlocks (0) can be zero"},
		{"an election as fast as the heartbeat", func(md *etcdraft.ConfigMetadata) { md.Options.ElectionTick = 1 },
			"ElectionTick (1) must be greater than HeartbeatTick (1)"},
		{"a tick interval without a unit", func(md *etcdraft.ConfigMetadata) { md.Options.TickInterval = "500" },
			`failed to parse TickInterval (500) to time duration: time: missing unit in duration "500"`},
		{"a tick interval of zero", func(md *etcdraft.ConfigMetadata) { md.Options.TickInterval = "0s" }, "TickInterval cannot be zero"},
		{"nobody", func(md *etcdraft.ConfigMetadata) { md.Consenters = nil }, "empty consenter set"},
		{"a consenter without a client certificate", func(md *etcdraft.ConfigMetadata) { md.Consenters[0].ClientTlsCert = nil },
			"consenter a:1 has invalid certificate: parsing tls client cert of a:1: no PEM data found in cert[]"},
		{"a consenter without a server certificate", func(md *etcdraft.ConfigMetadata) { md.Consenters[1].ServerTlsCert = nil },
			"consenter b:2 has invalid certificate: parsing tls server cert of b:2: no PEM data found in cert[]"},
		{"a client certificate that is PEM around something else", func(md *etcdraft.ConfigMetadata) {
			md.Consenters[0].ClientTlsCert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("junk")})
		}, "consenter a:1 has invalid certificate: parsing tls client cert of a:1: x509: malformed certificate TLS certificate has invalid ASN1 structure junk"},
		{"a client certificate that is no PEM", func(md *etcdraft.ConfigMetadata) { md.Consenters[0].ClientTlsCert = []byte{1, 0xab} },
			"consenter a:1 has invalid certificate: parsing tls client cert of a:1: no PEM data found in cert[01 ab]"},
		{"a client certificate of an unknown authority", func(md *etcdraft.ConfigMetadata) { md.Consenters[0].ClientTlsCert = alien.PEM },
			"consenter a:1 has invalid certificate: verifying tls client cert with serial number 3: x509: certificate signed by unknown authority"},
		{"a server certificate of an unknown authority", func(md *etcdraft.ConfigMetadata) { md.Consenters[0].ServerTlsCert = alien.PEM },
			"consenter a:1 has invalid certificate: verifying tls server cert with serial number 3: x509: certificate signed by unknown authority"},
		{"a certificate in two consenters", func(md *etcdraft.ConfigMetadata) { md.Consenters[1].ServerTlsCert = one.PEM },
			"duplicate consenter: server cert: " + string(one.PEM) + ", client cert: " + string(two.PEM)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			md := proto.Clone(good).(*etcdraft.ConfigMetadata)
			tc.change(md)
			err := raftmetadata.Verify(md, opts)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tc.want)
		})
	}
	withNil := proto.Clone(good).(*etcdraft.ConfigMetadata)
	withNil.Consenters = append(withNil.Consenters, nil)
	require.EqualError(t, raftmetadata.Verify(withNil, opts), "metadata has nil consenter")
}

func TestAnExpiredCertificateOfAnUnknownAuthorityIsRefused(t *testing.T) {
	ca, foreign := clustertest.NewCA(t, "ca"), clustertest.NewCA(t, "foreign")
	past := foreign.Issue(t, "past", clustertest.ValidFor(time.Now().Add(-3*time.Hour), time.Now().Add(-time.Hour)))
	md := &etcdraft.ConfigMetadata{
		Consenters: []*etcdraft.Consenter{{Host: "a", Port: 1, ClientTlsCert: past.PEM, ServerTlsCert: past.PEM}},
		Options:    &etcdraft.Options{TickInterval: "500ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5},
	}
	require.ErrorContains(t, raftmetadata.Verify(md, verifyOptions(t, ca)), "certificate signed by unknown authority")
}

func TestAnAddedConsentersCertificatesMustNotHaveExpired(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	opts := verifyOptions(t, ca)
	end := time.Now().Add(-time.Hour)
	past := ca.Issue(t, "past", clustertest.ValidFor(end.Add(-time.Hour), end))
	consenter := &etcdraft.Consenter{ClientTlsCert: past.PEM, ServerTlsCert: past.PEM}
	require.ErrorContains(t, raftmetadata.VerifyConsenter(consenter, opts),
		"verifying tls client cert with serial number 3: x509: certificate has expired")
	opts.CurrentTime = end.Add(-time.Minute)
	require.NoError(t, raftmetadata.VerifyConsenter(consenter, opts))
}

func TestANodeIsFoundByItsPublicKeyNotByItsCertificate(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	a, b := ca.Issue(t, "a"), ca.Issue(t, "b")
	renewed := ca.Renew(t, "b", b.Key)
	require.NotEqual(t, b.DER, renewed.DER)
	md := &etcdraft.ConfigMetadata{Consenters: []*etcdraft.Consenter{{ServerTlsCert: a.PEM}, {ServerTlsCert: b.PEM}}}
	bm := &etcdraft.BlockMetadata{ConsenterIds: []uint64{4, 7}}

	for _, cert := range [][]byte{b.PEM, b.DER, renewed.PEM, renewed.DER} {
		id, ok := raftmetadata.ConsenterIDOf(cert, bm, md)
		require.True(t, ok)
		require.EqualValues(t, 7, id)
	}
	_, ok := raftmetadata.ConsenterIDOf(ca.Issue(t, "c").PEM, bm, md)
	require.False(t, ok)
	_, ok = raftmetadata.ConsenterIDOf([]byte("no certificate"), bm, md)
	require.False(t, ok)
	_, ok = raftmetadata.ConsenterIDOf(b.PEM, &etcdraft.BlockMetadata{ConsenterIds: []uint64{4}}, md)
	require.False(t, ok)
}

func TestANewChannelTakesConsentersOfTheSystemChannelOnly(t *testing.T) {
	one, two := &etcdraft.Consenter{ClientTlsCert: []byte("1")}, &etcdraft.Consenter{ClientTlsCert: []byte("2")}
	system := []*etcdraft.Consenter{one, two}
	require.NoError(t, raftmetadata.VerifySubset([]*etcdraft.Consenter{two}, system))
	require.EqualError(t, raftmetadata.VerifySubset([]*etcdraft.Consenter{one, {ClientTlsCert: []byte("3")}}, system),
		"new channel has consenter that is not part of system consenter set")
}
