package testnet

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"raftmig/fabricops/inventory"
	"raftmig/testnet/apache"
	"raftmig/testnet/broker"
)

const maxZooKeeper = 7

func address(port int) string { return fmt.Sprintf("%s:%d", host, port) }

// validateKafka checks the shape of a real Kafka against Fabric's guide: what
// it forbids is no network to rehearse on.
func (s *Spec) validateKafka() error {
	switch s.Kafka {
	case KafkaEmbedded:
		if s.ZooKeeper != 0 || s.Replication != 0 || s.MinISR != 0 || s.KafkaHome != "" || s.secured() {
			return errors.New("ZooKeeper nodes, replication factor, min ISR, TLS, SASL and Kafka's home belong to --kafka apache; the embedded brokers have none")
		}
		return nil
	case KafkaApache:
	default:
		return fmt.Errorf("kafka %q: %s or %s", s.Kafka, KafkaEmbedded, KafkaApache)
	}
	var errs []error
	if s.ZooKeeper != 3 && s.ZooKeeper != 5 && s.ZooKeeper != 7 {
		errs = append(errs, fmt.Errorf("%d ZooKeeper nodes: 3, 5 or 7 are possible, an odd number so that no two halves can form", s.ZooKeeper))
	}
	if s.Brokers < 4 {
		errs = append(errs, fmt.Errorf("%d brokers: at least 4 are needed, so that channels can be created while one is down", s.Brokers))
	}
	if s.MinISR <= 1 || s.MinISR >= s.Replication || s.Replication >= s.Brokers {
		errs = append(errs, fmt.Errorf("min.insync.replicas M=%d, default.replication.factor N=%d and K=%d brokers: 1 < M < N < K is needed, so that a broker may fail", s.MinISR, s.Replication, s.Brokers))
	}
	return errors.Join(errs...)
}

// replication is Kafka.Topic.ReplicationFactor of the orderers.
func (m *Manifest) replication() int {
	if m.Spec.Replication > 0 {
		return m.Spec.Replication
	}
	return max(1, min(3, len(m.Brokers)))
}

func (m *Manifest) cluster(absoluteMaxBytes uint32) *apache.Cluster {
	c := &apache.Cluster{
		Host: host, ZooKeeper: m.ZooKeeper, Replication: m.Spec.Replication, MinISR: m.Spec.MinISR, AbsoluteMaxBytes: absoluteMaxBytes,
		TLS: m.Spec.KafkaTLS,
	}
	if m.Spec.KafkaSASL {
		c.User, c.Password = saslUser, m.password
	}
	for i, port := range m.Brokers {
		b := apache.Broker{Client: port}
		if m.Spec.secured() {
			b.Internal = m.Internal[i]
		}
		c.Brokers = append(c.Brokers, b)
	}
	return c
}

// writeKafka writes what the brokers and ZooKeeper nodes need, for blocks of
// up to absoluteMaxBytes.
func (m *Manifest) writeKafka(dir string, absoluteMaxBytes uint32) error {
	if !m.Spec.ordersByKafka() {
		return nil
	}
	if m.Apache == nil {
		return os.MkdirAll(filepath.Join(dir, brokerDir), 0o755)
	}
	m.AbsoluteMaxBytes = absoluteMaxBytes
	files, err := m.cluster(absoluteMaxBytes).Files()
	if err != nil {
		return fmt.Errorf("making the configuration of Kafka: %w", err)
	}
	for name, data := range files {
		if err := writeFile(dir, name, data, m.secretMode()); err != nil {
			return err
		}
	}
	if m.Spec.KafkaSASL {
		if err := writeFile(dir, passwordFile, []byte(m.password+"\n"), 0o600); err != nil {
			return err
		}
	}
	if m.Spec.KafkaTLS {
		return m.writeKafkaTLS(dir)
	}
	return nil
}

// kafkaEntries are the processes of the brokers and of ZooKeeper.
func (m *Manifest) kafkaEntries() (brokers, zooKeeper []inventory.Process) {
	if !m.Spec.ordersByKafka() {
		return nil, nil
	}
	if m.Apache == nil {
		return []inventory.Process{m.brokerEntry()}, nil
	}
	entry := func(name string, port int, ready string, command []string) inventory.Process {
		dir := apache.Dir(name)
		return inventory.Process{
			Name:    name,
			Address: address(port),
			Log:     path.Join(dir, name+".log"),
			Data:    []string{path.Join(dir, apache.DataDir)},
			Control: inventory.Control{
				Kind: inventory.ControlProcess, Command: command, Dir: dir, PIDFile: path.Join(dir, name+".pid"),
				Ready: ready, Attempts: jvmAttempts, StopTimeout: jvmTimeout, StartTimeout: jvmTimeout,
			},
		}
	}
	c := m.cluster(m.AbsoluteMaxBytes)
	for i, b := range c.Brokers {
		e := entry(apache.BrokerName(i), cmp.Or(b.Internal, b.Client), inventory.ReadyKafka, m.Apache.BrokerCommand(c))
		if b.Internal != 0 {
			e.Addresses = []string{address(b.Client)}
		}
		brokers = append(brokers, e)
	}
	for i, z := range m.ZooKeeper {
		zooKeeper = append(zooKeeper, entry(apache.ZooKeeperName(i), z.Client, inventory.ReadyZooKeeper, m.Apache.ZooKeeperCommand()))
	}
	return brokers, zooKeeper
}

// kafkaAccess says how the brokers are asked: as the orderers do it.
func (m *Manifest) kafkaAccess() *inventory.Kafka {
	if !m.Spec.ordersByKafka() {
		return nil
	}
	k := &inventory.Kafka{Version: broker.MinVersion}
	if !m.Spec.secured() {
		return k
	}
	for _, port := range m.Brokers {
		k.Bootstrap = append(k.Bootstrap, address(port))
	}
	if m.Spec.KafkaTLS {
		pair := path.Join(m.Orderers[0].Crypto, "tls")
		k.TLS = inventory.KafkaTLS{
			RootCAs: []string{path.Join(brokerTLSDir(0), "ca.crt")}, Cert: path.Join(pair, "server.crt"), Key: path.Join(pair, "server.key"),
		}
	}
	if m.Spec.KafkaSASL {
		k.SASL = inventory.KafkaSASL{User: saslUser, PasswordFile: passwordFile}
	}
	return k
}

// brokerEntry is the one process of all embedded brokers.
func (m *Manifest) brokerEntry() inventory.Process {
	_, addresses := m.addresses()
	var list []string
	for _, p := range m.Brokers {
		list = append(list, strconv.Itoa(p))
	}
	return inventory.Process{
		Name:      brokerName,
		Address:   addresses[0],
		Addresses: addresses,
		Log:       path.Join(brokerDir, "broker.log"),
		Data:      []string{path.Join(brokerDir, "data")},
		Control: inventory.Control{
			Kind:         inventory.ControlProcess,
			Command:      []string{m.Program, "broker", "--host", host, "--ports", strings.Join(list, ","), "--data", "data"},
			Dir:          brokerDir,
			PIDFile:      path.Join(brokerDir, "broker.pid"),
			StopTimeout:  nodeStopTimeout,
			StartTimeout: nodeStartTimeout,
		},
	}
}
