package kafkaops

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"raftmig/fabricops/inventory"
)

// Serves asks the process at address, over the protocol that kind names (see
// inventory.Control.Ready), whether it does its work: a ZooKeeper node is part
// of a quorum, a Kafka broker knows a controller and itself. nil means yes.
func Serves(ctx context.Context, kind, address string) error {
	switch kind {
	case inventory.ReadyZooKeeper:
		_, err := ZooKeeperMode(ctx, address)
		return err
	case inventory.ReadyKafka:
		known, err := Brokers(ctx, address)
		if err != nil {
			return err
		}
		for _, a := range known {
			if a == address {
				return nil
			}
		}
		return fmt.Errorf("the broker at %s is not registered; registered are %v", address, known)
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
	if err := conn.SetDeadline(time.Now().Add(2 * DialTimeout)); err != nil {
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

// Brokers returns the addresses of the live brokers, as the broker at address
// knows them. Not knowing a controller is an error.
func Brokers(ctx context.Context, address string) ([]string, error) {
	cfg := config()
	b := sarama.NewBroker(address)
	if err := b.Open(cfg); err != nil {
		return nil, fmt.Errorf("asking the broker at %s: %w", address, err)
	}
	defer b.Close() //nolint:errcheck // it was only asked
	// Version 1 has the controller; no topics are wanted.
	answer, err := b.GetMetadata(&sarama.MetadataRequest{Version: 1, Topics: []string{}})
	if err != nil {
		return nil, fmt.Errorf("asking the broker at %s: %w", address, err)
	}
	if answer.ControllerID < 0 {
		return nil, fmt.Errorf("the broker at %s knows no controller", address)
	}
	var known []string
	for _, b := range answer.Brokers {
		known = append(known, b.Addr())
	}
	return known, ctx.Err()
}

// config is that of a client that only looks.
func config() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.ClientID = "raftmig"
	// Fabric's own default: what is asked for here is in every version since.
	cfg.Version = sarama.V0_10_2_0
	cfg.Net.DialTimeout, cfg.Net.ReadTimeout, cfg.Net.WriteTimeout = DialTimeout, 2*DialTimeout, 2*DialTimeout
	cfg.Metadata.Retry.Max = 1
	cfg.Metadata.Full = true
	return cfg
}
