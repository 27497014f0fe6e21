package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/kafkaops"
	"raftmig/runbook"
	"raftmig/testnet"
	"raftmig/testnet/apache"
)

// kafkaHome returns the folder that `make kafka` fills. Without Java or jars
// the test is skipped, unless RAFTMIG_KAFKA_REQUIRED is set.
func kafkaHome(t *testing.T) string {
	t.Helper()
	binary(t)
	home, err := filepath.Abs(filepath.Join("..", "..", apache.DefaultHome))
	require.NoError(t, err)
	if _, err := apache.Find(home); err != nil {
		if os.Getenv("RAFTMIG_KAFKA_REQUIRED") != "" {
			t.Fatalf("real Kafka must not be skipped here: %v", err)
		}
		t.Skipf("needs Apache Kafka: run 'make kafka' (%v)", err)
	}
	return home
}

func TestRealKafkaRehearsalMigrates(t *testing.T) {
	home := kafkaHome(t)
	dir := netDir(t)
	r := run(t, nil, "rehearse", "--headless", "--json", "--kafka", "apache", "--kafka-home", home, "--dir", dir, "--channels", "3", "--transactions", "300")
	require.Zero(t, r.code, r.stderr)
	doc := r.document(t)
	require.Equal(t, "migrated", doc.Result)
	requireUniform(t, doc, 4, 3, "etcdraft")
	requireNothingLost(t, doc, 300)

	n, err := testnet.Open(dir)
	require.NoError(t, err)
	require.Len(t, n.Inventory.Brokers, 4)
	require.Len(t, n.Inventory.ZooKeeper, 3)
	for _, p := range append(n.Inventory.Brokers, n.Inventory.ZooKeeper...) {
		copies, err := filepath.Glob(filepath.Join(dir, "backups", "*", p.Name, "*"))
		require.NoError(t, err)
		require.NotEmpty(t, copies, "the data of %s is not in the backup", p.Name)
	}
	s, err := n.Status(t.Context())
	require.NoError(t, err)
	for _, p := range s.Nodes {
		require.False(t, p.Running, p.Name)
	}
}

func TestRealKafkaWithTLSAndSASLMigrates(t *testing.T) {
	home := kafkaHome(t)
	dir := netDir(t)
	r := run(t, nil, "testnet", "init", "--kafka", "apache", "--kafka-home", home, "--kafka-tls", "--kafka-sasl", "--dir", dir, "--channels", "1",
		"--brokers", "5", "--replication-factor", "4", "--min-isr", "3")
	require.Zero(t, r.code, r.stderr)
	r = run(t, nil, "testnet", "up", "--dir", dir)
	require.Zero(t, r.code, r.stderr)
	n, err := testnet.Open(dir)
	require.NoError(t, err)
	require.Len(t, n.Inventory.Brokers, 5)
	for _, b := range n.Inventory.Brokers {
		known, err := kafkaops.Brokers(t.Context(), b.Address)
		require.NoError(t, err)
		require.Len(t, known, 5)
		_, err = kafkaops.Brokers(t.Context(), b.Addresses[0])
		require.Error(t, err, "the orderers' listener answers without TLS and SASL")
	}
	var f *runbook.KafkaFacts
	require.Eventually(t, func() bool { // orderers make the topic after the channel's first block
		f = (&kafkaops.Cluster{Brokers: []string{n.Inventory.Brokers[0].Address}}).Describe(t.Context(), []string{"syschannel", "ch1"})
		return len(f.Topics) == 2 && len(f.Topics[1].Partitions) == 1 && len(f.Topics[1].Partitions[0].InSync) == 4
	}, waitForBlock, tick)
	require.Empty(t, f.Error)
	require.Len(t, f.Brokers, 5)
	for name, value := range map[string]string{
		"unclean.leader.election.enable": "false", "min.insync.replicas": "3", "default.replication.factor": "4",
		"message.max.bytes": "11534336", "replica.fetch.max.bytes": "11534336", "log.retention.ms": "-1",
	} {
		require.Equal(t, value, f.Brokers[4].Settings[name], name)
	}
	require.Len(t, f.Topics[1].Partitions[0].Replicas, 4)
	r = run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--transactions", "50", "--resume")
	require.Zero(t, r.code, r.stderr)
	doc := r.document(t)
	require.Equal(t, "migrated", doc.Result)
	requireUniform(t, doc, 2, 3, "etcdraft")
	requireNothingLost(t, doc, 50)
	// Checks and the proof of the flush went through TLS and SASL, as the orderers do.
	for _, f := range doc.Findings {
		require.Equal(t, runbook.SeverityOK, f.Severity, "%s: %v", f.Summary, f.Evidence)
		if f.Check == "kafka.security" {
			require.Contains(t, f.Summary, "5 listeners let raftmig in")
		}
	}
}

