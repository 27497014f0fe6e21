package preflight

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// goodFor returns the facts for an operation on a network of three consenters on
// Raft that may go on: add is about a fourth orderer3, the others about orderer2.
func goodFor(kind runbook.OperationKind) runbook.Facts {
	f := good()
	f.Brokers, f.Kafka = nil, nil
	members := []string{"orderer0", "orderer1", "orderer2"}
	o := runbook.Operation{Kind: kind, Node: "orderer2"}
	switch kind {
	case runbook.AddConsenter:
		o.Node, members = "orderer3", append(members, "orderer3")
		next := f.Orderers[0]
		next.Node, next.Error, next.ServedCert, next.ClusterHost = "orderer3", "connection refused", nil, "orderer3.example.com"
		next.ServerCert, next.ClientCert = cert("server3", 3), cert("client3", 3)
		f.Orderers = append(f.Orderers, next)
	case runbook.RemoveConsenter:
		members = members[:2]
	case runbook.SetOptions:
		o.Node = ""
	}
	f.Raft = &runbook.RaftFacts{Operation: o, Members: members, Witnesses: runbook.Witnesses(o, members)}
	for i := range f.Channels {
		c := &f.Channels[i]
		c.Type = runbook.TypeRaft
		var nodes []runbook.NodeState
		for _, w := range f.Raft.Witnesses {
			nodes = append(nodes, runbook.NodeState{Node: w, Type: runbook.TypeRaft, State: runbook.StateNormal, Height: 10, LastBlockHash: "aa", Leader: 1})
		}
		c.Nodes = nodes
	}
	return f
}

var kinds = []runbook.OperationKind{runbook.AddConsenter, runbook.RemoveConsenter, runbook.RotateCertificates, runbook.SetOptions}

func TestAGoodNetworkPassesEveryCheckOfAnOperation(t *testing.T) {
	for _, kind := range kinds {
		for _, f := range Check(goodFor(kind)) {
			if f.Check == "raft.quorum" && (kind == runbook.AddConsenter || kind == runbook.RemoveConsenter) {
				require.Equal(t, warn, f.Severity, "even or small sets are worth a word: %s", f.Summary)
				continue
			}
			require.Equal(t, ok, f.Severity, "%s: %s", kind, f.Summary)
		}
	}
	ids := map[string]bool{}
	for _, c := range operationChecks() {
		require.False(t, ids[c.id], c.id)
		ids[c.id] = true
		require.NotEmpty(t, c.title, c.id)
		require.NotEmpty(t, c.hint, c.id)
		require.Regexp(t, `^[a-z]+\.[a-z-]+$`, c.id)
	}
}

