package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/testnet"
)

// faultSteps are where Kafka dies: at least one step of every phase that needs
// it. After the restart nothing does.
var faultSteps = []runbook.StepID{
	runbook.StepPreflight, runbook.StepEnterMaintenance, runbook.StepBackupStopOrderers, runbook.StepBackupProveFlush,
	runbook.StepBackupStartOrderers, runbook.StepSwitchType, runbook.StepRestartStopOrderers, runbook.StepRollbackNormal,
}

// faultNet is a network with acknowledged transactions that runs are made on,
// one after another, each of which ends on Kafka.
type faultNet struct {
	*testnet.Network
	dir  string
	sent int
}

func newFaultNet(t *testing.T, ctx context.Context, s testnet.Spec) *faultNet {
	t.Helper()
	s.Program = binary(t)
	f := &faultNet{dir: netDir(t)}
	var err error
	f.Network, err = testnet.Init(f.dir, s)
	require.NoError(t, err)
	require.NoError(t, f.Up(ctx, nil))
	require.NoError(t, f.CreateChannels(ctx, nil))
	f.load(t, ctx, 20)
	return f
}

func (f *faultNet) load(t *testing.T, ctx context.Context, count int) {
	t.Helper()
	r, err := f.Load(ctx, testnet.Traffic{Transactions: count, Streams: 2, Resend: "unknown"})
	require.NoError(t, err)
	require.Equal(t, count, r.Acknowledged)
	f.sent += count
}

// run drives an unattended run and kills nodes once a step is under way.
func (f *faultNet) run(t *testing.T, ctx context.Context, after runbook.Phase, at runbook.StepID, nodes []string) runbook.Snapshot {
	t.Helper()
	require.NoError(t, f.Up(ctx, nil), "what died behind the last step that needed it, in the run before")
	r, err := runner.Open(runner.Options{
		Network: f.Inventory, Folder: runner.DefaultFolder(f.InventoryFile()), AbortAfter: after, Unattended: true,
	})
	require.NoError(t, err)
	client := r.Client()
	killed, hit := make(chan error, len(nodes)+1), false
	go func() {
		defer close(killed)
		for u := range client.Updates() {
			if s := u.Snapshot; s == nil || !reached(s, at) {
				continue
			}
			hit = true
			for _, name := range nodes {
				if err := f.Inject(ctx, testnet.FaultKill, name); err != nil {
					killed <- fmt.Errorf("killing %s: %w", name, err)
				}
			}
			return
		}
	}()
	s, err := r.Run(ctx)
	require.NoError(t, err)
	require.NoError(t, client.Close())
	for err := range killed {
		require.NoError(t, err)
	}
	require.Equal(t, at != "", hit, "step %s was never reached", at)
	require.NoError(t, r.Close())
	return s
}

// reached tells whether a run has come to a step. Snapshots of quick steps may
// be passed over.
func reached(s *runbook.Snapshot, at runbook.StepID) bool {
	i := slices.IndexFunc(s.Steps, func(v runbook.StepView) bool { return v.ID == at })
	return i >= 0 && s.Current >= i
}

// requireWhole demands that the network is all on Kafka or all on Raft, that it
// orders, and that nothing acknowledged is lost or doubled.
func (f *faultNet) requireWhole(t *testing.T, ctx context.Context, s runbook.Snapshot) {
	t.Helper()
	want := map[runbook.Outcome]string{runbook.OutcomeMigrated: "etcdraft", runbook.OutcomeRolledBack: "kafka"}[s.Outcome]
	if s.Outcome == runbook.OutcomeFailed { // before anything was changed
		require.False(t, s.Resumable, "%+v", s.Problem)
		want = "kafka"
		require.NoError(t, f.Up(ctx, nil), "what died is for the operator to start")
	}
	require.NotEmpty(t, want, "it ended in between: %s, %+v", s.Phase, s.Problem)
	f.load(t, ctx, 4)
	ev, err := perform(ctx, f.Inventory, runbook.ReadChannels)
	require.NoError(t, err)
	for _, c := range ev.Channels {
		for _, n := range c.Nodes {
			require.Empty(t, n.Error, "%s on %s", c.Name, n.Node)
			require.Equal(t, want, n.Type, "%s on %s", c.Name, n.Node)
			require.Equal(t, runbook.StateNormal, n.State, "%s on %s", c.Name, n.Node)
		}
	}
	rep, err := f.AwaitAgreement(ctx)
	require.NoError(t, err)
	require.True(t, rep.OK(), "%+v", rep)
	require.Equal(t, f.sent, rep.Acknowledged)
}

