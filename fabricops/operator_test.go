package fabricops_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops"
	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/node"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// rig is an operator on a fake network with logs and ledger folders.
type rig struct {
	*fabricops.Operator
	net *fakenet.Network
	inv *inventory.Network
}

func newRig(t *testing.T, version, stage string) *rig {
	t.Helper()
	net := fakenet.New(t, 3)
	for _, c := range []string{fakenet.SystemChannel, fakenet.Channel} {
		net.Add(t, c, fakenet.Ledger(t, version, stage, c))
	}
	inv := net.Inventory()
	dir := t.TempDir()
	for i := range inv.Orderers {
		o := &inv.Orderers[i]
		o.Log = filepath.Join(dir, o.Name+".log")
		require.NoError(t, os.WriteFile(o.Log, nil, 0o600))
		o.LedgerDir = fakenet.Unpack(t, "ledger-"+version+"-"+stage)
		o.WALDir, o.SnapDir = filepath.Join(o.LedgerDir, "etcdraft/wal"), filepath.Join(o.LedgerDir, "etcdraft/snapshot")
	}
	op, err := fabricops.New(inv, fabricops.Options{RunDir: dir, Run: "test", Controller: net.Controller})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, op.Close()) })
	return &rig{op, net, inv}
}

func (r *rig) perform(t *testing.T, e runbook.Effect) runbook.Evidence {
	t.Helper()
	ev, err := r.Perform(t.Context(), e, nil)
	require.NoError(t, err)
	return ev
}

func (r *rig) log(t *testing.T, i int, line string) {
	t.Helper()
	f, err := os.OpenFile(r.inv.Orderers[i].Log, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(line + "\n")
	require.NoError(t, errors.Join(err, f.Close()))
}

var both = []string{fakenet.SystemChannel, fakenet.Channel}

func (r *rig) update(t *testing.T, change runbook.Change, metadata []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for _, c := range both {
		wg.Go(func() {
			ev, err := r.Perform(t.Context(), runbook.Effect{Kind: runbook.SubmitUpdate, Channel: c, Change: change, Metadata: metadata}, nil)
			if err != nil || ev.AlreadyDone || ev.Update.Channel != c {
				t.Errorf("%s on %s: %v, %+v", change, c, err, ev)
			}
		})
	}
	wg.Wait()
}

func (r *rig) await(t *testing.T, x runbook.Expectation) []runbook.ChannelState {
	t.Helper()
	ev := r.perform(t, runbook.Effect{Kind: runbook.AwaitChannels, Channels: both, Expect: &x, Timeout: 10 * time.Second})
	require.Empty(t, x.Judge(ev.Channels))
	return ev.Channels
}

func TestOperatorMigratesANetwork(t *testing.T) {
	for _, version := range []string{"2.2.15", "2.5.16"} {
		t.Run(version, func(t *testing.T) {
			r := newRig(t, version, fakenet.KafkaNormal)
			md := r.perform(t, runbook.Effect{Kind: runbook.BuildMetadata}).Metadata
			require.Len(t, md.Consenters, 3)

			r.update(t, runbook.ChangeEnterMaintenance, nil)
			r.await(t, runbook.Expectation{Type: "kafka", State: "STATE_MAINTENANCE", Agreement: true, NoMetadata: true})
			r.update(t, runbook.ChangeSwitchType, md.Bytes)
			r.await(t, runbook.Expectation{Type: "etcdraft", State: "STATE_MAINTENANCE", MetadataHash: md.Hash, Agreement: true, TypeChangeLast: true})

			stopped := r.perform(t, runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers})
			require.Len(t, stopped.Processes, 3)
			require.True(t, r.perform(t, runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers}).AlreadyDone)
			down := r.perform(t, runbook.Effect{Kind: runbook.ReadChannels, Channels: both})
			require.NotEmpty(t, down.Channels[0].Nodes[0].Error)
			require.False(t, r.perform(t, runbook.Effect{Kind: runbook.StartNodes, Tier: runbook.TierOrderers}).AlreadyDone)

			for i := range r.inv.Orderers {
				for _, c := range both {
					r.log(t, i, fmt.Sprintf("2026-11-22 01:49:56.001 UTC [orderer.consensus.etcdraft] run -> INFO 03e Raft leader changed: 0 -> 2 channel=%s node=%d", c, i+1))
				}
			}
			states := r.await(t, runbook.Expectation{Type: "etcdraft", Leader: true, Agreement: true})
			require.EqualValues(t, 2, states[1].Nodes[2].Leader)

			r.update(t, runbook.ChangeExitMaintenance, nil)
			r.await(t, runbook.Expectation{Type: "etcdraft", State: "STATE_NORMAL", MetadataHash: md.Hash, Leader: true})
			txs := r.perform(t, runbook.Effect{Kind: runbook.SendTransactions, Channels: both}).Transactions
			require.Len(t, txs, 2)
			require.Equal(t, uint64(len(r.net.Blocks(fakenet.Channel))-1), txs[1].Block)
		})
	}
}

