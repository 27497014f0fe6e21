package kafkaops

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"raftmig/fabricops/inventory"
)

// Serves asks the process at address, over the protocol that kind names (see
// inventory.Control.Ready), whether it does its work: a ZooKeeper node is part
// of a quorum; a Kafka broker knows a controller and itself, and has caught up
// with every leader that is there: else losing that leader would leave nobody
// to follow it. nil means yes.
func Serves(ctx context.Context, kind, address string) error {
	switch kind {
	case inventory.ReadyZooKeeper:
		_, err := ZooKeeperMode(ctx, address)
		return err
	case inventory.ReadyKafka:
		answer, err := metadata(ctx, address)
		if err != nil {
			return err
		}
		return caughtUp(answer, address)
	default:
		return fmt.Errorf("unknown kind of readiness %q", kind)
	}
}

// maxAnswer bounds the answer to a four-letter word.
const maxAnswer = 64 << 10

// ZooKeeperMode returns what srvr says of a node: leader, follower, observer or
// standalone. A node without quorum is an error.
func ZooKeeperMode(ctx context.Context, address string) (string, error) {
	d := net.Dialer{Timeout: DialTimeout}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("asking ZooKeeper: %w", err)
	}
	defer conn.Close() //nolint:errcheck // it was only asked
	if err := conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return "", fmt.Errorf("asking ZooKeeper at %s: %w", address, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("asking ZooKeeper at %s: %w", address, err)
	}
	for line := range strings.Lines(string(answer)) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode), nil
		}
	}
	return "", fmt.Errorf("ZooKeeper at %s: %s", address, firstLine(answer))
}

func firstLine(answer []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	if line == "" {
		return "no answer"
	}
	return line
}

// caughtUp looks for the broker at address in what it says of the cluster.
func caughtUp(answer *sarama.MetadataResponse, address string) error {
	i := slices.IndexFunc(answer.Brokers, func(b *sarama.Broker) bool { return b.Addr() == address })
	if i < 0 {
		return fmt.Errorf("the broker at %s is not registered; those that are advertise %s", address, strings.Join(addressesOf(answer), ", "))
	}
	id := answer.Brokers[i].ID()
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			// Without a leader there is nothing to catch up with.
			if p.Leader >= 0 && slices.Contains(p.Replicas, id) && !slices.Contains(p.Isr, id) {
				return fmt.Errorf("the broker at %s has not caught up on partition %d of %s", address, p.ID, t.Name)
			}
		}
	}
	return nil
}

func addressesOf(answer *sarama.MetadataResponse) []string {
	var out []string
	for _, b := range answer.Brokers {
		out = append(out, b.Addr())
	}
	return out
}

// Brokers returns the addresses of the live brokers, as the broker at address
// knows them. Not knowing a controller is an error.
func Brokers(ctx context.Context, address string) ([]string, error) {
	answer, err := metadata(ctx, address)
	if err != nil {
		return nil, err
	}
	return addressesOf(answer), nil
}

// metadata asks the broker at address for all brokers and topics.
func metadata(ctx context.Context, address string) (*sarama.MetadataResponse, error) {
	b := sarama.NewBroker(address)
	if err := b.Open(config()); err != nil {
		return nil, fmt.Errorf("asking the broker at %s: %w", address, err)
	}
	defer b.Close() //nolint:errcheck // it was only asked
	// Version 1 has the controller; without names it tells all topics.
	answer, err := b.GetMetadata(&sarama.MetadataRequest{Version: 1})
	if err != nil {
		return nil, fmt.Errorf("asking the broker at %s: %w", address, err)
	}
	if answer.ControllerID < 0 {
		return nil, fmt.Errorf("the broker at %s knows no controller", address)
	}
	return answer, ctx.Err()
}

// Protocols that clients speak: what is asked for is in every version since.
var (
	oldest  = sarama.V0_10_2_0 // Fabric's own default
	telling = sarama.V1_0_0_0  // the first that tells settings and ends at a cluster of 0.11
)

// config is that of a client that only looks, without TLS and SASL.
func config() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.ClientID = "raftmig"
	cfg.Version = oldest
	cfg.Net.DialTimeout, cfg.Net.ReadTimeout, cfg.Net.WriteTimeout = DialTimeout, replyTimeout, replyTimeout
	cfg.Metadata.Retry.Max = 1
	cfg.Metadata.Full = true
	cfg.Consumer.MaxWaitTime, cfg.Consumer.Return.Errors = 100*time.Millisecond, true
	cfg.Metadata.AllowAutoTopicCreation = false
	return cfg
}
