package kafkaops_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/kafkaops"
	"raftmig/testnet/broker"
)

func TestKafkaAnswersAsLongAsOneBrokerDoes(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connects, as a paused process does, and never answers
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	down := []string{closed.Addr().String(), silent.Addr().String()}

	c, err := broker.Start(broker.Options{Ports: []int{0}, DataDir: filepath.Join(t.TempDir(), "kafka")})
	require.NoError(t, err)
	up := c.Addresses()
	begun := time.Now()
	require.NoError(t, (&kafkaops.Cluster{Brokers: append(down, up...)}).Answers(t.Context()))
	require.Less(t, time.Since(begun), 2*time.Second, "nobody waits for the silent one")
	require.NoError(t, c.Close())

	err = (&kafkaops.Cluster{Brokers: []string{down[0], up[0]}}).Answers(t.Context())
	require.EqualError(t, err, "connection refused at "+down[0]+", "+up[0])

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = (&kafkaops.Cluster{Brokers: down}).Answers(ctx)
	require.EqualError(t, err, "connection refused at "+down[0]+"; no answer in time at "+down[1])
}