func TestAwaitGivesEvidenceWhenTheTimeIsOver(t *testing.T) {
	r := newRig(t, "2.5.16", fakenet.KafkaNormal)
	r.net.Lag(1, fakenet.Channel, 1)
	var texts []string
	var ev runbook.Evidence
	// A machine that is busy may not read all channels once in a short time.
	for timeout, read := 300*time.Millisecond, false; !read && timeout < time.Minute; timeout *= 2 {
		var err error
		texts = nil
		ev, err = r.Perform(t.Context(), runbook.Effect{
			Kind: runbook.AwaitChannels, Channels: both, Timeout: timeout, Expect: &runbook.Expectation{Agreement: true},
		}, func(p runbook.Progress) { texts = append(texts, p.Text) })
		require.NoError(t, err, "the runbook judges the evidence")
		read = !strings.Contains(ev.Summary, "no answer in time")
	}
	require.Len(t, ev.Channels, 2)
	require.Contains(t, ev.Summary, "nodes do not agree")
	require.Contains(t, texts[0], "ch1:")
}

func TestAwaitSeesALedgerThatWasSetBack(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.TypeSwitched)
	read := func() runbook.NodeState {
		return r.perform(t, runbook.Effect{Kind: runbook.ReadChannels, Channels: both}).Channels[1].Nodes[0]
	}
	require.Equal(t, "etcdraft", read().Type)
	blocks := len(r.net.Blocks(fakenet.Channel))
	r.net.Truncate(t, fakenet.Channel, blocks-1)
	require.Equal(t, "kafka", read().Type)
	r.net.Truncate(t, fakenet.Channel, blocks-2)
	require.Equal(t, "STATE_NORMAL", read().State)
}

func TestOperatorListsChannelsFromAllSources(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	require.NoError(t, os.MkdirAll(filepath.Join(r.inv.Orderers[2].LedgerDir, "chains", "forgotten"), 0o700))
	ev := r.perform(t, runbook.Effect{Kind: runbook.ListChannels})
	require.Equal(t, "syschannel", ev.ChannelList.System)
	require.Equal(t, []string{"syschannel", "ch1", "forgotten"}, ev.ChannelList.Names)
	require.Equal(t, []string{"ch1", "syschannel"}, ev.ChannelList.Sources["system channel"])
	require.Equal(t, []string{"ch1", "forgotten", "syschannel"}, ev.ChannelList.Sources["ledger of orderer2"])
	require.NotContains(t, ev.ChannelList.Sources, "kafka topics")
	require.Len(t, ev.Findings, 1, "the missing source is named")
}

