package inventory_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
)

const good = `name: fixture
systemChannel: syschannel
orderers:
  - name: orderer0
    address: localhost:7050
    log: logs/orderer0.log
    data: [data/o0]
    tlsRootCAs: [CRYPTO/ordererOrganizations/example.com/orderers/orderer0.example.com/tls/ca.crt]
    serverCert: CRYPTO/ordererOrganizations/example.com/orderers/orderer0.example.com/tls/server.crt
    clientCert: CRYPTO/ordererOrganizations/example.com/orderers/orderer0.example.com/tls/server.crt
    ledgerDir: data/o0
    control:
      kind: process
      command: [bin/orderer, start]
      stopTimeout: 90s
      pidFile: run/orderer0.pid
  - name: orderer1
    address: localhost:7150
    operations: localhost:8150
    tlsRootCAs: [CRYPTO/ordererOrganizations/example.com/orderers/orderer1.example.com/tls/ca.crt]
    serverCert: CRYPTO/ordererOrganizations/example.com/orderers/orderer1.example.com/tls/server.crt
    clientCert: CRYPTO/ordererOrganizations/example.com/orderers/orderer1.example.com/tls/server.crt
    control: {kind: command, start: [systemctl, start, o1], stop: [systemctl, stop, o1], status: [systemctl, is-active, o1]}
brokers:
  - name: kafka
    address: localhost:9092
    addresses: [localhost:9092, localhost:9093]
    control: {kind: manual}
admin:
  mspID: OrdererMSP
  mspDir: CRYPTO/ordererOrganizations/example.com/users/Admin@example.com/msp
clients:
  "*":
    mspID: Org1MSP
    mspDir: CRYPTO/peerOrganizations/org1.example.com/users/User1@org1.example.com/msp
    tlsCert: CRYPTO/peerOrganizations/org1.example.com/users/User1@org1.example.com/tls/client.crt
    tlsKey: CRYPTO/peerOrganizations/org1.example.com/users/User1@org1.example.com/tls/client.key
`

func write(t *testing.T, text string) (path, crypto string) {
	t.Helper()
	crypto = fakenet.NewCrypto(t).Dir
	path = filepath.Join(t.TempDir(), inventory.FileName)
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "CRYPTO", crypto)), 0o600))
	return path, crypto
}

func TestLoadResolvesPaths(t *testing.T) {
	path, _ := write(t, good)
	n, err := inventory.Load(path)
	require.NoError(t, err)
	dir := filepath.Dir(path)
	o := n.Orderers[0]
	require.Equal(t, filepath.Join(dir, "logs/orderer0.log"), o.Log)
	require.Equal(t, []string{filepath.Join(dir, "data/o0")}, o.Data)
	require.Equal(t, filepath.Join(dir, "bin/orderer"), o.Control.Command[0])
	require.Equal(t, "systemctl", n.Orderers[1].Control.Start[0], "without a slash it is searched in PATH")
	require.Equal(t, "1m30s", o.Control.StopTimeout.String())
	host, port := o.Cluster()
	require.Equal(t, "localhost", host)
	require.EqualValues(t, 7050, port)
	require.Equal(t, []string{"localhost:9092", "localhost:9093"}, n.Brokers[0].AllAddresses())
}

func TestSaveAndLoadGiveTheSame(t *testing.T) {
	path, _ := write(t, good)
	n, err := inventory.Load(path)
	require.NoError(t, err)
	require.NoError(t, inventory.Save(path, n))
	again, err := inventory.Load(path)
	require.NoError(t, err)
	require.Equal(t, n, again)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "log: logs/orderer0.log", "paths inside of the folder stay relative")
	require.NotContains(t, string(text), "zookeeper", "what is empty is not written")
}

