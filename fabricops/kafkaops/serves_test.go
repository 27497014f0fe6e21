package kafkaops_test

import (
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/fabricops/kafkaops"
	"raftmig/testnet/broker"
)

// zooKeeper answers every four-letter word with answer.
func zooKeeper(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			word := make([]byte, 4)
			if _, err := io.ReadFull(conn, word); err == nil && string(word) == "srvr" {
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestAZooKeeperNodeServesWhenItIsPartOfAQuorum(t *testing.T) {
	for name, c := range map[string]struct{ answer, mode, err string }{
		"a follower":         {answer: "Zookeeper version: 3.8.4\nZxid: 0x1\nMode: follower\nNode count: 5\n", mode: "follower"},
		"a leader":           {answer: "Mode: leader\n", mode: "leader"},
		"without quorum":     {answer: "This ZooKeeper instance is not currently serving requests\n", err: "not currently serving requests"},
		"not whitelisted":    {answer: "srvr is not executed because it is not in the whitelist.\n", err: "not in the whitelist"},
		"silent":             {answer: "", err: "no answer"},
		"something else":     {answer: "SSH-2.0-OpenSSH\n", err: "SSH-2.0-OpenSSH"},
		"only a later word ": {answer: "x Mode: leader\n", err: "x Mode: leader"},
	} {
		t.Run(name, func(t *testing.T) {
			address := zooKeeper(t, c.answer)
			mode, err := kafkaops.ZooKeeperMode(t.Context(), address)
			served := kafkaops.Serves(t.Context(), inventory.ReadyZooKeeper, address)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.ErrorContains(t, served, c.err)
				return
			}
			require.NoError(t, err)
			require.NoError(t, served)
			require.Equal(t, c.mode, mode)
		})
	}
}

func TestABrokerServesWhenItIsRegistered(t *testing.T) {
	c, err := broker.Start(broker.Options{Ports: []int{0, 0, 0}, DataDir: filepath.Join(t.TempDir(), "kafka")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	known, err := kafkaops.Brokers(t.Context(), c.Addresses()[0])
	require.NoError(t, err)
	require.ElementsMatch(t, c.Addresses(), known)
	require.NoError(t, kafkaops.Serves(t.Context(), inventory.ReadyKafka, c.Addresses()[1]))

	require.Error(t, kafkaops.Serves(t.Context(), inventory.ReadyKafka, zooKeeper(t, "")))
	require.ErrorContains(t, kafkaops.Serves(t.Context(), "soap", c.Addresses()[0]), `"soap"`)
}