func TestOperatorGathersFacts(t *testing.T) {
	r := newRig(t, "2.5.16", fakenet.KafkaNormal)
	r.log(t, 0, " Version: 2.5.16")
	r.log(t, 0, "2026-11-22 01:49:56.001 UTC 0001 INFO [orderer.common.server] Main -> Beginning to serve requests")
	r.inv.Orderers[1].ServerName = "somewhere.else"
	require.NoError(t, os.MkdirAll(filepath.Join(r.inv.Orderers[2].WALDir, "ch1"), 0o700))
	ev := r.perform(t, runbook.Effect{Kind: runbook.GatherFacts})
	var quiet []string
	for _, finding := range ev.Findings {
		if finding.Check == "log.leaders" {
			require.Equal(t, runbook.SeverityError, finding.Severity)
			quiet = append(quiet, finding.Summary[:len("orderer0")])
		}
	}
	require.Subset(t, quiet, []string{"orderer1", "orderer2"})
	f := ev.Facts
	require.Len(t, f.Orderers, 3)
	require.Empty(t, f.Orderers[0].Error)
	require.Equal(t, f.Orderers[0].ServerCert.Fingerprint, f.Orderers[0].ServedCert.Fingerprint)
	require.Contains(t, f.Orderers[0].ServedCert.SANs, "localhost")
	require.Contains(t, f.Orderers[1].Error, "somewhere.else")
	require.NotNil(t, f.Orderers[1].ServedCert, "what is served is a fact even if it does not pass")
	require.Len(t, f.Orderers[2].RaftState, 1)
	require.Empty(t, f.Orderers[2].RaftDirs)
	require.Len(t, f.Channels, 2)
	for _, c := range f.Channels {
		require.Empty(t, c.AdminPolicy)
		require.Empty(t, c.WritersPolicy)
		require.Empty(t, c.UntrustedConsenters)
		require.Equal(t, []string{"V1_4_2"}, c.OrdererCapabilities)
		require.Equal(t, []string{"V1_4_3"}, c.ChannelCapabilities)
		require.Equal(t, []string{"OrdererMSP"}, c.OrdererMSPs)
		require.Equal(t, 200*time.Millisecond, c.BatchTimeout)
		require.Len(t, c.ExpiringCAs, 4, "CA and TLS CA of two organizations")
		require.Len(t, c.Nodes, 3)
		require.Positive(t, c.Nodes[1].KafkaOffset)
	}
	require.Equal(t, "OrdererMSP", f.Admin.MSPID)
	require.Empty(t, f.Admin.Error)
	require.Positive(t, f.Backup.Needed)
	require.Greater(t, f.Backup.Free, f.Backup.Needed)
	require.Len(t, f.Backup.WayBack, 1, "everything lies on one file system")
	require.Positive(t, f.Backup.WayBack[0].Needed)
}

func TestFactsOfTheWrongAdmin(t *testing.T) {
	net := fakenet.New(t, 1)
	for _, c := range both {
		net.Add(t, c, fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, c))
	}
	inv := net.Inventory()
	inv.Admin = net.Crypto.User()
	op, err := fabricops.New(inv, fabricops.Options{RunDir: t.TempDir(), Controller: net.Controller})
	require.NoError(t, err)
	defer op.Close()
	ev, err := op.Perform(t.Context(), runbook.Effect{Kind: runbook.GatherFacts, Channels: []string{fakenet.Channel}}, nil)
	require.NoError(t, err)
	require.Contains(t, ev.Facts.Channels[0].AdminPolicy, "'Admins' sub-policies")
	require.Equal(t, []string{"OrdererMSP"}, ev.Facts.Channels[0].MissingAdmins)
	require.Contains(t, ev.Findings[len(ev.Findings)-1].Evidence[0], "FORBIDDEN", "the system channel is not for this identity")

	_, err = op.Perform(t.Context(), runbook.Effect{Kind: runbook.SubmitUpdate, Channel: fakenet.Channel, Change: runbook.ChangeEnterMaintenance}, nil)
	var p *runbook.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, fakenet.Channel, p.Where)
	require.Contains(t, p.Why, "'Admins' sub-policies")
	require.Contains(t, p.Hint, "signatures of more administrators")
}