// matrix makes a run for every step and fault on one network, and migrates it
// at the end.
func (f *faultNet) matrix(t *testing.T, ctx context.Context, faults map[string][]string, steps []runbook.StepID) {
	for _, at := range steps {
		for name, nodes := range faults {
			ok := t.Run(fmt.Sprintf("%s dies at %s", name, at), func(t *testing.T) {
				begun := time.Now()
				s := f.run(t, ctx, runbook.PhaseRestart, at, nodes)
				f.requireWhole(t, ctx, s)
				require.NotEqual(t, runbook.OutcomeMigrated, s.Outcome, "it was to go back")
				saw := "nothing that kept it"
				if s.Problem != nil {
					saw = s.Problem.Error()
				}
				t.Logf("%s in %.0fs; it saw %s; slow: %s", s.Outcome, time.Since(begun).Seconds(), saw, slow(s))
			})
			require.True(t, ok, "the network is not what the next run needs")
		}
	}
	s := f.run(t, ctx, "", "", nil)
	require.Equal(t, runbook.OutcomeMigrated, s.Outcome, "%+v", s.Problem)
	f.requireWhole(t, ctx, s)
}

// slow names the steps of a run that took more than two seconds.
func slow(s runbook.Snapshot) string {
	var out []string
	for _, v := range s.Steps {
		if d := v.EndedAt.Sub(v.StartedAt); !v.EndedAt.IsZero() && d > 2*time.Second {
			out = append(out, fmt.Sprintf("%s %.0fs", v.ID, d.Seconds()))
		} else if v.Status == runbook.StatusFailed {
			out = append(out, string(v.ID)+" failed")
		}
	}
	return strings.Join(out, ", ")
}

// wantedSteps are those that RAFTMIG_KAFKA_FAULTS asks for: all with "1", or a
// list with commas; otherwise without it.
func wantedSteps(otherwise ...runbook.StepID) []runbook.StepID {
	wanted := os.Getenv("RAFTMIG_KAFKA_FAULTS")
	switch {
	case wanted == "":
		return otherwise
	case !strings.Contains(wanted, "."):
		return faultSteps
	}
	var steps []runbook.StepID
	for id := range strings.SplitSeq(wanted, ",") {
		steps = append(steps, runbook.StepID(id))
	}
	return steps
}

// The embedded brokers die all at once. In `make test` where raftmig gives Kafka
// up, which takes 15 s, and where it needs it no more; the runbook's own tests let
// it die before every effect of a run on the simulated network.
func TestTheBrokersDieAndTheRunEndsOnKafka(t *testing.T) {
	binary(t)
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	f := newFaultNet(t, ctx, testnet.Spec{Orderers: 3, Channels: []string{"ch1"}})
	f.matrix(t, ctx, map[string][]string{"the broker": {"broker"}}, wantedSteps(runbook.StepBackupProveFlush, runbook.StepRestartStopOrderers))
}

// The whole matrix on real Kafka takes half an hour: make kafka-faults.
func TestRealKafkaDiesInEveryPhaseAndTheRunEndsOnKafka(t *testing.T) {
	steps := wantedSteps()
	if steps == nil {
		t.Skip("takes half an hour: set RAFTMIG_KAFKA_FAULTS=1 (make kafka-faults)")
	}
	home := kafkaHome(t)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
	defer cancel()
	f := newFaultNet(t, ctx, testnet.Spec{Kafka: testnet.KafkaApache, KafkaHome: home, Orderers: 3, Channels: []string{"ch1"}})
	f.matrix(t, ctx, map[string][]string{
		"a broker": {"kafka0"}, "every broker": {"kafka0", "kafka1", "kafka2", "kafka3"}, "a ZooKeeper node": {"zookeeper1"},
	}, steps)
}

// killed kills every process of the network with kill -9, takes it down, which
// finds nothing to stop and cleans up, and starts it again: nothing
// acknowledged is lost.
func (f *faultNet) killed(t *testing.T, ctx context.Context) {
	t.Helper()
	s, err := f.Status(ctx)
	require.NoError(t, err)
	for _, p := range s.Nodes {
		require.True(t, p.Running, p.Name)
		require.NoError(t, f.Inject(ctx, testnet.FaultKill, p.Name))
	}
	r := run(t, nil, "testnet", "down", "--dir", f.dir)
	require.Zero(t, r.code, r.stderr)
	s, err = f.Status(ctx)
	require.NoError(t, err)
	for _, p := range s.Nodes {
		require.False(t, p.Running, p.Name)
	}
	r = run(t, nil, "testnet", "up", "--dir", f.dir)
	require.Zero(t, r.code, r.stderr)
	f.load(t, ctx, 4)
	rep, err := f.AwaitAgreement(ctx)
	require.NoError(t, err)
	require.True(t, rep.OK(), "%+v", rep)
	require.Equal(t, f.sent, rep.Acknowledged)
}

func TestEverythingIsKilledAndTheNetworkComesBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	newFaultNet(t, ctx, testnet.Spec{Orderers: 3, Channels: []string{"ch1"}}).killed(t, ctx)
}

func TestRealKafkaIsKilledAndTheNetworkComesBack(t *testing.T) {
	home := kafkaHome(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	newFaultNet(t, ctx, testnet.Spec{Kafka: testnet.KafkaApache, KafkaHome: home, Orderers: 3, Channels: []string{"ch1"}}).killed(t, ctx)
}
