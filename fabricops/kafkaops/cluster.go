package kafkaops

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/IBM/sarama"

	"raftmig/fabricops/inventory"
)

// Cluster is how the brokers of a network are asked. The zero value of what is
// left out means without TLS and without SASL.
type Cluster struct {
	// Brokers are the listeners that are asked first, host:port.
	Brokers []string
	// TLS is nil for none. Its ServerName is empty: each broker's own is checked.
	TLS            *tls.Config
	User, Password string
}

// Of reads from the inventory, and from the files that it names, how the
// brokers are asked.
func Of(n *inventory.Network) (*Cluster, error) {
	c := &Cluster{Brokers: n.KafkaAddresses()}
	if len(c.Brokers) == 0 {
		return nil, fmt.Errorf("the inventory names no brokers")
	}
	k := n.Kafka
	if k == nil {
		return c, nil
	}
	var err error
	c.User = k.SASL.User
	if c.Password, err = k.SASL.Password(); err != nil {
		return nil, err
	}
	if len(k.TLS.RootCAs) == 0 {
		return c, nil
	}
	c.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	for _, file := range k.TLS.RootCAs {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the CAs of the brokers: %w", err)
		}
		if !c.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", file)
		}
	}
	if k.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(k.TLS.Cert, k.TLS.Key)
		if err != nil {
			return nil, fmt.Errorf("the certificate that is shown to brokers: %w", err)
		}
		c.TLS.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// config is that of a client that only looks.
func (c *Cluster) config(version sarama.KafkaVersion) *sarama.Config {
	cfg := config()
	cfg.Version = version
	if c.TLS != nil {
		cfg.Net.TLS.Enable, cfg.Net.TLS.Config = true, c.TLS
	}
	if c.User != "" {
		cfg.Net.SASL.Enable, cfg.Net.SASL.User, cfg.Net.SASL.Password = true, c.User, c.Password
		cfg.Net.SASL.Mechanism = sarama.SASLTypePlaintext
		cfg.Net.SASL.Version = sarama.SASLHandshakeV1 // of Kafka 1.0
	}
	return cfg
}

// client connects to the cluster; the caller closes it.
func (c *Cluster) client(version sarama.KafkaVersion) (sarama.Client, error) {
	client, err := sarama.NewClient(c.Brokers, c.config(version))
	if err != nil {
		return nil, fmt.Errorf("reaching Kafka at %s: %w", strings.Join(c.Brokers, ", "), tidy(err))
	}
	return client, nil
}

// tidy leaves out what a list of the same errors repeats.
func tidy(err error) error {
	seen := map[string]bool{}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "*"))
		if line != "" && !seen[line] {
			seen[line] = true
			lines = append(lines, line)
		}
	}
	return errors.New(strings.Join(lines, "; "))
}

// bounded performs a call that ends with the timeouts of config at the latest,
// and does not wait for it longer than ctx.
func bounded[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := call()
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