// The first administrator sends, all of them sign: together they satisfy what
// the first alone does not.
func TestFurtherAdministratorsSignToo(t *testing.T) {
	net := fakenet.New(t, 1)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel))
	inv := net.Inventory()
	member := inventory.Identity{MSPID: "OrdererMSP", MSPDir: filepath.Join(net.Crypto.OrdererTLS(0), "../msp")}
	inv.Admin, inv.Admins = member, []inventory.Identity{net.Crypto.Admin(), net.Crypto.User()}
	op, err := fabricops.New(inv, fabricops.Options{RunDir: t.TempDir(), Controller: net.Controller})
	require.NoError(t, err)
	defer op.Close()
	ev, err := op.Perform(t.Context(), runbook.Effect{Kind: runbook.GatherFacts, Channels: []string{fakenet.Channel}}, nil)
	require.NoError(t, err)
	require.Empty(t, ev.Facts.Channels[0].AdminPolicy)
	require.Empty(t, ev.Facts.Channels[0].MissingAdmins)
	require.Empty(t, ev.Facts.Channels[0].WritersPolicy)
	require.Contains(t, ev.Facts.Admin.Subject, "orderer0")
	require.Len(t, ev.Facts.Admins, 2)
	require.Equal(t, "Org1MSP", ev.Facts.Admins[1].MSPID)

	_, err = op.Perform(t.Context(), runbook.Effect{Kind: runbook.SubmitUpdate, Channel: fakenet.Channel, Change: runbook.ChangeEnterMaintenance}, nil)
	require.NoError(t, err)
	blocks := net.Blocks(fakenet.Channel)
	v, err := channelcfg.FromBlock(blocks[len(blocks)-1])
	require.NoError(t, err)
	update, err := protoutil.EnvelopeToConfigUpdate(v.LastUpdate)
	require.NoError(t, err)
	require.Len(t, update.Signatures, 3)
}

func TestBackupIsRefusedWhileNodesRun(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	for _, kind := range []runbook.EffectKind{runbook.TakeBackup, runbook.RestoreBackup, runbook.RemoveRaftState} {
		_, err := r.Perform(t.Context(), runbook.Effect{Kind: kind}, nil)
		var p *runbook.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, "the process runs", p.What)
	}
}

func TestBackupAndRestore(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	r.perform(t, runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers})
	taken := r.perform(t, runbook.Effect{Kind: runbook.TakeBackup})
	require.False(t, taken.AlreadyDone)
	require.Equal(t, map[string]uint64{
		fakenet.SystemChannel: uint64(len(r.net.Blocks(fakenet.SystemChannel))),
		fakenet.Channel:       uint64(len(r.net.Blocks(fakenet.Channel))),
	}, taken.Backup.Heights)
	require.True(t, r.perform(t, runbook.Effect{Kind: runbook.TakeBackup}).AlreadyDone)
	require.Equal(t, taken.Backup.Manifest, r.perform(t, runbook.Effect{Kind: runbook.VerifyBackup}).Backup.Manifest)

	wal := filepath.Join(r.inv.Orderers[1].WALDir, "ch1")
	require.NoError(t, os.MkdirAll(wal, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(wal, "0000000000000000-0000000000000000.wal"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(r.inv.Orderers[0].LedgerDir, "chains/ch1/blockfile_000000"), []byte("x"), 0o600))
	require.False(t, r.perform(t, runbook.Effect{Kind: runbook.RestoreBackup}).AlreadyDone)
	require.NoDirExists(t, wal)
	require.True(t, r.perform(t, runbook.Effect{Kind: runbook.RestoreBackup}).AlreadyDone)
	require.True(t, r.perform(t, runbook.Effect{Kind: runbook.RemoveRaftState}).AlreadyDone)
}

func TestRaftStateIsRemovedAndNothingElse(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	r.perform(t, runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers})
	o := r.inv.Orderers[1]
	require.NoError(t, os.MkdirAll(filepath.Join(o.WALDir, "ch1"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(o.WALDir, "ch1", "0000000000000000-0000000000000000.wal"), nil, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(o.SnapDir, "ch1"), 0o700))
	ev := r.perform(t, runbook.Effect{Kind: runbook.RemoveRaftState})
	require.False(t, ev.AlreadyDone)
	require.NoDirExists(t, filepath.Join(o.WALDir, "ch1"))
	require.FileExists(t, filepath.Join(o.LedgerDir, "chains/ch1/blockfile_000000"))

	require.NoError(t, os.MkdirAll(filepath.Join(o.WALDir, "ch1", "blocks"), 0o700))
	_, err := r.Perform(t.Context(), runbook.Effect{Kind: runbook.RemoveRaftState}, nil)
	require.ErrorContains(t, err, "is no Raft file")
}

