package server

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/fabrictest"
)

// tableOfMetrics is spec 4.10: name, type and labels of what an orderer
// exports. What Kafka's client measures, which is polled, is tabled below.
const tableOfMetrics = `
consensus_etcdraft_cluster_size gauge channel
consensus_etcdraft_is_leader gauge channel
consensus_etcdraft_active_nodes gauge channel
consensus_etcdraft_committed_block_number gauge channel
consensus_etcdraft_snapshot_block_number gauge channel
consensus_etcdraft_leader_changes counter channel
consensus_etcdraft_proposal_failures counter channel
consensus_etcdraft_normal_proposals_received counter channel
consensus_etcdraft_config_proposals_received counter channel
consensus_etcdraft_data_persist_duration histogram channel
consensus_kafka_last_offset_persisted gauge channel
blockcutter_block_fill_duration histogram channel
broadcast_validate_duration histogram channel,status,type
broadcast_enqueue_duration histogram channel,status,type
broadcast_processed_count counter channel,status,type
deliver_streams_opened counter
deliver_streams_closed counter
deliver_requests_received counter channel,data_type,filtered
deliver_blocks_sent counter channel,data_type,filtered
deliver_requests_completed counter channel,data_type,filtered,success
cluster_comm_egress_queue_length gauge channel,host,msg_type
cluster_comm_egress_queue_capacity gauge channel,host,msg_type
cluster_comm_egress_queue_workers gauge channel
cluster_comm_egress_stream_count gauge channel
cluster_comm_egress_tls_connection_count gauge
cluster_comm_ingress_stream_count gauge
cluster_comm_msg_send_time histogram channel,host
cluster_comm_msg_dropped_count counter channel,host
participation_status gauge channel
participation_consensus_relation gauge channel
ledger_blockchain_height gauge channel
ledger_blockstorage_commit_time histogram channel
logging_entries_checked counter level
logging_entries_written counter level
grpc_server_stream_requests_received counter method,service
grpc_server_stream_messages_received counter method,service
grpc_server_stream_messages_sent counter method,service
grpc_server_stream_requests_completed counter code,method,service
grpc_server_stream_request_duration histogram code,method,service
grpc_comm_conn_opened counter
grpc_comm_conn_closed counter
fabric_version gauge version
`

// tableOfKafkaClient goes on with the figures of Kafka's client (spec 4.10).
const tableOfKafkaClient = `
consensus_kafka_incoming_byte_rate gauge broker_id
consensus_kafka_outgoing_byte_rate gauge broker_id
consensus_kafka_request_rate gauge broker_id
consensus_kafka_request_size gauge broker_id
consensus_kafka_request_latency gauge broker_id
consensus_kafka_response_rate gauge broker_id
consensus_kafka_response_size gauge broker_id
consensus_kafka_batch_size gauge topic
consensus_kafka_record_send_rate gauge topic
consensus_kafka_records_per_request gauge topic
consensus_kafka_compression_ratio gauge topic
`

var (
	typeLine  = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	labelName = regexp.MustCompile(`([a-z_]+)="`)
)

// scrape returns "name type label,label" of every metric that an orderer
// exports, but for what the Prometheus client adds.
func scrape(t *testing.T, address string) map[string]string {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	found := map[string]string{}
	for _, m := range typeLine.FindAllStringSubmatch(string(b), -1) {
		name, kind := m[1], m[2]
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_") {
			continue
		}
		line := regexp.MustCompile(`(?m)^` + name + `(_count|)(\{.*\}|) `).FindString(string(b))
		require.NotEmpty(t, line, name)
		var labels []string
		for _, l := range labelName.FindAllStringSubmatch(line, -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		found[name] = strings.TrimSpace(fmt.Sprintf("%s %s %s", name, kind, strings.Join(labels, ",")))
	}
	return found
}

// use makes an orderer do what every metric counts.
func (r *running) use() {
	user := r.OrgUser("User1")
	r.accepted(r.Creation())
	r.blocks("ch1", user, 0)
	r.accepted(r.Message("ch1", user, "one"))
	r.blocks("ch1", user, 1)
	r.broadcast(r.Message("ch1", r.Orderer(0), "forbidden"))
	r.deliver("ch1", user, &ab.SeekInfo{Start: specified(7), Stop: specified(9)})
	r.changeConsensus("ch1", func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_MAINTENANCE })
}

func TestEveryMetricIsExported(t *testing.T) {
	exported := map[string]string{}
	onKafka := newNetwork(t)
	onKafka.kafkaPollInterval = 10 * time.Millisecond
	kafka := onKafka.start(0, "")
	kafka.awaitLog("Start phase completed successfully")
	kafka.use()
	require.Eventually(t, func() bool {
		maps.Copy(exported, scrape(t, kafka.addresses.Operations))
		return exported["consensus_kafka_compression_ratio"] != ""
	}, patience, 10*time.Millisecond)
	n := newNetwork(t)
	n.raftGenesis(n.RaftMetadata(n.ports[:2]...))
	nodes := n.startAll(2, "")
	nodes[0].awaitLog("Raft leader changed: 0 -> ")
	nodes[0].use()
	for _, r := range nodes {
		maps.Copy(exported, scrape(t, r.addresses.Operations))
	}
	for line := range strings.Lines(strings.TrimSpace(tableOfMetrics + strings.TrimSpace(tableOfKafkaClient))) {
		name, _, _ := strings.Cut(line, " ")
		require.Equal(t, strings.TrimSpace(line), exported[name])
		delete(exported, name)
	}
	for name := range exported {
		require.Regexp(t, "^etcd_", name, "a metric that is not Fabric's")
	}
}

// Two-node Raft networks of real orderers and of ours, used alike, export the
// same metrics.
func TestInteropMetricsAreThoseOfARealOrderer(t *testing.T) {
	fabrictest.Since(t, 2, 5, "the metrics are those of 2.5")
	exported := func(start func(n *network, i int) *running, operations func(*running) string) map[string]string {
		n := newNetwork(t)
		n.raftGenesis(n.RaftMetadata(n.ports[:2]...))
		nodes := []*running{start(n, 0), start(n, 1)}
		nodes[0].awaitLog("Raft leader changed: 0 -> ")
		nodes[0].use()
		found := map[string]string{}
		for _, r := range nodes {
			maps.Copy(found, scrape(t, operations(r)))
		}
		return found
	}
	addresses := []string{fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	theirs := exported(func(n *network, i int) *running {
		require.NoError(t, os.Setenv("ORDERER_OPERATIONS_LISTENADDRESS", addresses[i]))
		defer os.Unsetenv("ORDERER_OPERATIONS_LISTENADDRESS")
		return n.startFabric(i)
	}, func(r *running) string { return addresses[r.i] })
	ours := exported(func(n *network, i int) *running { return n.start(i, "") }, func(r *running) string { return r.addresses.Operations })
	for _, found := range []map[string]string{theirs, ours} {
		// what is counted is there in Fabric once it happened, with us at once
		delete(found, "cluster_comm_msg_dropped_count")
		delete(found, "grpc_comm_conn_closed")
	}
	require.Equal(t, theirs, ours)
}
