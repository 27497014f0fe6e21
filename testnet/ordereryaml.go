package testnet

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"text/template"

	"raftmig/testnet/broker"
)

// ordererText is the orderer.yaml of a node (spec 8.2). Paths are relative to
// the node's folder, which is its working folder too. The keys exist in all
// versions from 1.4.2 on, those of a network without system channel from 2.3; GenesisMethod and GenesisFile are the names that 1.4
// knows and later versions accept.
var ordererText = template.Must(template.New("orderer").Parse(`# {{.Name}}: made by raftmig testnet.
General:
  ListenAddress: {{.Host}}
  ListenPort: {{.Port}}
  TLS:
    Enabled: true
    PrivateKey: {{.Crypto}}/tls/server.key
    Certificate: {{.Crypto}}/tls/server.crt
    RootCAs: [{{.Crypto}}/tls/ca.crt]
    ClientAuthRequired: false
  # 1.4 connects to the other orderers without TLS unless this is set.
  Cluster:
    ClientCertificate: {{.Crypto}}/tls/server.crt
    ClientPrivateKey: {{.Crypto}}/tls/server.key
    RootCAs: [{{.Crypto}}/tls/ca.crt]
  Keepalive: {ServerMinInterval: 60s, ServerInterval: 7200s, ServerTimeout: 20s}
{{- if .Joined}}
  # Channels are joined through the participation API, at the Admin endpoint.
  BootstrapMethod: none
{{- else}}
  {{.BootstrapMethod}}: file
  {{.BootstrapFile}}: {{.Genesis}}
{{- end}}
  LocalMSPDir: {{.Crypto}}/msp
  LocalMSPID: {{.MSPID}}
  BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}
  Authentication: {TimeWindow: 15m}
FileLedger:
  Location: ledger
Kafka:
  # Quick retries: everything is on one machine.
  Retry:
    ShortInterval: 500ms
    ShortTotal: 1m
    LongInterval: 5s
    LongTotal: 1h
    NetworkTimeouts: {DialTimeout: 10s, ReadTimeout: 10s, WriteTimeout: 10s}
    Metadata: {RetryBackoff: 100ms, RetryMax: 3}
    Producer: {RetryBackoff: 100ms, RetryMax: 3}
    Consumer: {RetryBackoff: 250ms}
  Topic: {ReplicationFactor: {{.Replication}}}
{{- if .KafkaTLS}}
  TLS:
    Enabled: true
    PrivateKey: {File: {{.Crypto}}/tls/server.key}
    Certificate: {File: {{.Crypto}}/tls/server.crt}
    RootCAs: {File: {{.KafkaCA}}}
{{- end}}
{{- if .Password}}
  SASLPlain: {Enabled: true, User: {{.User}}, Password: {{.Password}}}
{{- end}}
  # The embedded brokers know no older protocol; Apache Kafka 3.9 does.
  Version: {{.KafkaVersion}}
Operations:
  ListenAddress: {{.Host}}:{{.Operations}}
{{- if .Joined}}
Admin:
  TLS:
    Enabled: true
    PrivateKey: {{.Crypto}}/tls/server.key
    Certificate: {{.Crypto}}/tls/server.crt
    ClientAuthRequired: true
    ClientRootCAs: [{{.Crypto}}/tls/ca.crt]
ChannelParticipation: {Enabled: true, MaxRequestBodySize: 1 MB}
{{- end}}
Metrics:
  Provider: prometheus
Consensus:
  WALDir: etcdraft/wal
  SnapDir: etcdraft/snapshot
  # When clients are answered on Raft: Fabric's orderers ignore it.
  AcknowledgeAt: {{.Acknowledge}}
`))

func (m *Manifest) ordererYAML(n Node) ([]byte, error) {
	up := strings.Repeat("../", strings.Count(nodeDir(n.Name), "/")+1)
	method, file := "BootstrapMethod", "BootstrapFile"
	if m.Spec.runsFabric(n.Name) {
		method, file = "GenesisMethod", "GenesisFile"
	}
	var b bytes.Buffer
	err := ordererText.Execute(&b, map[string]any{
		"Name": n.Name, "Host": host, "Port": n.Port, "Operations": n.Operations, "MSPID": n.MSPID,
		"Crypto": up + n.Crypto, "Genesis": genesisFile, "Replication": m.replication(),
		"KafkaTLS": m.Spec.KafkaTLS, "KafkaCA": up + path.Join(brokerTLSDir(0), "ca.crt"), "User": saslUser, "Password": m.password,
		"Acknowledge": m.Spec.Acknowledge, "KafkaVersion": broker.MinVersion, "BootstrapMethod": method, "BootstrapFile": file,
		"Joined": m.Spec.NoSystemChannel,
	})
	return b.Bytes(), err
}

// logFormat is that of Fabric 2.5 without its colours (spec 8.7).
const logFormat = "%{time:2006-01-02 15:04:05.000 MST} %{id:04x} %{level:.4s} [%{module}] %{shortfunc} -> %{message}"

// ordererEnv is the environment of a node, beside its orderer.yaml. The admin
// endpoint is set here: versions before 2.3 refuse its keys in the file.
func ordererEnv(n Node) []string {
	return []string{
		"FABRIC_CFG_PATH=.",
		"FABRIC_LOGGING_SPEC=info",
		"FABRIC_LOGGING_FORMAT=" + logFormat,
		fmt.Sprintf("ORDERER_ADMIN_LISTENADDRESS=%s:%d", host, n.Admin),
	}
}

func logFile(name string) string { return path.Join(nodeDir(name), name+".log") }
