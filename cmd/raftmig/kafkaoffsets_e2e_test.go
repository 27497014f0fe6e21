package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/testnet"
)

// eatRetention deletes all records of a channel's topic, as retention does, and
// returns the first offset that is left.
func eatRetention(t *testing.T, brokers []string, topic string) int64 {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V1_0_0_0
	client, err := sarama.NewClient(brokers, cfg)
	require.NoError(t, err)
	end, err := client.GetOffset(topic, 0, sarama.OffsetNewest)
	require.NoError(t, err)
	admin, err := sarama.NewClusterAdminFromClient(client)
	require.NoError(t, err)
	defer admin.Close() //nolint:errcheck // closes the client too
	require.NoError(t, admin.DeleteRecords(topic, map[int32]int64{0: end}))
	require.Eventually(t, func() bool {
		first, err := client.GetOffset(topic, 0, sarama.OffsetOldest)
		return err == nil && first == end
	}, waitForBlock, tick)
	return end
}

// requireRetentionIsFoundBefore lets retention eat what the orderers need next:
// the preflight says so while all of them run, and an orderer that is restarted
// says so and does not serve the channel.
func requireRetentionIsFoundBefore(t *testing.T, ctx context.Context, n *testnet.Network) {
	t.Helper()
	check := func() (runbook.Finding, int) {
		r := run(t, nil, "check", "--network", n.InventoryFile(), "--json")
		var findings []runbook.Finding
		require.NoError(t, json.Unmarshal(r.stdout, &findings), r.stderr)
		i := slices.IndexFunc(findings, func(f runbook.Finding) bool { return f.Check == "kafka.offsets" })
		require.GreaterOrEqual(t, i, 0, string(r.stdout))
		return findings[i], r.code
	}
	found, code := check()
	require.Equal(t, runbook.SeverityOK, found.Severity, "%+v", found)
	require.Zero(t, code)
	// Each start leaves a CONNECT record behind the last block.
	require.NoError(t, n.Inject(ctx, testnet.FaultRestart, "orderer2"))
	require.NoError(t, n.Inject(ctx, testnet.FaultRestart, "orderer2"))
	eatRetention(t, n.Inventory.KafkaAddresses(), "ch1")
	found, code = check()
	require.Equal(t, runbook.SeverityError, found.Severity)
	require.Contains(t, found.Evidence[0], "the first that Kafka still has is")
	require.NotZero(t, code)

	log := n.Inventory.Orderers[1].Log
	before, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NoError(t, n.Inject(ctx, testnet.FaultRestart, "orderer1"))
	require.Eventually(t, func() bool {
		now, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(now[len(before):]), "[channel: ch1] The topic has no offset")
	}, waitForBlock, tick, "the orderer does not say that it cannot go on")
}

func TestRetentionThatAteTheOffsetIsFoundBeforeTheRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	f := newFaultNet(t, ctx, testnet.Spec{Orderers: 3, Channels: []string{"ch1"}})
	requireRetentionIsFoundBefore(t, ctx, f.Network)
}
