package consenters_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/consenters"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/raftmetadata"
	"raftmig/runbook"
)

// raft is the fixture network and the Raft metadata of one of its channels.
func raft(t *testing.T) (*inventory.Network, fakenet.Crypto, []byte) {
	crypto := fakenet.NewCrypto(t)
	v := lastConfig(t, fakenet.Ledger(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel))
	inv := network(crypto)
	md, err := raftmetadata.Unmarshal(v.Consensus.Metadata)
	require.NoError(t, err)
	for i, c := range md.Consenters {
		inv.Orderers[i].ClusterHost, inv.Orderers[i].ClusterPort = c.Host, c.Port
	}
	return inv, crypto, v.Consensus.Metadata
}

func operation(t *testing.T, inv *inventory.Network, kind runbook.OperationKind, node string) runbook.Operation {
	t.Helper()
	o, err := consenters.Operation(inv, kind, node, "")
	require.NoError(t, err)
	return *o
}

func next(t *testing.T, md []byte, o runbook.Operation, inv *inventory.Network) ([]byte, *runbook.ConsenterMetadata) {
	t.Helper()
	b, err := consenters.Next(md, o, inv)
	require.NoError(t, err)
	again, err := consenters.Next(b, o, inv)
	require.NoError(t, err)
	require.Equal(t, b, again, "an operation that was done changes nothing")
	d, err := consenters.Describe(b, inv)
	require.NoError(t, err)
	return b, d
}

func differences(t *testing.T, old []byte, inv *inventory.Network, now *runbook.ConsenterMetadata) []string {
	t.Helper()
	was, err := consenters.Describe(old, inv)
	require.NoError(t, err)
	return consenters.Differences(was, now)
}

func nodes(md *runbook.ConsenterMetadata) []string {
	var out []string
	for _, c := range md.Consenters {
		out = append(out, c.Node)
	}
	return out
}

func TestOperationsLeadToTheMetadataThatWasAskedFor(t *testing.T) {
	inv, crypto, md := raft(t)

	options := runbook.Operation{Kind: runbook.SetOptions, Options: &runbook.RaftOptions{ElectionTick: 30, SnapshotIntervalSize: 1 << 20}}
	_, d := next(t, md, options, inv)
	require.Len(t, differences(t, md, inv, d), 2)
	require.Contains(t, strings.Join(differences(t, md, inv, d), "\n"), "election tick: 10 -> 30")

	fewer, d := next(t, md, operation(t, inv, runbook.RemoveConsenter, "orderer1"), inv)
	require.Equal(t, []string{"orderer0", "orderer2"}, nodes(d))
	require.Contains(t, differences(t, md, inv, d)[0], "consenter orderer1 (")

	back, d := next(t, fewer, operation(t, inv, runbook.AddConsenter, "orderer1"), inv)
	require.Equal(t, []string{"orderer0", "orderer2", "orderer1"}, nodes(d), "a consenter joins at the end")
	require.Contains(t, differences(t, fewer, inv, d)[0], "joins")
	require.NotEqual(t, md, back)

	rotate := operation(t, inv, runbook.RotateCertificates, "orderer2")
	dir := crypto.OrdererTLS(0) // any certificate will do here
	rotate.Files = &runbook.CertificateFiles{ServerCert: filepath.Join(dir, "ca.crt"), ClientCert: filepath.Join(dir, "ca.crt")}
	_, d = next(t, md, rotate, inv)
	require.Equal(t, []string{"orderer0", "orderer1", "orderer2"}, nodes(d), "a consenter keeps its place")
	require.Len(t, differences(t, md, inv, d), 1)
	require.Contains(t, differences(t, md, inv, d)[0], "consenter orderer2: server certificate")
}

