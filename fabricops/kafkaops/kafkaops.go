// Package kafkaops looks at a Kafka cluster: its topics, and whether its
// processes answer.
package kafkaops

import (
	"context"
	"fmt"
	"net"
	"sort"
	"strings"
	"time"

	"raftmig/fabricops/dial"
	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// DialTimeout bounds one connection.
const DialTimeout = dial.ConnectTimeout

// replyTimeout bounds one answer. It is long enough for a broker that is busy; one
// that is starting refuses the connection.
const replyTimeout = 4 * time.Second

// Topics lists the topics that could be channels: one partition and a name
// that a channel may have; sorted. It changes nothing.
func (c *Cluster) Topics(ctx context.Context) ([]string, error) {
	names, err := bounded(ctx, c.topics)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("listing Kafka topics: %w", ctx.Err())
	}
	return names, err
}

func (c *Cluster) topics() (names []string, err error) {
	version := oldest
	if c.User != "" {
		version = telling // the login of older protocols is not wrapped in requests
	}
	client, err := c.client(version)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }() // nothing was written
	all, err := client.Topics()
	if err != nil {
		return nil, fmt.Errorf("listing Kafka topics: %w", err)
	}
	for _, name := range all {
		if inventory.ValidChannel(name) != nil {
			continue
		}
		partitions, err := client.Partitions(name)
		if err != nil {
			return nil, fmt.Errorf("listing the partitions of Kafka topic %s: %w", name, err)
		}
		if len(partitions) == 1 {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

// Reach tells whether the addresses of a broker or ZooKeeper process accept
// connections.
func Reach(ctx context.Context, tier runbook.Tier, p inventory.Process) runbook.BrokerFacts {
	f := runbook.BrokerFacts{Node: p.Name, Tier: tier, Addresses: p.AllAddresses()}
	d := net.Dialer{Timeout: DialTimeout}
	for i, address := range f.Addresses {
		if i == 0 {
			f.Address = address
		}
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			f.Address, f.Error = address, err.Error()
			return f
		}
		_ = conn.Close() // it was only asked for
	}
	if tier == runbook.TierZooKeeper {
		f.Mode = mode(ctx, f.Address)
	}
	return f
}

// mode is what a ZooKeeper node says that it is, "" if it does not tell: srvr
// may not be whitelisted.
func mode(ctx context.Context, address string) string {
	mode, err := ZooKeeperMode(ctx, address)
	switch {
	case err == nil:
		return mode
	case strings.Contains(err.Error(), "not currently serving requests"):
		return runbook.ModeNoQuorum
	default:
		return ""
	}
}