func TestChecksOfOperations(t *testing.T) {
	down := func(nodes ...string) func(*runbook.Facts) {
		return func(f *runbook.Facts) {
			for i := range f.Orderers {
				if slices.Contains(nodes, f.Orderers[i].Node) {
					f.Orderers[i].Error = "connection refused"
				}
			}
		}
	}
	for _, test := range []struct {
		check, name string
		kind        runbook.OperationKind
		change      func(f *runbook.Facts)
		want        runbook.Severity
		evidence    string
	}{
		{"raft.reachable", "a consenter is down", runbook.AddConsenter, down("orderer1"), fatal, "orderer1 at o:7050: connection refused"},
		{"raft.reachable", "the node to be removed is down", runbook.RemoveConsenter, down("orderer2"), ok, ""},
		{"raft.reachable", "a consenter is not in the file", runbook.SetOptions, func(f *runbook.Facts) { f.Raft.Witnesses[0] = "x:1" }, fatal, "x:1 is not in raftmig.yaml"},

		{"raft.state", "a channel is on Kafka", runbook.SetOptions, func(f *runbook.Facts) { f.Channels[1].Type = "kafka" }, fatal, `ch1 is on "kafka"`},
		{"raft.state", "a channel is in maintenance", runbook.SetOptions, func(f *runbook.Facts) { f.Channels[1].State = runbook.StateMaintenance }, fatal, "STATE_MAINTENANCE"},

		{"raft.leader", "no leader", runbook.SetOptions, func(f *runbook.Facts) { f.Channels[1].Nodes[2].Leader = 0 }, fatal, "ch1: orderer2 knows no leader"},
		{"raft.leader", "no leader of one, to be two", runbook.AddConsenter, func(f *runbook.Facts) {
			f.Raft.Members, f.Raft.Witnesses = []string{"orderer0", "orderer3"}, []string{"orderer0"}
			f.Channels[1].Nodes[0].Leader = 0
		}, warn, "ch1: orderer0 knows no leader"},
		{"raft.leader", "two leaders", runbook.SetOptions, func(f *runbook.Facts) { f.Channels[1].Nodes[2].Leader = 2 }, fatal, "names leader 2"},
		{"raft.leader", "what cannot be read is for another check", runbook.SetOptions, func(f *runbook.Facts) { f.Channels[1].Nodes[2] = runbook.NodeState{Node: "orderer2", Error: "down"} }, ok, ""},

		{"raft.quorum", "two of three to be are enough", runbook.SetOptions, down("orderer1"), ok, ""},
		{"raft.quorum", "one of three is not", runbook.SetOptions, down("orderer1", "orderer2"), fatal, "1 of 3 consenters run: that is no quorum"},
		{"raft.quorum", "a fourth joins three, of which one is down", runbook.AddConsenter, down("orderer1"), fatal, "2 of 4 consenters would run"},
		{"raft.quorum", "one that is gone is removed", runbook.RemoveConsenter, down("orderer2"), warn, "2 consenters survive no failure"},
		{"raft.quorum", "one is removed while another is down", runbook.RemoveConsenter, down("orderer1"), fatal, "1 of 2 consenters would run"},
		{"raft.quorum", "certificates while another is down", runbook.RotateCertificates, down("orderer1"), fatal, "1 of 3 consenters would run"},
		{"raft.quorum", "nobody is left", runbook.RemoveConsenter, func(f *runbook.Facts) { f.Raft.Members, f.Raft.Witnesses = nil, nil }, fatal, "no consenter would be left"},
		{"raft.quorum", "a second one joins the only one", runbook.AddConsenter, func(f *runbook.Facts) {
			f.Raft.Members, f.Raft.Witnesses = []string{"orderer0", "orderer3"}, []string{"orderer0"}
		}, warn, "until orderer3 runs, the single other consenter has no quorum"},
		{"raft.quorum", "certificates of one of two", runbook.RotateCertificates, func(f *runbook.Facts) {
			f.Raft.Members, f.Raft.Witnesses = []string{"orderer0", "orderer2"}, []string{"orderer0"}
		}, warn, "there is no quorum of 2"},
		{"raft.quorum", "a third one joins two", runbook.AddConsenter, func(f *runbook.Facts) {
			f.Raft.Members, f.Raft.Witnesses = []string{"orderer0", "orderer1", "orderer3"}, []string{"orderer0", "orderer1"}
		}, ok, ""},

		{"raft.change", "some channels have it", runbook.AddConsenter, func(f *runbook.Facts) { f.Raft.Reached = []string{"sys"} }, warn, "1 of 2 channels have it already"},
		{"raft.change", "it is a consenter", runbook.AddConsenter, func(f *runbook.Facts) { f.Raft.Reached = []string{"sys", "ch1"} }, fatal, "orderer3 is a consenter of every channel already"},
		{"raft.change", "it is none", runbook.RemoveConsenter, func(f *runbook.Facts) { f.Raft.Reached = []string{"sys", "ch1"} }, fatal, "orderer2 is a consenter of no channel"},
		{"raft.change", "it has them", runbook.RotateCertificates, func(f *runbook.Facts) { f.Raft.Reached = []string{"sys", "ch1"} }, fatal, "has these certificates of orderer2 already"},
		{"raft.change", "they are set", runbook.SetOptions, func(f *runbook.Facts) { f.Raft.Reached = []string{"sys", "ch1"} }, warn, "every channel has these options already"},

		{"raft.certificate-files", "a fault", runbook.RotateCertificates, func(f *runbook.Facts) { f.Raft.Faults = []string{"the key is another's"} }, fatal, "orderer2: the key is another's"},
		{"consenters.trusted", "an unknown CA", runbook.AddConsenter, func(f *runbook.Facts) { f.Channels[0].UntrustedConsenters = []string{"orderer3: unknown authority"} }, fatal, "sys: orderer3: unknown authority"},
		{"tls.expiry", "another's expired: no ground to refuse", runbook.RotateCertificates, func(f *runbook.Facts) { f.Orderers[0].ServerCert.NotAfter = now.Add(-day) }, warn, "orderer0: the server certificate expired"},
		{"tls.expiry", "the one that is replaced", runbook.RotateCertificates, func(f *runbook.Facts) { f.Orderers[2].ServerCert.NotAfter = now.Add(-day) }, ok, ""},
		{"nodes.agreement", "a fork", runbook.SetOptions, func(f *runbook.Facts) { f.Channels[0].Nodes[1].LastBlockHash = "bb" }, fatal, "different blocks"},
		{"policies.admins", "a signature is missing", runbook.SetOptions, func(f *runbook.Facts) { f.Channels[0].AdminPolicy = "not enough" }, fatal, "sys: not enough"},
	} {
		t.Run(test.check+", "+test.name, func(t *testing.T) {
			f := goodFor(test.kind)
			test.change(&f)
			findings := Check(f)
			i := slices.IndexFunc(findings, func(f runbook.Finding) bool { return f.Check == test.check })
			require.GreaterOrEqual(t, i, 0)
			require.Equal(t, test.want, findings[i].Severity, findings[i].Summary)
			require.Contains(t, strings.Join(findings[i].Evidence, "\n"), test.evidence)
		})
	}
}
