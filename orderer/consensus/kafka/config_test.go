package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/IBM/sarama"
	gometrics "github.com/rcrowley/go-metrics"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"raftmig/orderer/localconfig"
	"raftmig/orderer/metrics"
)

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]sarama.KafkaVersion{
		"":         sarama.V0_10_2_0,
		"0.8.2":    sarama.V0_8_2_0,
		"0.8.2.0":  sarama.V0_8_2_0,
		"0.8.2.1":  sarama.V0_8_2_1,
		"0.8.2.2":  sarama.V0_8_2_2,
		"0.8.9":    sarama.V0_8_2_2,
		"0.9.0.0":  sarama.V0_9_0_0,
		"0.9.0.1":  sarama.V0_9_0_1,
		"0.9.5":    sarama.V0_9_0_1,
		"0.10.0.0": sarama.V0_10_0_0,
		"0.10.0.1": sarama.V0_10_0_1,
		"0.10.1.0": sarama.V0_10_1_0,
		"0.10.1.9": sarama.V0_10_1_0,
		"0.10.2.0": sarama.V0_10_2_0,
		"0.10.2.1": sarama.V0_10_2_0,
		"0.11.0.0": sarama.V0_11_0_0,
		"0.11.0.3": sarama.V0_11_0_0,
		"1":        sarama.V1_0_0_0,
		"1.0.0":    sarama.V1_0_0_0,
		"v1.1":     sarama.V1_0_0_0,
		"2.8.1":    sarama.V1_0_0_0,
		"3.9.0":    sarama.V1_0_0_0,
	} {
		got, err := parseVersion(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for in, want := range map[string]string{
		"0.8.1":       "Unsupported Kafka version: '0.8.1'",
		"0.0.0.0":     "Unsupported Kafka version: '0.0.0.0'",
		"latest":      "Unable to parse Kafka version: Malformed version: latest",
		"1.0.0.0.0":   "Unable to parse Kafka version: Malformed version: 1.0.0.0.0",
		"1..0":        "Unable to parse Kafka version: Malformed version: 1..0",
		"-1.0":        "Unable to parse Kafka version: Malformed version: -1.0",
		"0.10.2-beta": "Unable to parse Kafka version: Malformed version: 0.10.2-beta",
	} {
		_, err := parseVersion(in)
		require.EqualError(t, err, want, in)
	}
}

// The settings that Fabric makes, and those that its client had by default.
func TestClientConfig(t *testing.T) {
	c := kafkaConfig()
	s, err := clientConfig(c, gometrics.NewRegistry())
	require.NoError(t, err)
	require.Equal(t, sarama.V1_0_0_0, s.Version)
	require.Equal(t, 103809024, s.Producer.MaxMessageBytes)
	require.Equal(t, sarama.WaitForAll, s.Producer.RequiredAcks)
	require.False(t, s.Producer.Idempotent)
	require.Equal(t, sarama.CompressionNone, s.Producer.Compression)
	require.True(t, s.Producer.Return.Successes)
	require.True(t, s.Consumer.Return.Errors)
	require.Equal(t, 250*time.Millisecond, s.Consumer.MaxWaitTime)
	require.Equal(t, c.Retry.NetworkTimeouts.DialTimeout, s.Net.DialTimeout)
	require.Equal(t, c.Retry.NetworkTimeouts.ReadTimeout, s.Net.ReadTimeout)
	require.Equal(t, c.Retry.NetworkTimeouts.WriteTimeout, s.Net.WriteTimeout)
	require.Equal(t, c.Retry.Metadata.RetryMax, s.Metadata.Retry.Max)
	require.Equal(t, c.Retry.Metadata.RetryBackoff, s.Metadata.Retry.Backoff)
	require.Equal(t, c.Retry.Producer.RetryMax, s.Producer.Retry.Max)
	require.Equal(t, c.Retry.Producer.RetryBackoff, s.Producer.Retry.Backoff)
	require.Equal(t, c.Retry.Consumer.RetryBackoff, s.Consumer.Retry.Backoff)
	require.Equal(t, 1, producerConfig(s).Net.MaxOpenRequests)
	require.Equal(t, 5, s.Net.MaxOpenRequests)

	p := s.Producer.Partitioner("ch")
	chosen, err := p.Partition(&sarama.ProducerMessage{}, 10)
	require.NoError(t, err)
	require.Equal(t, int32(0), chosen)
	require.True(t, p.RequiresConsistency())
}

func TestAuthenticationFollowsTheBrokersVersion(t *testing.T) {
	for version, want := range map[string]struct {
		handshake int16
		versions  bool
	}{
		"0.9.0.1":  {sarama.SASLHandshakeV0, false},
		"0.10.2.0": {sarama.SASLHandshakeV0, false},
		"1.0.0":    {sarama.SASLHandshakeV1, true},
	} {
		c := kafkaConfig()
		c.Version = localconfig.Version(version)
		c.SASLPlain = localconfig.SASLPlain{Enabled: true, User: "u", Password: "p"}
		s, err := clientConfig(c, gometrics.NewRegistry())
		require.NoError(t, err)
		require.Equal(t, want.handshake, s.Net.SASL.Version, version)
		require.Equal(t, want.versions, s.ApiVersionsRequest, version)
		require.Equal(t, sarama.SASLMechanism("PLAIN"), s.Net.SASL.Mechanism)
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, "client")
	for want, change := range map[string]func(*localconfig.Kafka){
		"Unsupported Kafka version: '0.1'": func(c *localconfig.Kafka) { c.Version = "0.1" },
		"Unable to decode public/private key pair:": func(c *localconfig.Kafka) {
			c.TLS = localconfig.TLS{Enabled: true, Certificate: "no PEM", PrivateKey: "no PEM"}
		},
		"Unable to parse the root certificate authority certificates (Kafka.Tls.RootCAs)": func(c *localconfig.Kafka) {
			c.TLS = localconfig.TLS{Enabled: true, Certificate: cert, PrivateKey: key, RootCAs: []string{ca.pem, "no PEM"}}
		},
		"kafka client settings: ": func(c *localconfig.Kafka) { c.Retry.NetworkTimeouts.DialTimeout = 0 },
	} {
		c := kafkaConfig()
		change(&c)
		_, err := New(Options{Config: c})
		require.ErrorContains(t, err, want)
	}
}

// authority issues certificates for localhost.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func (a *authority) issue(t *testing.T, name string) (certPEM, keyPEM string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func TestBrokersWithMutualTLSAndPasswords(t *testing.T) {
	ca := newAuthority(t)
	serverCert, serverKey := ca.issue(t, "broker")
	pair, err := tls.X509KeyPair([]byte(serverCert), []byte(serverKey))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	k := brokers(t,
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}),
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "orderer", "secret"))

	settings := kafkaConfig()
	cert, key := ca.issue(t, "orderer")
	settings.TLS = localconfig.TLS{Enabled: true, Certificate: cert, PrivateKey: key, RootCAs: []string{ca.pem}}
	settings.SASLPlain = localconfig.SASLPlain{Enabled: true, User: "orderer", Password: "secret"}
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour))
	chain := start(t, consenter(t, Options{Config: settings}), ch)
	require.NoError(t, chain.Order(normal(0), 0))
	ch.waitHeight(2)

	settings.SASLPlain.Password = "wrong"
	settings.Retry.ShortTotal, settings.Retry.LongTotal = 50*time.Millisecond, 50*time.Millisecond
	fatal := make(chan error, 1)
	refused := handle(t, consenter(t, Options{Config: settings, Fatal: func(err error) { fatal <- err }}), newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour)))
	refused.Start()
	waitFor(t, refused.done)
	require.ErrorContains(t, <-fatal, "Cannot set up producer")
}

