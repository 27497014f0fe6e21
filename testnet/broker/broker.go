// Package broker runs an embedded Kafka: several brokers of the kfake library
// in one process, for rehearsals.
//
// It speaks the Kafka protocol to sarama and to real Fabric orderers, keeps
// its topics on disk with an fsync per batch, and comes back with them after a
// stop or a kill. It is no Kafka to run a network on: there is one copy of the
// data, and losing the process loses all brokers at once.
//
// It refuses produce requests of the protocol before Kafka 0.11, so orderers
// need Kafka.Version 1.0.0 or later; with Fabric's default of 0.10.2.0 they
// hang at the CONNECT message.
package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
)

// MinVersion is the lowest Kafka.Version that orderers may use with it.
const MinVersion = "1.0.0"

// Ready starts the line that is logged once all brokers accept connections.
const Ready = "Kafka brokers are ready on "

// closeTimeout bounds the orderly end, in which state is written to disk.
const closeTimeout = 20 * time.Second

// DefaultConfig is the broker configuration that Fabric's guide asks for
// (message.max.bytes above any block, never an unclean leader, nothing
// deleted), as far as kfake knows it. Of elections it is only told: there is one
// copy of each record, and every broker leads with that.
func DefaultConfig() map[string]string {
	return map[string]string{
		"message.max.bytes":          "103809024", // 99 MB
		"fetch.max.bytes":            "103809024",
		"default.replication.factor": "3",
		"min.insync.replicas":        "2",
		"log.retention.ms":           "-1",

		"unclean.leader.election.enable": "false",
	}
}

// Options describe the brokers.
type Options struct {
	// Host to listen on, default 127.0.0.1. The brokers also advertise it.
	Host string
	// Ports, one for each broker; 0 takes a free one.
	Ports []int
	// DataDir keeps the topics. It is created if needed, and locked.
	DataDir string
	// Config overrides entries of DefaultConfig.
	Config map[string]string
	// Log receives what goes on; nil for nothing.
	Log     io.Writer
	Verbose bool // also every request
}

// Cluster is a running set of brokers.
type Cluster struct {
	kafka *kfake.Cluster
	lock  *flock.Flock
}

// Start starts the brokers. Close ends them.
func Start(o Options) (*Cluster, error) {
	switch {
	case len(o.Ports) == 0:
		return nil, errors.New("a broker needs at least one port")
	case o.DataDir == "":
		return nil, errors.New("a broker needs a data folder")
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if err := os.MkdirAll(o.DataDir, 0o755); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	lock := flock.New(o.DataDir + ".lock")
	if locked, err := lock.TryLock(); err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	} else if !locked {
		return nil, fmt.Errorf("another broker process uses the data folder %s", o.DataDir)
	}
	config := DefaultConfig()
	maps.Copy(config, o.Config)
	opts := []kfake.Opt{
		kfake.NumBrokers(len(o.Ports)),
		kfake.Ports(o.Ports...),
		kfake.DataDir(o.DataDir),
		kfake.SyncWrites(),
		kfake.ClusterID("raftmig-embedded"),
		kfake.DefaultNumPartitions(1),
		kfake.BrokerConfigs(config),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return net.Listen(network, net.JoinHostPort(o.Host, port))
		}),
	}
	if o.Log != nil {
		level := kfake.LogLevelWarn
		if o.Verbose {
			level = kfake.LogLevelDebug
		}
		opts = append(opts, kfake.WithLogger(kfake.BasicLogger(o.Log, level)))
	}
	kafka, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the brokers: %w", err), lock.Unlock())
	}
	return &Cluster{kafka: kafka, lock: lock}, nil
}

// Addresses are host:port of all brokers.
func (c *Cluster) Addresses() []string { return c.kafka.ListenAddrs() }

// Close writes all state to disk and ends the brokers.
func (c *Cluster) Close() error {
	done := make(chan struct{})
	go func() {
		c.kafka.Close()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(closeTimeout):
		// Every batch is on disk; what is missing is rebuilt at the next start.
		return errors.Join(fmt.Errorf("the brokers did not end within %v", closeTimeout), c.lock.Unlock())
	}
	return c.lock.Unlock()
}

// Run starts the brokers, writes the line Ready with their addresses to
// o.Log, and ends them when ctx does.
func Run(ctx context.Context, o Options) error {
	c, err := Start(o)
	if err != nil {
		return err
	}
	if o.Log != nil {
		fmt.Fprintf(o.Log, "%s%v, data in %s\n", Ready, c.Addresses(), o.DataDir)
	}
	<-ctx.Done()
	err = c.Close()
	if o.Log != nil && err == nil {
		fmt.Fprintln(o.Log, "Kafka brokers have ended")
	}
	return err
}

// CheckVersion returns an error for a Kafka.Version of orderer.yaml that does
// not work with these brokers.
func CheckVersion(version string) error {
	var parts [3]int
	n := 0
	for part := range strings.SplitSeq(version, ".") {
		v, err := strconv.Atoi(part)
		if err != nil || n >= 4 {
			return fmt.Errorf("%q is not a Kafka version", version)
		}
		if n < 3 {
			parts[n] = v
		}
		n++
	}
	if n < 3 {
		return fmt.Errorf("%q is not a Kafka version", version)
	}
	if parts[0] < 1 {
		return fmt.Errorf("Kafka.Version %s does not work with the embedded brokers: it must be %s or later", version, MinVersion)
	}
	return nil
}
