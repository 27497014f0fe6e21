package localconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const minimal = "FileLedger:\n  Location: ledgers\n"

func parse(t *testing.T, text string, env ...string) (*TopLevel, error) {
	t.Helper()
	return Parse("/conf/orderer.yaml", []byte(text), env)
}

func TestDefaultsOfAMinimalFile(t *testing.T) {
	c, err := parse(t, minimal)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", c.General.ListenAddress)
	require.EqualValues(t, 7050, c.General.ListenPort)
	require.Equal(t, "file", c.General.BootstrapMethod)
	require.Equal(t, "/conf/genesisblock", c.General.BootstrapFile)
	require.Equal(t, "/conf/msp", c.General.LocalMSPDir)
	require.Equal(t, "SampleOrg", c.General.LocalMSPID)
	require.Equal(t, 15*time.Minute, c.General.Authentication.TimeWindow)
	require.EqualValues(t, 104857600, c.General.MaxRecvMsgSize)
	require.EqualValues(t, 104857600, c.General.MaxSendMsgSize)
	require.Equal(t, Cluster{
		DialTimeout: 5 * time.Second, RPCTimeout: 7 * time.Second, ReplicationBufferSize: 20971520,
		ReplicationPullTimeout: 5 * time.Second, ReplicationRetryTimeout: 5 * time.Second,
		ReplicationBackgroundRefreshInterval: 5 * time.Minute, ReplicationMaxRetries: 12, SendBufferSize: 100,
		CertExpirationWarningThreshold: 168 * time.Hour,
	}, c.General.Cluster)
	require.Equal(t, "SW", c.General.BCCSP.Default)
	require.Equal(t, "/conf/ledgers", c.FileLedger.Location)
	require.Equal(t, Retry{
		ShortInterval: time.Minute, ShortTotal: 10 * time.Minute, LongInterval: 10 * time.Minute, LongTotal: 12 * time.Hour,
		NetworkTimeouts: NetworkTimeouts{30 * time.Second, 30 * time.Second, 30 * time.Second},
		Metadata:        Metadata{3, 250 * time.Millisecond}, Producer: Producer{3, 100 * time.Millisecond}, Consumer: Consumer{2 * time.Second},
	}, c.Kafka.Retry)
	require.EqualValues(t, "0.10.2.0", c.Kafka.Version)
	require.EqualValues(t, 0, c.Kafka.Topic.ReplicationFactor, "an absent key stays 0")
	require.Zero(t, c.Consensus)
	require.Contains(t, c.Notes(), Note{false, "Kafka.Version unset, setting to 0.10.2.0"})
}

func TestSampleFileOfFabricIsAccepted(t *testing.T) {
	b, err := os.ReadFile("testdata/sample.yaml")
	require.NoError(t, err)
	c, err := Parse("/etc/hyperledger/fabric/orderer.yaml", b, nil)
	require.NoError(t, err)
	require.Equal(t, "/etc/hyperledger/fabric/tls/server.key", c.General.TLS.PrivateKey)
	require.Equal(t, []string{"/etc/hyperledger/fabric/tls/ca.crt"}, c.General.TLS.RootCAs)
	require.EqualValues(t, 1<<20, c.ChannelParticipation.MaxRequestBodySize)
	require.Equal(t, "/var/hyperledger/production/orderer/etcdraft/wal", c.Consensus.WALDir)
	require.EqualValues(t, 3, c.Kafka.Topic.ReplicationFactor)
	require.Equal(t, time.Minute, c.General.Keepalive.ServerMinInterval)
}

