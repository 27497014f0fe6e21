package server

import (
	"errors"
	"fmt"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/kafka"
)

// clusterParts are what only a node of cluster type has.
type clusterParts struct {
	// endpoint of the cluster service: the general one or one of its own.
	endpoint *endpoint
}

func (n *node) clusterRootCAs() []string { return n.conf.General.Cluster.RootCAs }

func (n *node) setUpCluster(*bootBlock) error {
	return errors.New("consensus type etcdraft is not available yet")
}

func (n *node) serveCluster() error { return nil }

// consenters makes the consenters by type. Kafka's is there on every node: on
// one of cluster type it marks what a migration left behind (spec 2.2, 5).
func (n *node) consenters(*bootBlock) (map[string]consensus.Consenter, error) {
	logging := n.options.Logging
	if n.conf.Kafka.Verbose {
		if err := logging.ActivateSpec(logging.Spec() + ":orderer.consensus.kafka.sarama=debug"); err != nil {
			n.log.Warnf("Kafka.Verbose: %s", err)
		}
	}
	k, err := kafka.New(kafka.Options{
		Config: n.conf.Kafka, Metrics: n.metrics, Health: n.health, Fatal: n.fail,
		Logger: logging.Logger("orderer.consensus.kafka"), SaramaLogger: logging.Logger("orderer.consensus.kafka.sarama"),
	})
	if err != nil {
		return nil, fmt.Errorf("setting up the Kafka consenter: %w", err)
	}
	n.onCleanup(k.Close)
	return map[string]consensus.Consenter{channelconfig.ConsensusKafka: k}, nil
}

// trackCertificates logs when the node's certificates end.
func (n *node) trackCertificates() error { return nil }