// gauges keeps the values of all gauges by name and labels.
type gauges struct {
	metrics.Disabled
	values map[string]float64
}

func (g *gauges) NewGauge(o metrics.Opts) metrics.Gauge {
	return &gauge{g.values, o.Namespace + "_" + o.Subsystem + "_" + o.Name}
}

type gauge struct {
	values map[string]float64
	name   string
}

func (g *gauge) With(labels ...string) metrics.Gauge {
	return &gauge{g.values, g.name + "{" + labels[0] + "=" + labels[1] + "}"}
}
func (g *gauge) Set(v float64) { g.values[g.name] = v }
func (g *gauge) Add(float64)   {}

func TestClientMetricsAreTakenOver(t *testing.T) {
	g := &gauges{values: map[string]float64{}}
	m := newMetrics(g)
	registry := gometrics.NewRegistry()
	gometrics.GetOrRegisterMeter("incoming-byte-rate-for-broker-2", registry)
	h := gometrics.GetOrRegisterHistogram("batch-size-for-topic-ch", registry, gometrics.NewUniformSample(10))
	h.Update(10)
	h.Update(20)
	gometrics.GetOrRegisterMeter("batch-size", registry)
	m.poll(registry)
	require.Equal(t, map[string]float64{
		"consensus_kafka_incoming_byte_rate{broker_id=2}": 0,
		"consensus_kafka_batch_size{topic=ch}":            15,
	}, g.values)
}
