// Package kafkaops looks at a Kafka cluster: its topics, and whether its
// processes answer.
package kafkaops

import (
	"context"
	"fmt"
	"net"
	"sort"
	"time"

	"github.com/IBM/sarama"

	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// DialTimeout bounds one connection.
const DialTimeout = 2 * time.Second

// Topics lists the topics that could be channels: one partition and a name
// that a channel may have; sorted. It changes nothing.
func Topics(ctx context.Context, brokers []string) ([]string, error) {
	if len(brokers) == 0 {
		return nil, fmt.Errorf("the inventory names no brokers")
	}
	cfg := config()
	type answer struct {
		names []string
		err   error
	}
	done := make(chan answer, 1)
	go func() { // ends with the timeouts of cfg at the latest
		names, err := topics(brokers, cfg)
		done <- answer{names, err}
	}()
	select {
	case a := <-done:
		return a.names, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("listing Kafka topics: %w", ctx.Err())
	}
}

func topics(brokers []string, cfg *sarama.Config) (names []string, err error) {
	client, err := sarama.NewClient(brokers, cfg)
	if err != nil {
		return nil, fmt.Errorf("reaching Kafka at %v: %w", brokers, err)
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
	f := runbook.BrokerFacts{Node: p.Name, Tier: tier}
	d := net.Dialer{Timeout: DialTimeout}
	for i, address := range p.AllAddresses() {
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
	return f
}