func TestOperationsThatTheEngineWouldRefuseAreRefused(t *testing.T) {
	inv, _, md := raft(t)
	for name, tc := range map[string]struct {
		o   runbook.Operation
		why string
	}{
		"ticks":           {runbook.Operation{Kind: runbook.SetOptions, Options: &runbook.RaftOptions{HeartbeatTick: 10}}, "ElectionTick (10) must be greater than HeartbeatTick (10)"},
		"interval":        {runbook.Operation{Kind: runbook.SetOptions, Options: &runbook.RaftOptions{TickInterval: "fast"}}, "failed to parse TickInterval"},
		"unknown":         {runbook.Operation{Kind: "swap"}, "unknown operation"},
		"not in the file": {runbook.Operation{Kind: runbook.AddConsenter, Node: "orderer9", Consenter: "x:1"}, "no orderer orderer9"},
		"no consenter":    {runbook.Operation{Kind: runbook.RotateCertificates, Node: "orderer0", Consenter: "x:1", Files: &runbook.CertificateFiles{}}, "is no consenter"},
	} {
		_, err := consenters.Next(md, tc.o, inv)
		require.ErrorContains(t, err, tc.why, name)
	}
	inv.Orderers[1].ServerCert = inv.Orderers[0].ServerCert
	_, err := consenters.Next(md, operation(t, inv, runbook.AddConsenter, "orderer1"), inv)
	require.ErrorContains(t, err, "is a consenter already, with other certificates")
	_, err = consenters.Next([]byte{0xff}, operation(t, inv, runbook.AddConsenter, "orderer1"), inv)
	require.Error(t, err)
}

func TestAnOperationIsDescribedFromTheInventory(t *testing.T) {
	inv, _, _ := raft(t)
	host, port := inv.Orderers[0].Cluster()
	require.NotZero(t, port)
	inv.SystemChannel = fakenet.SystemChannel
	o := operation(t, inv, runbook.AddConsenter, "orderer0")
	require.True(t, o.ByHand, "nobody has said where its first block belongs")
	require.Equal(t, host+":7050", o.Endpoint, "the cluster's host, the address' port")
	inv.Orderers[0].BootstrapFile = "genesis.block"
	require.False(t, operation(t, inv, runbook.AddConsenter, "orderer0").ByHand)
	inv.SystemChannel = ""
	require.True(t, operation(t, inv, runbook.AddConsenter, "orderer0").ByHand, "nobody has said where it is told to join")
	inv.Orderers[0].Participation = "https://localhost:9443"
	require.False(t, operation(t, inv, runbook.AddConsenter, "orderer0").ByHand)

	o = operation(t, inv, runbook.RotateCertificates, "orderer0")
	require.True(t, o.ByHand)
	require.Empty(t, o.Endpoint)
	inv.Orderers[0].ServerKey, inv.Orderers[0].ClientKey = "k", "k"
	require.False(t, operation(t, inv, runbook.RotateCertificates, "orderer0").ByHand)

	o = operation(t, inv, runbook.RemoveConsenter, "gone.example.com:7050")
	require.Equal(t, "gone.example.com:7050", o.Consenter)
	require.Equal(t, "gone.example.com:7050", o.Endpoint)
	_, err := consenters.Operation(inv, runbook.RemoveConsenter, "gone", "")
	require.ErrorContains(t, err, "host:port")
	_, err = consenters.Operation(inv, runbook.AddConsenter, "gone.example.com:7050", "")
	require.ErrorContains(t, err, "describe it there first")
}