func TestFileIsRefused(t *testing.T) {
	for _, test := range []struct{ name, yaml, want string }{
		{"an unknown key is named with its line", minimal + "General:\n  ListenPrt: 1\n", "line 4: unknown key General.ListenPrt"},
		{"an unknown section is named with its line", minimal + "Generel:\n  A: 1\n", "line 3: unknown key Generel"},
		{"an unknown key deep inside", minimal + "Kafka:\n  Retry:\n    Metadata:\n      Max: 3\n", "line 6: unknown key Kafka.Retry.Metadata.Max"},
		{"a key given twice", minimal + "General:\n  ListenPort: 1\n  listenport: 2\n", "line 5: key listenport is given twice, first on line 4"},
		{"a duration without a unit", minimal + "General:\n  Authentication:\n    TimeWindow: 15\n", `line 5: General.Authentication.TimeWindow: "15" is not a duration such as 10s or 5m`},
		{"a port out of range", minimal + "General:\n  ListenPort: 70000\n", "line 4: General.ListenPort: \"70000\" is not a number from 0 to 65535"},
		{"a boolean that is none", minimal + "General:\n  TLS:\n    Enabled: perhaps\n", "is neither true nor false"},
		{"a section where a value belongs", minimal + "General:\n  ListenPort: {A: 1}\n", "must be a value, not a section"},
		{"a value where a section belongs", minimal + "General: 7\n", "must be a section"},
		{"a size that overflows", minimal + "ChannelParticipation:\n  MaxRequestBodySize: 4g\n", "value '4g' overflows uint32"},
		{"a File key without a path", minimal + "Kafka:\n  TLS:\n    PrivateKey: {File: }\n", "Value of File: was nil"},
		{"a file that does not exist", minimal + "Kafka:\n  TLS:\n    PrivateKey: {File: /no/such/file}\n", "no such file"},
		{"Kafka TLS without a certificate", minimal + "Kafka:\n  TLS:\n    Enabled: true\n", "General.Kafka.TLS.Certificate must be set if General.Kafka.TLS.Enabled is set to true."},
		{"Kafka TLS without a pool", minimal + "Kafka:\n  TLS: {Enabled: true, Certificate: a, PrivateKey: b}\n", "General.Kafka.TLS.CertificatePool must be set"},
		{"SASL without a user", minimal + "Kafka:\n  SASLPlain:\n    Enabled: true\n", "General.Kafka.SASLPlain.User must be set if General.Kafka.SASLPlain.Enabled is set to true."},
		{"SASL without a password", minimal + "Kafka:\n  SASLPlain: {Enabled: true, User: u}\n", "General.Kafka.SASLPlain.Password must be set"},
		{"admin TLS without client certificates", minimal + "Admin:\n  TLS:\n    Enabled: true\n", "Admin.TLS.ClientAuthRequired must be set to true if Admin.TLS.Enabled is set to true"},
		{"no ledger location", "General:\n", "Orderer.FileLedger.Location must be set"},
		{"an unknown bootstrap method", minimal + "General:\n  BootstrapMethod: provisional\n", "Unknown bootstrap method: provisional"},
		{"a queue of less than nothing", minimal + "General:\n  Cluster:\n    SendBufferSize: -1\n", "General.Cluster.SendBufferSize: -1 is below 0"},
		{"a buffer of less than nothing", minimal + "General:\n  Cluster:\n    ReplicationBufferSize: -1\n", "General.Cluster.ReplicationBufferSize: -1 is below 0"},
		{"a timeout of less than nothing", minimal + "General:\n  Cluster:\n    RPCTimeout: -7s\n", "General.Cluster.RPCTimeout: -7s is below 0"},
		{"a clock that runs backwards", minimal + "Consensus:\n  TickIntervalOverride: -1s\n", "Consensus.TickIntervalOverride: -1s is below 0"},
		{"a hardware crypto provider", minimal + "General:\n  BCCSP:\n    Default: PKCS11\n", "provider PKCS11 is not supported"},
		{"a ledger type of 1.4 other than file", minimal + "General:\n  LedgerType: ram\n", `ledger type "ram" is not supported`},
		{"an alias that contains itself", "A: &a\n  B: *a\n", "nested too deep"},
		{"no map at all", "- a\n", "not a map of sections"},
		{"broken YAML", "General: [", "Error reading configuration: /conf/orderer.yaml:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse(t, test.yaml)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestAllMistakesAreReportedTogether(t *testing.T) {
	_, err := parse(t, minimal+"Foo: 1\nBar: 2\nGeneral:\n  ListenPort: x\n")
	require.ErrorContains(t, err, "Error unmarshalling config into struct: ")
	for _, want := range []string{"unknown key Foo", "unknown key Bar", "General.ListenPort"} {
		require.ErrorContains(t, err, want)
	}
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	pem := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(pem, []byte("content"), 0o600))
	for _, test := range []struct {
		name, yaml, env string
		got             func(*TopLevel) any
		want            any
	}{
		{"a key of the file", "General:\n  ListenPort: 1\n", "ORDERER_GENERAL_LISTENPORT=7150", func(c *TopLevel) any { return c.General.ListenPort }, uint16(7150)},
		{"a key the file does not have", "", "ORDERER_GENERAL_TLS_ENABLED=true", func(c *TopLevel) any { return c.General.TLS.Enabled }, true},
		{"a list in brackets", "", "ORDERER_GENERAL_TLS_ROOTCAS=[/a, /b]", func(c *TopLevel) any { return c.General.TLS.RootCAs }, []string{"/a", "/b"}},
		{"a list of one without brackets", "", "ORDERER_GENERAL_TLS_ROOTCAS=/a", func(c *TopLevel) any { return c.General.TLS.RootCAs }, []string{"/a"}},
		{"a file", "", "ORDERER_KAFKA_TLS_PRIVATEKEY_FILE=" + pem, func(c *TopLevel) any { return c.Kafka.TLS.PrivateKey }, "content"},
		{"a duration", "", "ORDERER_GENERAL_AUTHENTICATION_TIMEWINDOW=1h", func(c *TopLevel) any { return c.General.Authentication.TimeWindow }, time.Hour},
		{"an empty variable counts as unset", "General:\n  ListenPort: 1\n", "ORDERER_GENERAL_LISTENPORT=", func(c *TopLevel) any { return c.General.ListenPort }, uint16(1)},
		{"Consensus keys of the file", "Consensus:\n  WALDir: a\n", "ORDERER_CONSENSUS_WALDIR=/w", func(c *TopLevel) any { return c.Consensus.WALDir }, "/w"},
		{"not Consensus keys that the file lacks", "Consensus:\n  WALDir: a\n", "ORDERER_CONSENSUS_EVICTIONSUSPICION=5s", func(c *TopLevel) any { return c.Consensus.EvictionSuspicion }, time.Duration(0)},
		{"an addition of ours that the file has", "Consensus: {AcknowledgeAt: submission}\n", "ORDERER_CONSENSUS_ACKNOWLEDGEAT=commit", func(c *TopLevel) any { return c.Consensus.AcknowledgeAt }, AcknowledgeAtCommit},
		{"Consensus keys without a value in the file", "Consensus:\n  EvictionSuspicion:\n", "ORDERER_CONSENSUS_EVICTIONSUSPICION=5s", func(c *TopLevel) any { return c.Consensus.EvictionSuspicion }, 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := parse(t, minimal+test.yaml, "OTHER=1", test.env)
			require.NoError(t, err)
			require.Equal(t, test.want, test.got(c))
		})
	}
}

