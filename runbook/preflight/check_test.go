package preflight

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

const (
	ok    = runbook.SeverityOK
	warn  = runbook.SeverityWarn
	fatal = runbook.SeverityError
)

func TestAGoodNetworkPassesEveryCheck(t *testing.T) {
	for _, f := range Check(good()) {
		require.Equal(t, ok, f.Severity, f.Summary)
		require.NotEmpty(t, f.Summary)
		require.Empty(t, f.Evidence)
		require.Empty(t, f.Hint)
	}
}

func TestIDsAreUniqueAndEveryCheckHelps(t *testing.T) {
	ids := IDs()
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(ids))), len(ids))
	for _, c := range checks() {
		require.NotEmpty(t, c.title, c.id)
		require.NotEmpty(t, c.hint, c.id)
		require.Regexp(t, `^[a-z]+\.[a-z-]+$`, c.id)
	}
}

func TestChecks(t *testing.T) {
	first := func(f *runbook.Facts) *runbook.OrdererFacts { return &f.Orderers[0] }
	for _, test := range []struct {
		check, name string
		change      func(f *runbook.Facts)
		want        runbook.Severity
		evidence    string
	}{
		{"nodes.reachable", "an orderer does not answer", func(f *runbook.Facts) { first(f).Error = "connection refused" }, fatal, "orderer0 at o:7050: connection refused"},
		{"nodes.reachable", "a ZooKeeper node does not answer", func(f *runbook.Facts) { f.Brokers[4].Error = "timeout" }, fatal, "zookeeper0 at z0:2181: timeout"},
		{"nodes.reachable", "there is no orderer", func(f *runbook.Facts) { f.Orderers = nil }, fatal, "no orderer"},

		{"admin.identity", "the key does not fit", func(f *runbook.Facts) { f.Admin.Error = "key does not match" }, fatal, "key does not match"},
		{"admin.identity", "it expires within the window", func(f *runbook.Facts) { f.Admin.NotAfter = now.Add(3 * time.Hour) }, fatal, "expires in 3h0m0s, within the window"},
		{"admin.identity", "it expired", func(f *runbook.Facts) { f.Admin.NotAfter = now.Add(-3 * day) }, fatal, "expired 3 days ago"},
		{"admin.identity", "it expires this month", func(f *runbook.Facts) { f.Admin.NotAfter = now.Add(10 * day) }, warn, "10 days"},
		{"admin.identity", "another administrator's expires within the window", func(f *runbook.Facts) {
			f.Admins = []runbook.IdentityFacts{{MSPID: "Orderer2MSP", Subject: "CN=two", NotAfter: now.Add(3 * time.Hour)}}
		}, fatal, "CN=two of Orderer2MSP expires in 3h0m0s"},
		{"admin.identity", "another administrator cannot sign", func(f *runbook.Facts) {
			f.Admins = []runbook.IdentityFacts{{MSPID: "Orderer2MSP", Error: "its certificate expired"}}
		}, fatal, "Orderer2MSP cannot sign"},
		{"admin.identity", "several can", func(f *runbook.Facts) { f.Admins = []runbook.IdentityFacts{f.Admin} }, ok, ""},
		{"admin.identity", "its expiry is unknown", func(f *runbook.Facts) { f.Admin.NotAfter = time.Time{} }, warn, "not known"},

		{"versions.minimum", "an orderer is too old", func(f *runbook.Facts) { first(f).Version = "1.4.1" }, fatal, "older than 1.4.2"},
		{"versions.minimum", "an orderer is too new", func(f *runbook.Facts) { first(f).Version = "v3.0.0" }, fatal, "neither Kafka"},
		{"versions.minimum", "the version is unknown", func(f *runbook.Facts) { first(f).Version = "" }, warn, "unknown"},
		{"versions.minimum", "the version is no number", func(f *runbook.Facts) { first(f).Version = "latest" }, warn, "unknown"},
		{"versions.minimum", "a version with a known defect", func(f *runbook.Facts) { first(f).Version = "1.4.4" }, warn, "FAB-17479"},
		{"versions.minimum", "a snapshot build", func(f *runbook.Facts) { first(f).Version = "2.5.16-snapshot-12ab" }, ok, ""},

		{"versions.equal", "two versions", func(f *runbook.Facts) { first(f).Version = "2.2.14" }, fatal, "orderer0 runs 2.2.14, orderer1 runs 2.2.15"},
		{"versions.equal", "one version is unknown", func(f *runbook.Facts) { first(f).Version = "" }, ok, ""},

		{"clock.offset", "a clock is far off", func(f *runbook.Facts) { first(f).ClockOffset = -16 * time.Minute }, fatal, "16m0s off"},
		{"clock.offset", "a clock is somewhat off", func(f *runbook.Facts) { first(f).ClockOffset = 2 * time.Minute }, warn, "2m0s off"},
		{"clock.offset", "a clock cannot be read", func(f *runbook.Facts) { first(f).ClockKnown = false }, warn, "could not be read"},
		{"clock.offset", "a clock is a little off", func(f *runbook.Facts) { first(f).ClockOffset = 30 * time.Second }, ok, ""},

		{"channels.sources", "an orderer lacks a channel", func(f *runbook.Facts) { f.ChannelList.Sources["ledger of orderer0"] = []string{"sys"} }, fatal, "ledger of orderer0: no sign of ch1"},
		{"channels.sources", "a channel without topic", func(f *runbook.Facts) { f.ChannelList.Sources["kafka topics"] = []string{"sys"} }, fatal, "kafka topics: no sign of ch1"},
		{"channels.sources", "a ledger that nobody else knows", func(f *runbook.Facts) {
			f.ChannelList.Sources["ledger of orderer0"] = []string{"sys", "ch1", "old"}
		}, fatal, "ledger of orderer0: old, known nowhere else"},
		{"channels.sources", "Kafka has topics of others", func(f *runbook.Facts) {
			f.ChannelList.Sources["kafka topics"] = []string{"sys", "ch1", "billing"}
		}, warn, "billing"},
		{"channels.sources", "the inventory names some", func(f *runbook.Facts) { f.ChannelList.Sources["inventory"] = []string{"ch1"} }, ok, ""},
		{"channels.sources", "only one source", func(f *runbook.Facts) {
			f.ChannelList.Sources = map[string][]string{"system channel": {"sys", "ch1"}}
		}, warn, "only 1 source"},
		{"channels.sources", "no system channel", func(f *runbook.Facts) { f.ChannelList.System = "" }, fatal, "no system channel"},

		{"channels.type", "a channel is on Raft already", func(f *runbook.Facts) { f.Channels[1].Type = "etcdraft" }, fatal, `ch1 is on "etcdraft"`},
		{"channels.state", "a channel is in maintenance already", func(f *runbook.Facts) { f.Channels[1].State = "STATE_MAINTENANCE" }, warn, "ch1"},
		{"channels.state", "a state that nobody knows", func(f *runbook.Facts) { f.Channels[1].State = "" }, fatal, "ch1"},

		{"channels.metadata", "on kafka", func(f *runbook.Facts) { f.Channels[1].Nodes[2].MetadataHash = "aa" }, fatal, "ch1 on orderer2"},
		{"nodes.agreement", "a channel cannot be read on an orderer", func(f *runbook.Facts) { f.Channels[1].Nodes[2].Error = "forbidden" }, fatal, "ch1 on orderer2"},
		{"nodes.agreement", "a fork", func(f *runbook.Facts) { f.Channels[1].Nodes[2].LastBlockHash = "bb" }, fatal, "different blocks at height 10"},
		{"nodes.agreement", "an orderer is far behind", func(f *runbook.Facts) {
			n := &f.Channels[1].Nodes[2]
			n.Height, n.LastBlockHash = 1000, "bb"
		}, warn, "orderer0 is at height 10, orderer2 at 1000"},
		{"nodes.agreement", "an orderer is a block behind", func(f *runbook.Facts) {
			n := &f.Channels[1].Nodes[2]
			n.Height, n.LastBlockHash = 11, "bb"
		}, ok, ""},

		{"capabilities.orderer", "too low", func(f *runbook.Facts) { f.Channels[1].OrdererCapabilities = []string{"V1_1"} }, fatal, "ch1 has V1_1"},
		{"capabilities.orderer", "none", func(f *runbook.Facts) { f.Channels[0].OrdererCapabilities = nil }, fatal, "sys has none"},
		{"capabilities.orderer", "later", func(f *runbook.Facts) { f.Channels[1].OrdererCapabilities = []string{"V2_0"} }, ok, ""},
		{"capabilities.channel", "too low", func(f *runbook.Facts) { f.Channels[1].ChannelCapabilities = []string{"V1_3"} }, fatal, "ch1 has V1_3"},
		{"capabilities.channel", "a name that nobody knows", func(f *runbook.Facts) { f.Channels[1].ChannelCapabilities = []string{"Vanity"} }, fatal, "ch1 has Vanity"},
		{"capabilities.channel", "several", func(f *runbook.Facts) { f.Channels[1].ChannelCapabilities = []string{"V1_1", "V1_4_2"} }, ok, ""},

		{"policies.admins", "not satisfied", func(f *runbook.Facts) { f.Channels[1].AdminPolicy = "needs 2 signatures" }, fatal, "ch1: needs 2 signatures"},
		{"policies.writers", "not satisfied", func(f *runbook.Facts) { f.Channels[1].WritersPolicy = "not a member" }, fatal, "ch1: not a member"},

		{"consenters.count", "one orderer", func(f *runbook.Facts) { f.Orderers = f.Orderers[:1] }, warn, "1 orderers survive no failure"},
		{"consenters.count", "two orderers", func(f *runbook.Facts) { f.Orderers = f.Orderers[:2] }, warn, "2 orderers"},
		{"consenters.count", "an even number", func(f *runbook.Facts) { f.Orderers = append(f.Orderers, f.Orderers[0]) }, warn, "no more failures than 3"},

		{"consenters.unique", "a shared certificate", func(f *runbook.Facts) { first(f).ClientCert = f.Orderers[1].ClientCert }, fatal, "orderer0 and orderer1 have the same TLS certificate"},
		{"consenters.unique", "a shared address", func(f *runbook.Facts) { first(f).ClusterHost = f.Orderers[1].ClusterHost }, fatal, "same cluster address"},
		{"consenters.unique", "one certificate for both roles", func(f *runbook.Facts) { first(f).ClientCert = first(f).ServerCert }, ok, ""},
		{"consenters.trusted", "a CA is missing", func(f *runbook.Facts) {
			f.Channels[1].UntrustedConsenters = []string{"orderer2: unknown authority"}
		}, fatal, "ch1: orderer2: unknown authority"},

		{"tls.enabled", "off", func(f *runbook.Facts) { first(f).TLS = false }, fatal, "orderer0 serves without TLS"},
		{"tls.served-certificate", "another one is served", func(f *runbook.Facts) { first(f).ServedCert = cert("old", 0) }, fatal, "orderer0 serves CN=old"},
		{"tls.served-certificate", "renewed with the same key", func(f *runbook.Facts) {
			served := *first(f).ServedCert
			served.Fingerprint = "renewed"
			first(f).ServedCert = &served
		}, ok, ""},
		{"tls.served-certificate", "it was not seen", func(f *runbook.Facts) { first(f).ServedCert = nil }, warn, "was not seen"},
		{"tls.served-certificate", "the file is missing", func(f *runbook.Facts) { first(f).ClientCert = nil }, fatal, "could not be read"},

		{"tls.host-names", "another host", func(f *runbook.Facts) { first(f).ClusterHost = "10.0.0.7" }, fatal, "not for 10.0.0.7"},
		{"tls.host-names", "no names at all", func(f *runbook.Facts) { first(f).ServedCert = &runbook.CertFacts{} }, fatal, "no subject alternative name"},
		{"tls.host-names", "by address", func(f *runbook.Facts) { first(f).ClusterHost = "127.0.0.1" }, ok, ""},

		{"tls.expiry", "expired", func(f *runbook.Facts) { first(f).ClientCert.NotAfter = now.Add(-day) }, fatal, "orderer0: the client certificate expired"},
		{"tls.expiry", "soon", func(f *runbook.Facts) { first(f).ServerCert.NotAfter = now.Add(5 * day) }, warn, "5 days"},
		{"tls.expiry", "not yet valid", func(f *runbook.Facts) { first(f).ServerCert.NotBefore = now.Add(time.Hour) }, fatal, "valid only in 1h0m0s"},
		{"ca.expiry", "expired", func(f *runbook.Facts) {
			f.Channels[1].ExpiringCAs = []runbook.CertFacts{{Subject: "CN=ca", NotAfter: now.Add(-day)}}
		}, fatal, "ch1: CA certificate CN=ca expired"},
		{"ca.expiry", "soon", func(f *runbook.Facts) {
			f.Channels[1].ExpiringCAs = []runbook.CertFacts{{Subject: "CN=ca", NotAfter: now.Add(20 * day)}}
		}, warn, "20 days"},
		{"ca.expiry", "in years", func(f *runbook.Facts) {
			f.Channels[1].ExpiringCAs = []runbook.CertFacts{{Subject: "CN=ca", NotAfter: now.Add(900 * day)}}
		}, ok, ""},

		{"raft.folders", "not writable", func(f *runbook.Facts) { first(f).RaftDirs = "/wal: permission denied" }, fatal, "permission denied"},
		{"raft.leftovers", "of an earlier try", func(f *runbook.Facts) { first(f).RaftState = []string{"wal/ch1"} }, fatal, "orderer0: wal/ch1"},

		{"backup.brokers", "none", func(f *runbook.Facts) { f.Brokers = f.Brokers[4:] }, fatal, "no broker is named"},
		{"backup.space", "too little", func(f *runbook.Facts) { f.Backup.Free = 1 << 19 }, fatal, "1.0 MiB needed, only 512.0 KiB free"},
		{"backup.space", "just enough", func(f *runbook.Facts) { f.Backup.Free = f.Backup.Needed + 1 }, warn, "less than a fifth"},
		{"backup.space", "unknown", func(f *runbook.Facts) { f.Backup.Error = "no such folder" }, fatal, "no such folder"},
	} {
		t.Run(test.check+" "+test.name, func(t *testing.T) {
			f := good()
			test.change(&f)
			i := slices.Index(IDs(), test.check)
			require.GreaterOrEqual(t, i, 0)
			got := Check(f)[i]
			require.Equal(t, test.want, got.Severity, "%+v", got)
			require.Contains(t, strings.Join(got.Evidence, "\n"), test.evidence)
			require.Equal(t, test.want == ok, got.Hint == "")
		})
	}
}