func TestPerformEndsWithItsCaller(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, e := range []runbook.Effect{
		{Kind: runbook.GatherFacts}, {Kind: runbook.ListChannels}, {Kind: runbook.SendTransactions, Channels: both},
		{Kind: runbook.SubmitUpdate, Channel: fakenet.Channel, Change: runbook.ChangeEnterMaintenance},
	} {
		_, err := r.Perform(ctx, e, nil)
		require.ErrorIs(t, err, context.Canceled, e.Kind)
	}
	_, err := r.Perform(t.Context(), runbook.Effect{Kind: "dance"}, nil)
	require.ErrorContains(t, err, "unknown effect")
}

// The switch of perform knows every kind of effect that the contract declares.
func TestEveryKindOfEffectIsKnown(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../runbook/effect.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var kinds []runbook.EffectKind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "EffectKind" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			kinds = append(kinds, runbook.EffectKind(value))
		}
		return true
	})
	require.Greater(t, len(kinds), 10)
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, kind := range kinds {
		if _, err := r.Perform(ctx, runbook.Effect{Kind: kind, Tier: runbook.TierBrokers, Channels: both, Channel: fakenet.Channel}, nil); err != nil {
			require.NotContains(t, err.Error(), "unknown effect", kind)
		}
	}
}

func TestVersionAndClockComeFromTheOperationsEndpoint(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		fmt.Fprint(w, `{"CommitSHA":"abc","Version":"2.2.15"}`)
	}))
	defer s.Close()
	r.inv.Orderers[1].Operations = strings.TrimPrefix(s.URL, "http://")
	f := r.perform(t, runbook.Effect{Kind: runbook.GatherFacts}).Facts
	require.Equal(t, "2.2.15", f.Orderers[1].Version)
	require.True(t, f.Orderers[1].ClockKnown)
	require.InDelta(t, -time.Hour.Seconds(), f.Orderers[1].ClockOffset.Seconds(), 2)
	require.False(t, f.Orderers[0].ClockKnown, "unknown is said")
}

// stuck is a process that cannot be stopped.
type stuck struct{ node.Controller }

func (stuck) Stop(context.Context) error { return errors.New("it does not end") }

func TestAProcessThatDoesNotStopIsNamed(t *testing.T) {
	net := fakenet.New(t, 3)
	op, err := fabricops.New(net.Inventory(), fabricops.Options{
		RunDir: t.TempDir(),
		Controller: func(tier runbook.Tier, p inventory.Process) (node.Controller, error) {
			c, err := net.Controller(tier, p)
			if p.Name == "orderer1" {
				c = stuck{c}
			}
			return c, err
		},
	})
	require.NoError(t, err)
	defer op.Close()
	ev, err := op.Perform(t.Context(), runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers}, nil)
	var p *runbook.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, "not all orderers could be stopped", p.What)
	require.Equal(t, "orderer1: it does not end", p.Why)
	require.NotEmpty(t, p.Hint)
	require.Len(t, ev.Processes, 3, "what was found is evidence all the same")
	require.True(t, ev.Processes[1].Running)
	require.False(t, ev.Processes[2].Running)
}

func TestPlanNamesTheNodes(t *testing.T) {
	r := newRig(t, "2.2.15", fakenet.KafkaNormal)
	admin := r.inv.Admin
	require.Equal(t, runbook.Plan{
		Run: "r1", Network: "fixture", Orderers: []string{"orderer0", "orderer1", "orderer2"},
		Admins: []runbook.Admin{{MSPID: admin.MSPID, MSPDir: admin.MSPDir}},
	}, r.Plan("r1"))
}
