package runbooktest

import (
	"fmt"

	"raftmig/runbook"
)

// replicas is the replication factor of the simulated topics, minInSync their
// min.insync.replicas; a network of fewer brokers has as many as it can.
const (
	replicas  = 3
	minInSync = 2
)

// topic says which brokers have a channel's replicas, and which of them run:
// in this model a broker that runs has caught up.
func (n *Network) topic() (all, inSync []int32) {
	for i, b := range n.brokers[:min(replicas, len(n.brokers))] {
		all = append(all, int32(i))
		if n.running[b] {
			inSync = append(inSync, int32(i))
		}
	}
	return all, inSync
}

// kafka says why Kafka takes no record, nil if it does: enough replicas must
// be in sync, and ZooKeeper must have a quorum.
func (n *Network) kafka(channel string) error {
	all, inSync := n.topic()
	switch {
	case n.up(n.brokers) == 0:
		return &runbook.Problem{What: "Kafka cannot be reached", Where: channel}
	case len(n.zk) > 0 && n.up(n.zk) <= len(n.zk)/2:
		return &runbook.Problem{What: "ZooKeeper has no quorum", Where: channel}
	case len(inSync) < min(minInSync, len(all)):
		return &runbook.Problem{What: "SERVICE_UNAVAILABLE: cannot enqueue", Where: channel, Why: fmt.Sprintf("%d replicas in sync", len(inSync))}
	}
	return nil
}

// proveFlush compares topics, in which every block is one record, with ledgers.
func (n *Network) proveFlush(channels []string) runbook.Evidence {
	if up := n.up(n.orderers); up > 0 {
		n.fault("the flush was looked at while %d orderers ran", up)
	}
	ev := n.processes(runbook.Effect{Tier: runbook.TierBrokers})
	ev.Summary = "topics compared with ledgers"
	all, inSync := n.topic()
	for _, name := range channels {
		c := n.channels[name]
		f := runbook.FlushState{Channel: name, Leader: -1, Replicas: all, InSync: inSync, End: int64(len(c.blocks))}
		f.EndBefore = f.End
		switch {
		case n.up(n.brokers) == 0:
			f.Error = "Kafka cannot be reached"
		case len(inSync) > 0:
			f.Leader = inSync[0]
		}
		for _, o := range n.orderers {
			f.Nodes = append(f.Nodes, runbook.FlushNode{Node: o, Height: uint64(c.have[o]), LastOffset: int64(c.have[o]) - 1})
		}
		ev.Flush = append(ev.Flush, f)
	}
	return ev
}
