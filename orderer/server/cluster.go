package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/cluster"
	"raftmig/orderer/comm"
	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/etcdraft"
	"raftmig/orderer/consensus/inactive"
	"raftmig/orderer/consensus/kafka"
	"raftmig/orderer/consensus/solo"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/onboarding"
)

// clusterParts are what only a node of cluster type has.
type clusterParts struct {
	// endpoint of the cluster service: the general one or one of its own.
	endpoint *endpoint
	separate bool
	// serverCert is the certificate, PEM, by which channels know this node.
	serverCert []byte
	client     cluster.ClientTLS
	comm       *cluster.Comm
	pullers    *cluster.PullerFactory
	replicator *onboarding.InactiveChainReplicator // nil without a system channel
	// stopReplicator ends it, without waiting; nil while it does not run
	stopReplicator func()
}

// ownListener reports whether the cluster has a listener of its own, and
// refuses a half configuration (spec 8.5).
func ownListener(c localconfig.Cluster) (bool, error) {
	set := 0
	for _, isSet := range []bool{c.ListenPort != 0, c.ListenAddress != "", c.ServerCertificate != "", c.ServerPrivateKey != ""} {
		if isSet {
			set++
		}
	}
	switch set {
	case 0:
		return false, nil
	case 4:
		return true, nil
	}
	return false, errors.New("Options: General.Cluster.ListenPort, General.Cluster.ListenAddress, General.Cluster.ServerCertificate, General.Cluster.ServerPrivateKey, should be defined altogether.") //nolint:staticcheck // Fabric's text
}

// setUpCluster makes what the Raft consenter needs: listener, communication,
// block pulling.
func (n *node) setUpCluster(ctx context.Context, boot *bootBlock) error {
	g := n.conf.General
	c := &clusterParts{}
	var err error
	if c.separate, err = ownListener(g.Cluster); err != nil {
		return err
	}
	if c.separate {
		err = n.listenForCluster(c)
	} else {
		n.log.Infof("Cluster listener is not configured, defaulting to use the general listener on port %d", g.ListenPort)
		if !g.TLS.Enabled {
			return errors.New("TLS is required for running ordering nodes of cluster type.") //nolint:staticcheck // Fabric's text
		}
		c.endpoint = n.general
		c.serverCert, err = os.ReadFile(g.TLS.Certificate)
	}
	if err != nil {
		return err
	}
	if c.client, err = n.clientTLS(c.separate); err != nil {
		return err
	}
	logging := n.options.Logging
	c.comm = cluster.NewComm(cluster.Config{
		TLS: c.client, DialTimeout: g.Cluster.DialTimeout, RPCTimeout: g.Cluster.RPCTimeout, SendBufferSize: g.Cluster.SendBufferSize,
		CertExpirationWarningThreshold: g.Cluster.CertExpirationWarningThreshold,
		Metrics:                        n.metrics, Logger: logging.Logger("orderer.common.cluster"),
	})
	n.onCleanup(c.comm.Shutdown)
	c.pullers = cluster.NewPullerFactory(cluster.PullerConfig{
		TLS: c.client, DialTimeout: g.Cluster.DialTimeout, PullTimeout: g.Cluster.ReplicationPullTimeout,
		RetryTimeout: g.Cluster.ReplicationRetryTimeout, BufferSize: g.Cluster.ReplicationBufferSize,
		Logger: logging.Logger("orderer.common.cluster.puller"),
	})
	n.cluster = c
	return n.replicate(ctx, boot)
}

// listenForCluster opens the cluster's own listener, with mutual TLS.
func (n *node) listenForCluster(c *clusterParts) error {
	k := n.conf.General.Cluster
	cert, err := os.ReadFile(k.ServerCertificate)
	if err != nil {
		return fmt.Errorf("Failed to load cluster server certificate from '%s' (%w)", k.ServerCertificate, err) //nolint:staticcheck // Fabric's text
	}
	key, err := os.ReadFile(k.ServerPrivateKey)
	if err != nil {
		return fmt.Errorf("Failed to load cluster server key from '%s' (%w)", k.ServerPrivateKey, err) //nolint:staticcheck // Fabric's text
	}
	t, err := comm.NewTLSConfig(comm.TLSOptions{
		Certificate: cert, Key: key, ClientAuth: comm.RequireClientCert, ClientRootCAs: n.trust.cluster, TimeShift: k.TLSHandshakeTimeShift,
	})
	if err != nil {
		return fmt.Errorf("Failed creating gRPC server on %s:%d due to %w", k.ListenAddress, k.ListenPort, err) //nolint:staticcheck // Fabric's text
	}
	n.trust.follow(t)
	e := &endpoint{tls: t, server: comm.NewServer(n.serverOptions(t))}
	if e.listener, err = comm.Listen(net.JoinHostPort(k.ListenAddress, strconv.Itoa(int(k.ListenPort)))); err != nil {
		return fmt.Errorf("Failed creating gRPC server on %s:%d due to %w", k.ListenAddress, k.ListenPort, err) //nolint:staticcheck // Fabric's text
	}
	n.onCleanup(func() { _ = e.listener.Close() }) // serving has closed it already
	c.endpoint, c.serverCert = e, cert
	return nil
}