// What a configuration says is not known while no orderer shows it: neither that
// it is as it must be, nor that it is not.
func TestAChannelThatCannotBeReadPassesNoCheckOfItsConfiguration(t *testing.T) {
	f := good()
	unread := runbook.ChannelFacts{Name: "ch1", AdminPolicy: "unknown: no answer", WritersPolicy: "unknown: no answer"}
	for _, n := range f.Channels[1].Nodes {
		unread.Nodes = append(unread.Nodes, runbook.NodeState{Node: n.Node, Error: "no answer"})
	}
	f.Channels[1] = unread
	said := map[string]bool{}
	for _, got := range Check(f) {
		if got.Severity != ok && got.Check != "nodes.agreement" {
			said[got.Check] = true
			require.Equal(t, fatal, got.Severity, got.Check)
			require.Equal(t, []string{"ch1 cannot be read"}, got.Evidence, got.Check)
			require.Contains(t, got.Hint, "nodes.agreement", got.Check)
		}
	}
	for _, id := range []string{
		"channels.type", "channels.state", "channels.metadata", "capabilities.orderer", "capabilities.channel",
		"policies.admins", "policies.writers", "consenters.trusted", "ca.expiry", "kafka.partitions", "kafka.sizes", "kafka.offsets",
	} {
		require.True(t, said[id], id)
	}
	f.Channels[0].State = "STATE_BROKEN"
	got := channelState.run(f)
	require.Equal(t, []string{`sys is in state "STATE_BROKEN"`, "ch1 cannot be read"}, got.Evidence)
	require.Equal(t, channelState.hint, got.Hint)
}