// The way back from the last phase that has one, and then the whole way
// forward: brokers and ZooKeeper go down, are restored and serve again. With
// RAFTMIG_EVERY_PHASE=1 the same from every phase, a minute each.
func TestRealKafkaRehearsalGoesBackAndThenMigrates(t *testing.T) {
	home := kafkaHome(t)
	phases := []runbook.Phase{runbook.PhaseRestart}
	if os.Getenv("RAFTMIG_EVERY_PHASE") != "" {
		phases = abortPhases
	}
	for _, phase := range phases {
		t.Run(string(phase), func(t *testing.T) {
			dir := netDir(t)
			r := run(t, nil, "rehearse", "--headless", "--json", "--kafka", "apache", "--kafka-home", home, "--dir", dir,
				"--transactions", "50", "--abort-at", string(phase))
			require.Zero(t, r.code, r.stderr)
			doc := r.document(t)
			require.Equal(t, "rolled-back", doc.Result)
			requireUniform(t, doc, 3, 3, "kafka")
			requireNothingLost(t, doc, 50)

			r = run(t, nil, "rehearse", "--headless", "--json", "--dir", dir, "--transactions", "60", "--resume")
			require.Zero(t, r.code, r.stderr)
			doc = r.document(t)
			require.Equal(t, "migrated", doc.Result)
			requireUniform(t, doc, 3, 3, "etcdraft")
			requireNothingLost(t, doc, 60)
		})
	}
}

func TestRealKafkaThatIsNotThereIsExplained(t *testing.T) {
	binary(t)
	empty := shortTemp(t)
	dir := filepath.Join(shortTemp(t), "net")
	r := run(t, []string{"PATH=" + empty, "JAVA_HOME="}, "testnet", "init", "--dir", dir, "--kafka", "apache")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "install Java 17")
	require.NoDirExists(t, dir)

	java := fakeJava(t)
	r = run(t, []string{"JAVA_HOME=" + java}, "testnet", "init", "--dir", dir, "--kafka", "apache", "--kafka-home", empty)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "there is no Kafka in "+empty)
	require.Contains(t, r.stderr, "--kafka-home must be a folder with libs/kafka_2.13-3.9.x.jar")

	r = run(t, []string{"JAVA_HOME=" + java}, "testnet", "init", "--dir", dir, "--kafka", "apache", "--zookeeper", "4", "--brokers", "3")
	require.Equal(t, exitUsage, r.code)
	for _, part := range []string{"4 ZooKeeper nodes: 3, 5 or 7", "3 brokers: at least 4", "1 < M < N < K"} {
		require.Contains(t, r.stderr, part)
	}
	require.NoDirExists(t, dir)
}

// fakeJava returns a JAVA_HOME whose java only tells its version.
func fakeJava(t *testing.T) string {
	t.Helper()
	home := shortTemp(t)
	require.NoError(t, os.MkdirAll(filepath.Join(home, "bin"), 0o755))
	script := "#!/bin/sh\necho 'openjdk version \"17.0.1\" 2021-10-19' >&2\n"
	require.NoError(t, os.WriteFile(filepath.Join(home, "bin", "java"), []byte(script), 0o755))
	return home
}
