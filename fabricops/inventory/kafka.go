package inventory

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
)

// Kafka says how the brokers are asked. Without it they are asked at their
// addresses, without TLS and SASL.
type Kafka struct {
	// Version is Kafka.Version of the orderers' orderer.yaml. Only needed where
	// their logs do not tell it.
	Version string `yaml:"version,omitempty"`
	// Bootstrap are the listeners that are asked for all others, host:port;
	// default: the brokers' addresses.
	Bootstrap []string  `yaml:"bootstrap,omitempty"`
	TLS       KafkaTLS  `yaml:"tls,omitempty"`
	SASL      KafkaSASL `yaml:"sasl,omitempty"`
}

// KafkaTLS are PEM files, as in Kafka.TLS of orderer.yaml.
type KafkaTLS struct {
	// RootCAs are the authorities of the brokers' certificates. With none of
	// them the brokers are asked without TLS.
	RootCAs []string `yaml:"rootCAs,omitempty"`
	// Cert and Key are shown to brokers that demand a certificate.
	Cert string `yaml:"cert,omitempty"`
	Key  string `yaml:"key,omitempty"`
}

// KafkaSASL is SASL/PLAIN; with no user there is none.
type KafkaSASL struct {
	User string `yaml:"user,omitempty"`
	// PasswordFile holds the password on its first line: no secret stands in
	// the inventory.
	PasswordFile string `yaml:"passwordFile,omitempty"`
}

// KafkaAddresses are the listeners that brokers are asked at.
func (n *Network) KafkaAddresses() []string {
	if n.Kafka != nil && len(n.Kafka.Bootstrap) > 0 {
		return append([]string(nil), n.Kafka.Bootstrap...)
	}
	var out []string
	for i := range n.Brokers {
		out = append(out, n.Brokers[i].AllAddresses()...)
	}
	return out
}

// Password reads the password, "" without SASL.
func (s *KafkaSASL) Password() (string, error) {
	if s.User == "" {
		return "", nil
	}
	data, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("reading the password for Kafka: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("the first line of %s is empty, it must be the password for Kafka", s.PasswordFile)
	}
	return line, nil
}

func (k *Kafka) validate(f *faults) {
	for i, a := range k.Bootstrap {
		checkAddress(f, fmt.Sprintf("kafka.bootstrap[%d]", i), a)
	}
	if (k.TLS.Cert == "") != (k.TLS.Key == "") {
		f.add("kafka.tls", "Set both or neither", "cert and key belong together, only one is set")
	}
	if k.TLS.Cert != "" && len(k.TLS.RootCAs) == 0 {
		f.add("kafka.tls", "Set rootCAs to the CAs of the brokers' certificates", "a certificate is shown to brokers only with TLS, and rootCAs are missing")
	}
	if (k.SASL.User == "") != (k.SASL.PasswordFile == "") {
		f.add("kafka.sasl", "Set both or neither", "user and passwordFile belong together, only one is set")
	}
}

// checkFiles checks what the files hold, and that nobody else reads the password.
func (k *Kafka) checkFiles(f *faults) {
	for i, file := range k.TLS.RootCAs {
		if _, err := ReadCertificates(file); err != nil {
			f.add(fmt.Sprintf("kafka.tls.rootCAs[%d]", i), "Name the PEM file of the CA that issued the brokers' certificates", "%v", err)
		}
	}
	if k.TLS.Cert != "" && k.TLS.Key != "" {
		if _, err := tls.LoadX509KeyPair(k.TLS.Cert, k.TLS.Key); err != nil {
			f.add("kafka.tls.cert", "cert and key must be a certificate and its own key", "%v", err)
		}
	}
	if k.SASL.User == "" {
		return
	}
	if _, err := k.SASL.Password(); err != nil {
		f.add("kafka.sasl.passwordFile", "Write the password to the first line of a file of mode 0600", "%v", err)
	} else if info, err := os.Stat(k.SASL.PasswordFile); err == nil && info.Mode().Perm()&0o077 != 0 {
		f.add("kafka.sasl.passwordFile", "chmod 600 "+k.SASL.PasswordFile, "others may read %s (mode %o)", k.SASL.PasswordFile, info.Mode().Perm())
	}
}