func TestEveryCheckHasACaseThatFails(t *testing.T) {
	// Facts that are wrong in every way must not please any check.
	f := runbook.Facts{
		Now:      now,
		Orderers: []runbook.OrdererFacts{{Node: "a", Version: "1.0", RaftState: []string{"x"}, RaftDirs: "x", ServerCert: cert("x", 9), ClientCert: cert("x", 9), ClusterHost: "h"}, {Node: "b", Version: "1.1", TLS: true, ServerCert: cert("x", 9), ClusterHost: "h"}},
		Brokers:  []runbook.BrokerFacts{{Error: "x"}},
		Channels: []runbook.ChannelFacts{{Name: "k", Type: "kafka", Nodes: []runbook.NodeState{{MetadataHash: "x"}}}, {Name: "c", AdminPolicy: "x", WritersPolicy: "x", UntrustedConsenters: []string{"x"}, ExpiringCAs: []runbook.CertFacts{{}}, Nodes: []runbook.NodeState{{Error: "x"}}}},
		Backup:   runbook.SpaceFacts{Error: "x", WayBack: []runbook.VolumeFacts{{Needed: 1}}},
		Kafka: &runbook.KafkaFacts{
			Error: "x", Listeners: []runbook.KafkaListener{{Cert: &runbook.CertFacts{}}},
			Brokers: []runbook.KafkaBroker{{Settings: map[string]string{
				"unclean.leader.election.enable": "true", "min.insync.replicas": "1", "log.retention.ms": "1",
				"message.max.bytes": "2", "replica.fetch.max.bytes": "3", "socket.request.max.bytes": "1",
			}}},
			Topics: []runbook.KafkaTopic{{Name: "k"}, {Name: "c", Partitions: []runbook.KafkaPartition{{Leader: -1, Earliest: 1}}}},
		},
	}
	f.Orderers[0].ServerCert.NotAfter = now
	for _, finding := range Check(f) {
		require.NotEqual(t, ok, finding.Severity, finding.Check)
		require.NotEmpty(t, finding.Hint, finding.Check)
	}
}

