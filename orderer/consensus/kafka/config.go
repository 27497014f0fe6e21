package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	gometrics "github.com/rcrowley/go-metrics"

	"raftmig/orderer/localconfig"
)

// maxMessageBytes is the size in bytes of the largest record that is produced:
// the default of a broker's socket.request.max.bytes less room for headers
// (spec 3.8).
const maxMessageBytes = 100<<20 - 1<<20

// clientConfig returns the settings of the Kafka client. The values are those
// of the client that Fabric uses; where the library's own defaults have
// changed since, they are set here.
func clientConfig(c localconfig.Kafka, registry gometrics.Registry) (*sarama.Config, error) {
	version, err := parseVersion(string(c.Version))
	if err != nil {
		return nil, err
	}
	s := sarama.NewConfig()
	s.ClientID = "sarama"
	s.Version = version
	s.MetricRegistry = registry
	s.ChannelBufferSize = 256
	// Brokers before 0.10 close the connection on this request.
	s.ApiVersionsRequest = version.IsAtLeast(sarama.V0_10_0_0)

	s.Net.MaxOpenRequests = 5
	s.Net.DialTimeout = c.Retry.NetworkTimeouts.DialTimeout
	s.Net.ReadTimeout = c.Retry.NetworkTimeouts.ReadTimeout
	s.Net.WriteTimeout = c.Retry.NetworkTimeouts.WriteTimeout

	s.Metadata.Retry.Max = c.Retry.Metadata.RetryMax
	s.Metadata.Retry.Backoff = c.Retry.Metadata.RetryBackoff
	s.Metadata.RefreshFrequency = 10 * time.Minute
	s.Metadata.Full = true
	s.Metadata.AllowAutoTopicCreation = true

	s.Consumer.Retry.Backoff = c.Retry.Consumer.RetryBackoff
	s.Consumer.Return.Errors = true
	s.Consumer.Fetch.Min = 1
	s.Consumer.Fetch.Default = 1 << 20
	s.Consumer.MaxWaitTime = 250 * time.Millisecond
	s.Consumer.MaxProcessingTime = 100 * time.Millisecond
	s.Consumer.IsolationLevel = sarama.ReadUncommitted

	s.Producer.MaxMessageBytes = maxMessageBytes
	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Timeout = 10 * time.Second
	s.Producer.Compression = sarama.CompressionNone
	s.Producer.Partitioner = newStaticPartitioner
	s.Producer.Return.Successes = true
	s.Producer.Return.Errors = true
	s.Producer.Retry.Max = c.Retry.Producer.RetryMax
	s.Producer.Retry.Backoff = c.Retry.Producer.RetryBackoff

	if err := setTLS(s, c.TLS); err != nil {
		return nil, err
	}
	setSASL(s, c.SASLPlain)
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("kafka client settings: %w", err)
	}
	return s, nil
}

// producerConfig returns the settings of a channel's producer (see the package
// comment on ordering).
func producerConfig(base *sarama.Config) *sarama.Config {
	s := *base
	s.Net.MaxOpenRequests = 1
	return &s
}

func setTLS(s *sarama.Config, c localconfig.TLS) error {
	s.Net.TLS.Enable = c.Enabled
	if !c.Enabled {
		return nil
	}
	pair, err := tls.X509KeyPair([]byte(c.Certificate), []byte(c.PrivateKey))
	if err != nil {
		return fmt.Errorf("Unable to decode public/private key pair:%w", err) //nolint:staticcheck // Fabric's text
	}
	roots := x509.NewCertPool()
	for _, pem := range c.RootCAs {
		if !roots.AppendCertsFromPEM([]byte(pem)) {
			return errors.New("Unable to parse the root certificate authority certificates (Kafka.Tls.RootCAs)") //nolint:staticcheck // Fabric's text
		}
	}
	s.Net.TLS.Config = &tls.Config{
		Certificates: []tls.Certificate{pair},
		RootCAs:      roots,
		MinVersion:   tls.VersionTLS12,
	}
	return nil
}

// setSASL chooses the way of authentication that the brokers' version knows:
// before 1.0 the exchange is not wrapped in Kafka requests, and nothing may be
// asked before it.
func setSASL(s *sarama.Config, c localconfig.SASLPlain) {
	s.Net.SASL.Enable = c.Enabled
	if !c.Enabled {
		return
	}
	s.Net.SASL.Mechanism = sarama.SASLTypePlaintext
	s.Net.SASL.Handshake = true
	s.Net.SASL.User = c.User
	s.Net.SASL.Password = c.Password
	s.Net.SASL.Version = sarama.SASLHandshakeV1
	if !s.Version.IsAtLeast(sarama.V1_0_0_0) {
		s.Net.SASL.Version = sarama.SASLHandshakeV0
		s.ApiVersionsRequest = false
	}
}