func TestValuesFromFiles(t *testing.T) {
	dir := t.TempDir()
	cert := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	path := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(path, []byte("comment\n"+cert+"-----BEGIN X-----\nAAAA\n-----END X-----\n"+cert), 0o600))
	c, err := parse(t, minimal+"Kafka:\n  TLS:\n    RootCAs:\n      File: "+path+"\n    Certificate: {File: "+path+"}\n")
	require.NoError(t, err)
	require.Equal(t, []string{cert, cert}, c.Kafka.TLS.RootCAs)
	require.True(t, strings.HasPrefix(c.Kafka.TLS.Certificate, "comment"))
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]uint32{"10 MB": 10 << 20, "512 KB": 512 << 10, "1g": 1 << 30, "7": 7, "2m": 2 << 20} {
		c, err := parse(t, minimal+"ChannelParticipation:\n  MaxRequestBodySize: "+text+"\n")
		require.NoError(t, err, text)
		require.Equal(t, want, c.ChannelParticipation.MaxRequestBodySize, text)
	}
}

func TestRelativePathsStartAtTheFolderOnlyWhereFabricSaysSo(t *testing.T) {
	c, err := parse(t, minimal+`
General:
  TLS: {Certificate: s.crt, ClientRootCAs: [x, /abs]}
  Cluster: {ClientCertificate: c.crt, ServerCertificate: s.crt, RootCAs: [r]}
Operations: {TLS: {Certificate: o.crt}}
Consensus: {WALDir: wal}
`)
	require.NoError(t, err)
	require.Equal(t, "/conf/s.crt", c.General.TLS.Certificate)
	require.Equal(t, []string{"/conf/x", "/abs"}, c.General.TLS.ClientRootCAs)
	require.Equal(t, "/conf/c.crt", c.General.Cluster.ClientCertificate)
	require.Equal(t, []string{"/conf/r"}, c.General.Cluster.RootCAs)
	require.Equal(t, "s.crt", c.General.Cluster.ServerCertificate)
	require.Equal(t, "o.crt", c.Operations.TLS.Certificate)
	require.Equal(t, "wal", c.Consensus.WALDir)
	require.Empty(t, c.General.TLS.PrivateKey)
}

