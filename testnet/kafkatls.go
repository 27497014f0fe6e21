package testnet

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"raftmig/testnet/apache"
	"raftmig/testnet/cryptogen"
)

const (
	saslUser = "orderer"
	// passwordFile holds that user's password, for raftmig.
	passwordFile = "kafka/password"
	// kafkaDomain is that of the brokers' certificates, kafkaCrypto their folder.
	kafkaDomain = "kafka.example.com"
	kafkaCrypto = "kafka/crypto"
)

// secretMode is the mode of files that may hold the brokers' password.
func (m *Manifest) secretMode() os.FileMode {
	if m.Spec.KafkaSASL {
		return 0o600
	}
	return 0o644
}

// writeKafkaTLS makes certificates for the brokers, from an authority of their
// own, and tells them which authorities the orderers' certificates come from.
func (m *Manifest) writeKafkaTLS(dir string) error {
	org := cryptogen.OrgSpec{Name: "Kafka", Domain: kafkaDomain}
	for i := range m.Brokers {
		org.Specs = append(org.Specs, cryptogen.NodeSpec{Hostname: apache.BrokerName(i), SANS: []string{"localhost", host}})
	}
	c := &cryptogen.Config{OrdererOrgs: []cryptogen.OrgSpec{org}}
	if err := cryptogen.Generate(c, filepath.Join(dir, filepath.FromSlash(kafkaCrypto)), cryptogen.Options{}); err != nil {
		return fmt.Errorf("making keys for the brokers: %w", err)
	}
	var authorities [][]byte
	for _, o := range m.Orderers {
		ca, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(o.CACert)))
		if err != nil {
			return fmt.Errorf("reading the authority of %s: %w", o.Name, err)
		}
		if !slices.ContainsFunc(authorities, func(known []byte) bool { return string(known) == string(ca) }) {
			authorities = append(authorities, ca)
		}
	}
	for i := range m.Brokers {
		name := apache.BrokerName(i)
		var pair [][]byte
		for _, file := range []string{"server.key", "server.crt"} {
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(brokerTLSDir(i)), file))
			if err != nil {
				return fmt.Errorf("reading the certificate of %s: %w", name, err)
			}
			pair = append(pair, data)
		}
		if err := writeFile(dir, path.Join(apache.Dir(name), apache.TLSKeyFile), slices.Concat(pair...), 0o600); err != nil {
			return err
		}
		if err := writeFile(dir, path.Join(apache.Dir(name), apache.TLSCAFile), slices.Concat(authorities...), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func brokerTLSDir(i int) string {
	return path.Join(kafkaCrypto, "ordererOrganizations", kafkaDomain, "orderers", apache.BrokerName(i)+"."+kafkaDomain, "tls")
}
