package fabricops_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops"
	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/channels"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
	"raftmig/runbook"
	"raftmig/runbook/preflight"
)

// raftRig is a rig on Raft whose inventory names the consenters of the fixture.
func raftRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, "2.5.16", fakenet.RaftNormal)
	ev := r.perform(t, runbook.Effect{Kind: runbook.ReadChannels, Channels: both})
	require.NotEmpty(t, ev.Channels[0].Nodes[0].Endpoints)
	blocks := r.net.Blocks(fakenet.Channel)
	index, err := protoutil.LastConfigIndex(blocks[len(blocks)-1])
	require.NoError(t, err)
	md, err := raftmetadata.OfConfigBlock(blocks[index])
	require.NoError(t, err)
	for i, c := range md.Consenters {
		r.inv.Orderers[i].ClusterHost, r.inv.Orderers[i].ClusterPort = c.Host, c.Port
	}
	return r
}

func (r *rig) operation(t *testing.T, kind runbook.OperationKind, node string) *runbook.Operation {
	t.Helper()
	o, err := consenters.Operation(r.inv, kind, node, "")
	require.NoError(t, err)
	return o
}

func TestOperatorComputesMetadataAndGathersFactsForAnOperation(t *testing.T) {
	r := raftRig(t)
	o := r.operation(t, runbook.RemoveConsenter, "orderer2")
	list := r.perform(t, runbook.Effect{Kind: runbook.ListChannels, Operation: o}).ChannelList
	require.Equal(t, both, list.Names)
	require.NotContains(t, list.Sources, "kafka topics")
	require.NotContains(t, list.Sources, "ledger of orderer2")

	md := r.perform(t, runbook.Effect{Kind: runbook.BuildMetadata, Channels: both, Operation: o}).Metadata
	require.Len(t, md.Consenters, 2)
	require.Contains(t, md.Changes[0], "consenter orderer2")

	require.NoError(t, r.net.Nodes[2].Stop(t.Context()), "it may be down for good")
	ev := r.perform(t, runbook.Effect{Kind: runbook.GatherFacts, Channels: both, Operation: o, Metadata: md.Bytes})
	f := ev.Facts
	require.Equal(t, []string{"orderer0", "orderer1"}, f.Raft.Witnesses)
	require.Empty(t, f.Raft.Reached)
	require.Len(t, f.Orderers, 3)
	require.NotEmpty(t, f.Orderers[2].Error)
	for _, c := range f.Channels {
		require.Len(t, c.Nodes, 2, "only witnesses are read")
		require.Empty(t, c.UntrustedConsenters)
		require.Empty(t, c.AdminPolicy)
	}
	for _, finding := range preflight.Check(*f) { // the fake nodes log no leaders, and serve no Raft certificates
		if finding.Check != "raft.leader" && finding.Check != "clock.offset" && finding.Check != "tls.served-certificate" {
			require.NotEqual(t, runbook.SeverityError, finding.Severity, "%+v", finding)
		}
	}
}

func TestChannelsWithDifferentMetadataAreNoGroundForAnOperation(t *testing.T) {
	r := raftRig(t)
	o := r.operation(t, runbook.RemoveConsenter, "orderer2")
	o.Endpoint = ""
	md := r.perform(t, runbook.Effect{Kind: runbook.BuildMetadata, Channels: both, Operation: o}).Metadata
	ev := r.perform(t, runbook.Effect{
		Kind: runbook.SubmitUpdate, Channel: fakenet.Channel, Change: runbook.ChangeRemoveConsenter, Metadata: md.Bytes, Nodes: []string{"orderer0", "orderer1"},
	})
	require.Equal(t, "SUCCESS", ev.Update.Status)

	// One channel has it already: that is no obstacle.
	again := r.perform(t, runbook.Effect{Kind: runbook.BuildMetadata, Channels: both, Operation: o}).Metadata
	require.Equal(t, md.Hash, again.Hash)
	require.Equal(t, md.Changes, again.Changes, "as the other channel sees it")
	// For another operation the channels differ.
	_, err := r.Perform(t.Context(), runbook.Effect{
		Kind: runbook.BuildMetadata, Channels: both, Operation: &runbook.Operation{Kind: runbook.SetOptions, Options: &runbook.RaftOptions{ElectionTick: 20}},
	}, nil)
	require.ErrorContains(t, err, "the channels have different Raft metadata")
}

func TestOperatorHandsTheNewestBlockOver(t *testing.T) {
	r := raftRig(t)
	o := r.operation(t, runbook.AddConsenter, "orderer1")
	file := filepath.Join(t.TempDir(), "genesis.block")
	require.NoError(t, os.WriteFile(file, []byte("an older one"), 0o600))
	r.inv.Orderers[1].BootstrapFile = file
	e := runbook.Effect{Kind: runbook.HandOverBlock, Channel: fakenet.SystemChannel, Nodes: []string{"orderer1"}, Operation: o}
	require.False(t, r.perform(t, e).AlreadyDone)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	block, err := protoutil.UnmarshalBlock(b)
	require.NoError(t, err)
	blocks := r.net.Blocks(fakenet.SystemChannel)
	index, err := protoutil.LastConfigIndex(blocks[len(blocks)-1])
	require.NoError(t, err)
	require.Equal(t, index, block.Header.Number)
	require.True(t, r.perform(t, e).AlreadyDone)

	o.Consenter = "x:1"
	_, err = r.Perform(t.Context(), e, nil)
	require.ErrorContains(t, err, "does not name the node")
	e.Nodes = []string{"orderer9"}
	_, err = r.Perform(t.Context(), e, nil)
	require.ErrorContains(t, err, "does not have the orderer")
}