// clientTLS is this node's side of connections to other orderers. With a
// shared listener the general certificate serves for both sides; with a
// separate one and no client certificate there is none (spec 8.5).
func (n *node) clientTLS(separate bool) (cluster.ClientTLS, error) {
	g := n.conf.General
	result := cluster.ClientTLS{RootCAs: n.trust.orderers, TimeShift: g.Cluster.TLSHandshakeTimeShift}
	certFile, keyFile := g.Cluster.ClientCertificate, g.Cluster.ClientPrivateKey
	if certFile == "" && keyFile == "" {
		if separate {
			n.log.Warn("General.Cluster.ClientCertificate and ClientPrivateKey are not set: this node cannot connect to other orderers")
			return result, nil
		}
		certFile, keyFile = g.TLS.Certificate, g.TLS.PrivateKey
	}
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return result, fatalf("Failed to load client TLS certificate file '%s' (%w)", certFile, err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return result, fatalf("Failed to load client TLS key file '%s' (%w)", keyFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return result, fmt.Errorf("client TLS certificate '%s' and key '%s': %w", certFile, keyFile, err)
	}
	result.Certificate = &pair
	return result, nil
}

// serveCluster starts the cluster's own listener.
func (n *node) serveCluster() {
	if n.cluster == nil || !n.cluster.separate {
		return
	}
	n.log.Infof("Starting cluster listener on %s", n.cluster.endpoint.listener.Addr())
	n.goServe(n.cluster.endpoint, "Cluster")
}

// consenters makes the consenters by type. Kafka's and solo's are there on every
// node with a system channel: on one of cluster type they mark what a migration
// left behind (spec 2.2, 5).
func (n *node) consenters() (map[string]consensus.Consenter, error) {
	logging := n.options.Logging
	result := map[string]consensus.Consenter{}
	single := solo.Options{Logger: logging.Logger("orderer.consensus.solo")}
	options := kafka.Options{
		Config: n.conf.Kafka, Metrics: n.metrics, PollInterval: n.options.kafkaPollInterval, Health: n.health, Fatal: n.fail,
		Logger: logging.Logger("orderer.consensus.kafka"), SaramaLogger: logging.Logger("orderer.consensus.kafka.sarama"),
	}
	if c := n.cluster; c != nil {
		raft, err := n.raftConsenter(c)
		if err != nil {
			return nil, err
		}
		result[channelconfig.ConsensusEtcdRaft] = raft
		if c.replicator == nil {
			return result, nil // without a system channel there is nothing to migrate
		}
		options.Inactive, single.Inactive = c.replicator, c.replicator
	}
	if n.conf.Kafka.Verbose {
		if err := logging.ActivateSpec(logging.Spec() + ":orderer.consensus.kafka.sarama=debug"); err != nil {
			n.log.Warnf("Kafka.Verbose: %s", err)
		}
	}
	k, err := kafka.New(options)
	if err != nil {
		return nil, fmt.Errorf("setting up the Kafka consenter: %w", err)
	}
	n.onCleanup(k.Close)
	result[channelconfig.ConsensusKafka] = k
	result[channelconfig.ConsensusSolo] = solo.New(single)
	return result, nil
}

func (n *node) raftConsenter(c *clusterParts) (consensus.Consenter, error) {
	k := n.conf.Consensus
	var tracker inactive.Tracker // a nil interface without a system channel
	if c.replicator != nil {
		tracker = c.replicator
	}
	raft, err := etcdraft.New(etcdraft.Options{
		WALDir: k.WALDir, SnapDir: k.SnapDir, EvictionSuspicion: k.EvictionSuspicion, TickIntervalOverride: k.TickIntervalOverride,
		LeaderCheckInterval: n.options.leaderCheckInterval,
		AcknowledgeAtCommit: k.AcknowledgeAt == localconfig.AcknowledgeAtCommit,
		RPCTimeout:          n.conf.General.Cluster.RPCTimeout, ServerCert: c.serverCert, Comm: c.comm,
		NewPuller: func(s consensus.ConsenterSupport) (etcdraft.BlockPuller, error) { return c.pullers.ForChain(s) },
		Inactive:  tracker, Evicted: n.manager.Evicted, Metrics: n.metrics, Logger: n.options.Logging.Logger("orderer.consensus.etcdraft"), Fatal: n.fail,
	})
	if err != nil {
		return nil, fmt.Errorf("setting up the Raft consenter: %w", err)
	}
	cluster.Register(c.endpoint.server, cluster.NewService(cluster.ServiceConfig{Comm: c.comm, Handler: raft}))
	return raft, nil
}