func TestFormerNamesAndForeignKeysAreNoted(t *testing.T) {
	c, err := parse(t, minimal+"General:\n  GenesisMethod: file\n  GenesisFile: g.block\n  SystemChannel: x\nConsensus:\n  Foo: 1\n")
	require.NoError(t, err)
	require.Equal(t, "/conf/g.block", c.General.BootstrapFile)
	var texts []string
	for _, n := range c.Notes() {
		if n.Warning {
			texts = append(texts, n.Text)
		}
	}
	require.Equal(t, []string{
		"line 6: key General.SystemChannel is of Fabric 1.4 and has no effect",
		"line 8: key Consensus.Foo is not known and has no effect",
		"General.GenesisMethod should be replaced by General.BootstrapMethod",
		"General.GenesisFile should be replaced by General.BootstrapFile",
	}, texts)
}

func TestAnchorsAndMergedMaps(t *testing.T) {
	c, err := parse(t, minimal+"General:\n  TLS: &t\n    Enabled: true\n    PrivateKey: /k\nOperations:\n  TLS:\n    <<: *t\n    PrivateKey: /o\n")
	require.NoError(t, err)
	require.True(t, c.Operations.TLS.Enabled)
	require.Equal(t, "/o", c.Operations.TLS.PrivateKey)
}

func TestLoadFindsTheFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(dir, nil)
	require.ErrorContains(t, err, "Error reading configuration: no orderer.yaml in "+dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte(minimal), 0o600))
	for _, load := range []func() (*TopLevel, error){
		func() (*TopLevel, error) { return Load(dir, nil) },
		func() (*TopLevel, error) { return Load("", []string{"FABRIC_CFG_PATH=" + dir}) },
	} {
		c, err := load()
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, "ledgers"), c.FileLedger.Location)
	}
}

func TestLoadSaysWhenItFallsBack(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("orderer.yml", []byte(minimal), 0o600))
	c, err := Load("", []string{"FABRIC_CFG_PATH=/no/such/folder"})
	require.NoError(t, err)
	require.Equal(t, Note{true, "there is no orderer.yaml in FABRIC_CFG_PATH (/no/such/folder), using orderer.yml"}, c.Notes()[0])
	c, err = Load("", nil)
	require.NoError(t, err)
	require.NotContains(t, c.Notes()[0].Text, "FABRIC_CFG_PATH")
}

func TestFlattenHidesSecretsAndKeepsFabricsForm(t *testing.T) {
	c, err := parse(t, minimal+"Kafka:\n  Version: 1.0.0\n  TLS: {PrivateKey: pem}\n  SASLPlain: {Password: hush}\nConsensus: {WALDir: /w, SnapDir: /s}\n")
	require.NoError(t, err)
	lines := c.Flatten()
	for _, want := range []string{
		`General.ListenAddress = "127.0.0.1"`, "General.ListenPort = 7050", "General.TLS.RootCAs = []",
		"General.Authentication.TimeWindow = 15m0s", "Kafka.Version = 1.0.0", `General.BCCSP.SW.FileKeystore.KeyStorePath = ""`,
		"Kafka.SASLPlain.Password = [redacted]", "Kafka.TLS.PrivateKey = [redacted]", "Consensus = map[SnapDir:/s WALDir:/w]",
	} {
		require.Contains(t, lines, want)
	}
	require.NotContains(t, strings.Join(lines, "\n"), "hush")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("A: &a [*a]\n"))
	f.Add([]byte("<<: [1]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse("/conf/orderer.yaml", b, nil)
		require.True(t, (c == nil) != (err == nil))
	})
}