func TestIgnoredErrorsAreWarningsAndSaySo(t *testing.T) {
	f := good()
	f.Orderers[0].Version = "2.2.14"
	f.Channels[0].Type = "etcdraft"
	found := Check(f)
	require.Equal(t, fatal, runbook.Worst(found))
	found = runbook.Downgrade(found, []string{"versions.equal"})
	require.Equal(t, fatal, runbook.Worst(found))
	found = runbook.Downgrade(found, []string{"versions.equal", "channels.type"})
	require.Equal(t, warn, runbook.Worst(found))
	i := slices.Index(IDs(), "versions.equal")
	require.Contains(t, found[i].Summary, "ignored")
}

func TestNamesCoverHostsAsTLSClientsMatch(t *testing.T) {
	for _, test := range []struct {
		name, host string
		want       bool
	}{
		{"orderer.example.com", "orderer.example.com", true},
		{"Orderer.Example.com", "orderer.example.COM", true},
		{"orderer.example.com", "orderer.example.com.", true},
		{"*.example.com", "orderer.example.com", true},
		{"*.example.com", "a.b.example.com", false},
		{"*.example.com", "example.com", false},
		{"10.0.0.1", "10.0.0.1", true},
		{"::1", "0:0:0:0:0:0:0:1", true},
		{"*.0.0.1", "10.0.0.1", false},
		{"10.0.0.1", "orderer", false},
	} {
		require.Equal(t, test.want, covers([]string{test.name}, test.host), "%s %s", test.name, test.host)
	}
}