func TestFaultsOfNewCertificatesAreNamed(t *testing.T) {
	inv, crypto, _ := raft(t)
	now := time.Now()
	tls := func(i int, file string) string { return filepath.Join(crypto.OrdererTLS(i), file) }
	for i := range inv.Orderers {
		inv.Orderers[i].TLSRootCAs = []string{tls(i, "ca.crt")}
	}
	good := runbook.CertificateFiles{ServerCert: tls(0, "server.crt"), ServerKey: tls(0, "server.key"), ClientCert: tls(0, "server.crt"), ClientKey: tls(0, "server.key")}
	rotate := operation(t, inv, runbook.RotateCertificates, "orderer0")
	for _, tc := range []struct {
		name   string
		change func(*runbook.CertificateFiles)
		at     time.Time
		want   string
	}{
		{"none", func(*runbook.CertificateFiles) {}, now, ""},
		{"the key is another's", func(f *runbook.CertificateFiles) { f.ServerKey = tls(1, "server.key") }, now, "private key does not match"},
		{"a CA's certificate", func(f *runbook.CertificateFiles) { f.ClientCert = tls(0, "ca.crt") }, now, "is a CA's"},
		{"no such file", func(f *runbook.CertificateFiles) { f.ServerCert = tls(0, "none.crt") }, now, "no such file"},
		{"two for one", func(f *runbook.CertificateFiles) {
			f.ClientCert, f.ClientKey = tls(1, "server.crt"), tls(1, "server.key")
		}, now, "names one file for its server and its client certificate"},
		{"too early", func(*runbook.CertificateFiles) {}, now.AddDate(-100, 0, 0), "valid only from"},
		{"too late", func(*runbook.CertificateFiles) {}, now.AddDate(100, 0, 0), "expired at"},
	} {
		files := good
		tc.change(&files)
		rotate.Files = &files
		faults := consenters.Faults(rotate, inv, tc.at)
		if tc.want == "" {
			require.Empty(t, faults)
			continue
		}
		require.Contains(t, strings.Join(faults, "\n"), tc.want, tc.name)
	}
	rotate.Files = &good
	inv.Orderers[0].ClusterHost = "elsewhere.example.org"
	require.Contains(t, strings.Join(consenters.Faults(rotate, inv, now), "\n"), "elsewhere.example.org")
	inv.Orderers[0].ClusterHost = ""
	other := filepath.Join(t.TempDir(), "ca.pem")
	b, err := os.ReadFile(filepath.Join(crypto.Dir, "peerOrganizations/org1.example.com/tlsca/tlsca.org1.example.com-cert.pem"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(other, b, 0o600))
	inv.Orderers[0].TLSRootCAs = []string{other}
	require.Contains(t, strings.Join(consenters.Faults(rotate, inv, now), "\n"), "does not chain to the node's tlsRootCAs")
	require.Empty(t, consenters.Faults(runbook.Operation{Kind: runbook.SetOptions}, inv, now))
	require.Empty(t, consenters.Faults(operation(t, inv, runbook.RemoveConsenter, "orderer0"), inv, now))
}

func TestFilesOfARotation(t *testing.T) {
	f, err := consenters.Files("a.crt", "a.key", "", "")
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(f.ServerCert))
	require.Equal(t, f.ServerCert, f.ClientCert, "one certificate for both uses")
	for _, args := range [][4]string{{"", "a", "", ""}, {"a", "", "", ""}, {"a", "b", "c", ""}} {
		_, err := consenters.Files(args[0], args[1], args[2], args[3])
		require.Error(t, err)
	}
}

func TestCertificatesAndTrustOfOneConsenter(t *testing.T) {
	inv, _, md := raft(t)
	o := operation(t, inv, runbook.AddConsenter, "orderer0")
	require.True(t, consenters.Names(md, o.Consenter))
	require.False(t, consenters.Names(md, "x:1"))
	server, client, err := consenters.Certificates(md, o.Consenter)
	require.NoError(t, err)
	require.Equal(t, server, client)
	_, _, err = consenters.Certificates(md, "x:1")
	require.ErrorContains(t, err, "no consenter is at x:1")
	require.NoError(t, consenters.CheckOptions(runbook.RaftOptions{TickInterval: "1s"}))
	require.Error(t, consenters.CheckOptions(runbook.RaftOptions{}))
	require.Error(t, consenters.CheckOptions(runbook.RaftOptions{TickInterval: "0s"}))
}