func TestOperatorInstallsCertificatesOfANodeThatIsDown(t *testing.T) {
	r := raftRig(t)
	o := r.operation(t, runbook.RotateCertificates, "orderer1")
	tls := func(i int, name string) string { return filepath.Join(r.net.Crypto.OrdererTLS(i), name) }
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for from, to := range map[string]string{"server.crt": "mine.crt", "server.key": "mine.key"} {
		b, err := os.ReadFile(tls(1, from))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(at(to), b, 0o600))
	}
	node := &r.inv.Orderers[1]
	node.ServerCert, node.ServerKey, node.ClientCert, node.ClientKey = at("mine.crt"), at("mine.key"), at("mine.crt"), at("mine.key")
	// As new ones serve those of the third node, so that they are certificates of the same CA.
	o.Files = &runbook.CertificateFiles{ServerCert: tls(2, "server.crt"), ServerKey: tls(2, "server.key"), ClientCert: tls(2, "server.crt"), ClientKey: tls(2, "server.key")}
	md := r.perform(t, runbook.Effect{Kind: runbook.BuildMetadata, Channels: both, Operation: o}).Metadata
	facts := r.perform(t, runbook.Effect{Kind: runbook.GatherFacts, Channels: both, Operation: o, Metadata: md.Bytes}).Facts
	require.Contains(t, facts.Channels[0].UntrustedConsenters[0], "duplicate consenter", "the engine's rules see that they are another's")
	require.Empty(t, facts.Raft.Faults)

	e := runbook.Effect{Kind: runbook.InstallCertificates, Nodes: []string{"orderer1"}, Operation: o, Metadata: md.Bytes}

	_, err := r.Perform(t.Context(), e, nil)
	require.ErrorContains(t, err, "the process runs")
	require.NoError(t, r.net.Nodes[1].Stop(t.Context()))
	old, err := os.ReadFile(at("mine.key"))
	require.NoError(t, err)
	ev := r.perform(t, e)
	require.False(t, ev.AlreadyDone)
	require.Contains(t, ev.Summary, "2 files of orderer1 replaced")
	same(t, tls(2, "server.key"), at("mine.key"))
	same(t, tls(2, "server.crt"), at("mine.crt"))
	kept, err := os.ReadFile(at("mine.key.old"))
	require.NoError(t, err)
	require.Equal(t, old, kept)
	info, err := os.Stat(at("mine.key"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	require.True(t, r.perform(t, e).AlreadyDone)
	kept, err = os.ReadFile(at("mine.key.old"))
	require.NoError(t, err)
	require.Equal(t, old, kept, "what is kept is what was there before the run")

	o.Files.ServerCert = tls(0, "server.crt")
	_, err = r.Perform(t.Context(), e, nil)
	require.ErrorContains(t, err, "is not the certificate that the channels have")
}

func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	require.NoError(t, err)
	y, err := os.ReadFile(b)
	require.NoError(t, err)
	require.Equal(t, x, y)
}

// The update of an operation waits for signatures from elsewhere as every other.
func TestTheUpdateOfAnOperationWaitsForSignatures(t *testing.T) {
	net := fakenet.New(t, 1)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel))
	inv := awaiting(net)
	dir := t.TempDir()
	op, err := fabricops.New(inv, fabricops.Options{RunDir: dir, Controller: net.Controller})
	require.NoError(t, err)
	defer op.Close()
	blocks := net.Blocks(fakenet.Channel)
	index, err := protoutil.LastConfigIndex(blocks[len(blocks)-1])
	require.NoError(t, err)
	v, err := channelcfg.FromBlock(blocks[index])
	require.NoError(t, err)
	gone := v.Endpoints()[2]
	o := &runbook.Operation{Kind: runbook.RemoveConsenter, Node: gone, Consenter: gone, Endpoint: gone}
	metadata, err := consenters.Next(v.Consensus.Metadata, *o, inv)
	require.NoError(t, err)
	e := runbook.Effect{
		Kind: runbook.SubmitUpdate, Channel: fakenet.Channel, Change: runbook.ChangeRemoveConsenter, Metadata: metadata,
		Endpoint: gone, Operation: o, Nodes: []string{"orderer0"},
	}
	_, err = op.Perform(t.Context(), e, nil)
	require.ErrorContains(t, err, "waits for signatures")
	file := filepath.Join(dir, "signatures", "ch1.remove-consenter.tx")
	u, err := channels.ReadUpdates(file)
	require.NoError(t, err)
	_, err = channels.Sign(u, []inventory.Identity{net.Crypto.Admin()})
	require.NoError(t, err)
	require.NoError(t, channels.WriteUpdate(file, u))
	ev, err := op.Perform(t.Context(), e, nil)
	require.NoError(t, err)
	require.Equal(t, "SUCCESS", ev.Update.Status)
	states, err := op.Perform(t.Context(), runbook.Effect{Kind: runbook.ReadChannels, Channels: []string{fakenet.Channel}}, nil)
	require.NoError(t, err)
	require.NotContains(t, states.Channels[0].Nodes[0].Endpoints, gone)
}
