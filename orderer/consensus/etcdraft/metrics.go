package etcdraft

import "raftmig/orderer/metrics"

// chainMetrics are the consensus_etcdraft metrics of spec 4.10, for all
// channels or, after with, for one.
type chainMetrics struct {
	clusterSize, isLeader, activeNodes       metrics.Gauge
	committedBlockNumber, snapshotBlock      metrics.Gauge
	leaderChanges, proposalFailures          metrics.Counter
	normalProposals, configProposalsReceived metrics.Counter
	persistDuration                          metrics.Histogram
}

func newChainMetrics(p metrics.Provider) *chainMetrics {
	opts := func(name, help string) metrics.Opts {
		return metrics.Opts{
			Namespace: "consensus", Subsystem: "etcdraft", Name: name, Help: help,
			LabelNames: []string{"channel"}, StatsdFormat: "%{#fqname}.%{channel}",
		}
	}
	return &chainMetrics{
		clusterSize:             p.NewGauge(opts("cluster_size", "Number of nodes in this channel.")),
		isLeader:                p.NewGauge(opts("is_leader", "The leadership status of the current node: 1 if it is the leader else 0.")),
		activeNodes:             p.NewGauge(opts("active_nodes", "Number of active nodes in this channel.")),
		committedBlockNumber:    p.NewGauge(opts("committed_block_number", "The block number of the latest block committed.")),
		snapshotBlock:           p.NewGauge(opts("snapshot_block_number", "The block number of the latest snapshot.")),
		leaderChanges:           p.NewCounter(opts("leader_changes", "The number of leader changes since process start.")),
		proposalFailures:        p.NewCounter(opts("proposal_failures", "The number of proposal failures.")),
		normalProposals:         p.NewCounter(opts("normal_proposals_received", "The total number of proposals received for normal type transactions.")),
		configProposalsReceived: p.NewCounter(opts("config_proposals_received", "The total number of proposals received for config type transactions.")),
		persistDuration:         p.NewHistogram(opts("data_persist_duration", "The time taken for etcd/raft data to be persisted in storage (in seconds).")),
	}
}

func (m *chainMetrics) with(channel string) *chainMetrics {
	const label = "channel"
	return &chainMetrics{
		clusterSize:             m.clusterSize.With(label, channel),
		isLeader:                m.isLeader.With(label, channel),
		activeNodes:             m.activeNodes.With(label, channel),
		committedBlockNumber:    m.committedBlockNumber.With(label, channel),
		snapshotBlock:           m.snapshotBlock.With(label, channel),
		leaderChanges:           m.leaderChanges.With(label, channel),
		proposalFailures:        m.proposalFailures.With(label, channel),
		normalProposals:         m.normalProposals.With(label, channel),
		configProposalsReceived: m.configProposalsReceived.With(label, channel),
		persistDuration:         m.persistDuration.With(label, channel),
	}
}
