package facts

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"raftmig/fabricops/backup"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/kafkaops"
	"raftmig/runbook"
)

// syncPatience is how long replicas may take to catch up: brokers that have
// just started need seconds.
const syncPatience = 20 * time.Second

// kafka asks the brokers about themselves and the topics of channels; nil if
// the inventory names no brokers.
func (g *Gatherer) kafka(ctx context.Context, channels []string) *runbook.KafkaFacts {
	if len(g.Network.KafkaAddresses()) == 0 {
		return nil
	}
	f := &runbook.KafkaFacts{}
	if cluster, err := kafkaops.Of(g.Network); err != nil {
		f.Error = err.Error()
	} else {
		f = cluster.Settled(ctx, channels, syncPatience)
		if f.TLS = cluster.TLS != nil; f.TLS || cluster.User != "" {
			f.SASL = cluster.User != ""
			f.Listeners = g.listeners(ctx, cluster, f.Brokers)
		}
	}
	if k := g.Network.Kafka; k != nil {
		f.Version = k.Version
		if certs, err := inventory.ReadCertificates(k.TLS.Cert); err == nil {
			c := CertFacts(certs[0])
			f.ClientCert = &c
		}
	}
	return f
}

// listeners tries those that the inventory names and those that the brokers do.
func (g *Gatherer) listeners(ctx context.Context, cluster *kafkaops.Cluster, brokers []runbook.KafkaBroker) []runbook.KafkaListener {
	addresses := cluster.Brokers
	for _, b := range brokers {
		addresses = append(addresses, b.Address)
	}
	var out []runbook.KafkaListener
	for _, l := range cluster.Listeners(ctx, addresses) {
		if l.Unreachable {
			continue // nodes.reachable and kafka.asked say so
		}
		at := runbook.KafkaListener{Address: l.Address}
		if l.Err != nil {
			at.Error = l.Err.Error()
		}
		if l.Cert != nil {
			c := CertFacts(l.Cert)
			at.Cert = &c
		}
		out = append(out, at)
	}
	return out
}

// dataFolder looks at a data folder of a broker.
func dataFolder(dir string) runbook.DataFacts {
	d := runbook.DataFacts{Path: dir, Broker: -1}
	if _, err := os.ReadDir(dir); err != nil {
		d.Error = err.Error()
		return d
	}
	id, err := brokerID(filepath.Join(dir, "meta.properties"))
	d.Broker = id
	used, usedErr := backup.DiskUsage(dir)
	free, freeErr := backup.FreeSpace(dir)
	d.Used, d.Free, d.Memory = used, free, memoryFileSystem(dir)
	if err := errors.Join(err, usedErr, freeErr); err != nil {
		d.Error = err.Error()
	}
	return d
}

// brokerID reads the broker.id, or node.id, that a broker wrote into its log
// directory; -1 if the folder is none.
func brokerID(file string) (int32, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	defer f.Close() //nolint:errcheck // read only
	for s := bufio.NewScanner(f); s.Scan(); {
		name, value, _ := strings.Cut(strings.TrimSpace(s.Text()), "=")
		if name = strings.TrimSpace(name); name != "broker.id" && name != "node.id" {
			continue
		}
		if id, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32); err == nil {
			return int32(id), nil
		}
	}
	return -1, nil
}