func TestFaultsAreNamedWithTheirLine(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, new string
		want     string
	}{
		{"an unknown key", "systemChannel:", "sytemChannel:", "line 2: field sytemChannel is unknown in Network"},
		{"a key that is there twice", "    address: localhost:7150", "    address: localhost:7150\n    address: localhost:7151", "line 19: mapping key"},
		{"a value of the wrong kind", "name: fixture", "name: [a]", "line 1: cannot unmarshal"},
		{"broken YAML", "orderers:", "orderers: [", "line"},
		{"no name", "name: fixture", `name: ""`, ":1: name: the network has no usable name"},
		{"a name that no channel may have", "systemChannel: syschannel", "systemChannel: SysChannel", `:2: systemChannel: bad channel name "SysChannel"`},
		{"two nodes of one name", "name: orderer1", "name: orderer0", ":17: orderers[1].name: name orderer0 is already that of orderers[0].name"},
		{"two nodes at one address", "address: localhost:7150", "address: localhost:7050", ":18: orderers[1].address: address localhost:7050 is already that of"},
		{"an address without port", "address: localhost:7150", "address: localhost", `:18: orderers[1].address: bad address "localhost"`},
		{"two consenters at one endpoint", "    log: logs/orderer0.log", "    log: logs/orderer0.log\n    clusterPort: 7150", "cluster endpoint localhost:7150 is already that of"},
		{"an unknown kind of control", "kind: manual", "kind: systemd", `brokers[0].control.kind: unknown kind of control "systemd"`},
		{"a process without command", "      command: [bin/orderer, start]\n", "", "orderers[0].control: a process that raftmig starts needs a command"},
		{"a process without pidFile", "      pidFile: run/orderer0.pid\n", "", "orderers[0].control: a process that raftmig starts needs a pidFile"},
		{"an orderer without log", "    log: logs/orderer0.log\n", "", "orderers[0]: an orderer that raftmig starts needs a log"},
		{"a node whose leader nobody could see", "    operations: localhost:8150\n", "", "orderers[1]: without log and operations"},
		{"senseless raft options", "brokers:", "raft: {electionTick: 1, heartbeatTick: 5}\nbrokers:", "raft.electionTick: electionTick (1) must be greater than heartbeatTick (5)"},
		{"a listener without port", "brokers:", "kafka: {bootstrap: [kafka0]}\nbrokers:", `kafka.bootstrap[0]: bad address "kafka0"`},
		{"a certificate for Kafka without its key", "brokers:", "kafka: {tls: {cert: a.crt, rootCAs: [a.crt]}}\nbrokers:", "kafka.tls: cert and key belong together"},
		{"a certificate for brokers that nobody trusts", "brokers:", "kafka: {tls: {cert: a.crt, key: a.key}}\nbrokers:", "rootCAs are missing"},
		{"a user without password", "brokers:", "kafka: {sasl: {user: orderer}}\nbrokers:", "kafka.sasl: user and passwordFile belong together"},
		{"a password file that is not there", "brokers:", "kafka: {sasl: {user: orderer, passwordFile: no/such}}\nbrokers:", "kafka.sasl.passwordFile: reading the password for Kafka"},
		{"brokers' CAs that are none", "brokers:", "kafka: {tls: {rootCAs: [raftmig.yaml]}}\nbrokers:", "kafka.tls.rootCAs[0]: "},
		{"a secret in the inventory", "brokers:", "kafka: {sasl: {user: orderer, password: secret}}\nbrokers:", "field password is unknown in KafkaSASL"},
		{"an admin without MSP ID", "  mspID: OrdererMSP\n", "", "admin.mspID: the identity has no MSP ID"},
		{"a missing certificate", "orderer1.example.com/tls/server.crt\n    clientCert", "orderer1.example.com/tls/other.crt\n    clientCert", "orderers[1].serverCert: open "},
		{"a key instead of a certificate", "orderer1.example.com/tls/server.crt\n    clientCert", "orderer1.example.com/tls/server.key\n    clientCert", "no PEM certificate in it"},
		{"a CA instead of a certificate", "orderer1.example.com/tls/server.crt\n    clientCert", "orderer1.example.com/tls/ca.crt\n    clientCert", "holds a CA certificate"},
		{"one certificate for two nodes", "orderers/orderer1.example.com/tls/server.crt\n    clientCert", "orderers/orderer0.example.com/tls/server.crt\n    clientCert", "the certificate that is also that of orderers[0].clientCert"},
		{"a TLS certificate with the key of another", "tls/client.key", "tls/../../../peers/peer0.org1.example.com/tls/server.key", "clients.*.tlsCert: tls: private key does not match public key"},
		{"an MSP folder that is not there", "Admin@example.com/msp", "Nobody@example.com/msp", "admin.mspDir: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Contains(t, good, tc.old)
			path, _ := write(t, strings.Replace(good, tc.old, tc.new, 1))
			_, err := inventory.Load(path)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), "inventory.", "no Go types in the operator's errors")
		})
	}
}

func TestSignerThatDoesNotFitItsFolder(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	admin := crypto.Admin().MSPDir
	user := crypto.User().MSPDir
	move := func(from, to string) {
		b, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, b, 0o600))
	}
	inv := func() *inventory.Network {
		return &inventory.Network{Admin: inventory.Identity{MSPID: "OrdererMSP", MSPDir: admin}}
	}
	require.NoError(t, inv().CheckFiles())

	key := filepath.Join(admin, "keystore/priv_sk")
	saved, err := os.ReadFile(key)
	require.NoError(t, err)
	move(filepath.Join(user, "keystore/priv_sk"), key)
	require.ErrorContains(t, inv().CheckFiles(), "admin.mspDir: no private key in")
	require.NoError(t, os.WriteFile(key, saved, 0o600))

	ca := filepath.Join(admin, "cacerts/ca.example.com-cert.pem")
	move(filepath.Join(user, "cacerts/ca.org1.example.com-cert.pem"), ca)
	require.ErrorContains(t, inv().CheckFiles(), "was not issued by a CA in that folder's cacerts")
}

func TestEmptyAndDoubleDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raftmig.yaml")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := inventory.Load(path)
	require.ErrorContains(t, err, "is empty")
	require.NoError(t, os.WriteFile(path, []byte("name: a\n---\nname: b\n"), 0o600))
	_, err = inventory.Load(path)
	require.ErrorContains(t, err, "more than one YAML document")
	_, err = inventory.Load(path + ".not")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzRead(f *testing.F) {
	f.Add(good)
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "raftmig.yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		n, err := inventory.Read(path)
		if err == nil && (len(n.Orderers) == 0 || n.Name == "") {
			t.Fatal("an unusable inventory was accepted")
		}
	})
}

func TestANetworkMayHaveNoSystemChannelIfItSaysSo(t *testing.T) {
	path, _ := write(t, strings.Replace(good, "systemChannel: syschannel", "noSystemChannel: true", 1))
	n, err := inventory.Load(path)
	require.NoError(t, err)
	require.True(t, n.NoSystemChannel)
	path, _ = write(t, "noSystemChannel: true\n"+good)
	_, err = inventory.Load(path)
	require.ErrorContains(t, err, "there is a systemChannel, syschannel, and noSystemChannel")
	path, _ = write(t, strings.Replace(good, "systemChannel: syschannel\n", "", 1))
	_, err = inventory.Load(path)
	require.ErrorContains(t, err, "the channel name is empty")
}
