package runbook_test

// One test per statement of Fabric's guide "Migrating from Kafka to Raft" that
// a tool can keep. Each comment gives the section and what it says.

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// guideRun is a migration without incidents, and what its effects were.
type guideRun struct {
	t       *testing.T
	net     *runbooktest.Network
	journal []runbook.Event
	effects []runbook.Effect
}

func migrate(t *testing.T, change func(*runbook.Plan)) guideRun {
	t.Helper()
	r := start(t, func(p *runbook.Plan) {
		p.Unattended = true
		if change != nil {
			change(p)
		}
	})
	require.NoError(t, r.Continue())
	g := guideRun{t: t, net: r.Net, journal: r.Journal}
	for _, ev := range r.Journal {
		if ev.Kind == runbook.EventIntended {
			g.effects = append(g.effects, *ev.Effect)
		}
	}
	return g
}

// at returns the position of the first effect that satisfies a condition.
func (g guideRun) at(holds func(runbook.Effect) bool) int {
	g.t.Helper()
	i := slices.IndexFunc(g.effects, holds)
	require.GreaterOrEqual(g.t, i, 0)
	return i
}

func (g guideRun) updates(c runbook.Change) []runbook.Effect {
	var out []runbook.Effect
	for _, e := range g.effects {
		if e.Kind == runbook.SubmitUpdate && e.Change == c {
			out = append(out, e)
		}
	}
	return out
}

func tier(kind runbook.EffectKind, step runbook.StepID, t runbook.Tier) func(runbook.Effect) bool {
	return func(e runbook.Effect) bool { return e.Kind == kind && e.Step == step && e.Tier == t }
}

// Assumptions and considerations, 1: the procedure is for Kafka to Raft only.
// (What a channel that is on something else does: package preflight,
// channels.type.) The updates therefore know no other types.
func TestGuideAssumptions1OnlyKafkaToRaft(t *testing.T) {
	for _, e := range migrate(t, nil).effects {
		if e.Expect != nil && e.Expect.Type != "" {
			require.Contains(t, []string{runbook.TypeKafka, runbook.TypeRaft}, e.Expect.Type)
		}
	}
}

// Assumptions and considerations, 2: the migration is one way. Once the
// ordering service is on Raft and commits transactions, Kafka is out of reach.
func TestGuideAssumptions2OneWay(t *testing.T) {
	r := start(t, nil)
	require.NoError(t, r.Finish())
	require.False(t, r.Book.Snapshot().AbortOffered)
	require.ErrorIs(t, r.Step(runbook.Event{Kind: runbook.EventAbort}), runbook.ErrRefused)
}

// Assumptions and considerations, 3: downtime must be allowed. The operator is
// told so before anything is changed.
func TestGuideAssumptions3Downtime(t *testing.T) {
	r := start(t, nil)
	require.NoError(t, r.Continue())
	g := r.Book.Snapshot().Gate
	require.Equal(t, runbook.StepConfirmPlan, g.Step)
	require.Contains(t, g.Text, "clients are refused")
	require.Zero(t, r.Net.Submitted(runbooktest.SystemChannel, runbook.ChangeEnterMaintenance))
}

// Assumptions and considerations, 4: recovery is possible only if the backup
// was taken at the point that the guide names.
func TestGuideAssumptions4NoSwitchWithoutBackup(t *testing.T) {
	r := start(t, func(p *runbook.Plan) { p.Unattended = true })
	r.Net.Fail(runbooktest.Failure{Kind: runbook.TakeBackup, What: "disk is full"})
	require.NoError(t, r.Continue())
	require.Equal(t, runbook.OutcomeRolledBack, r.Book.Snapshot().Outcome)
	require.Zero(t, r.Net.Submitted(runbooktest.SystemChannel, runbook.ChangeSwitchType))
}

// Assumptions and considerations, 5: all channels migrate in the same window.
func TestGuideAssumptions5AllChannels(t *testing.T) {
	g := migrate(t, nil)
	for _, c := range []runbook.Change{runbook.ChangeEnterMaintenance, runbook.ChangeSwitchType, runbook.ChangeExitMaintenance} {
		require.Len(t, g.updates(c), 3, c)
	}
}

// Assumptions and considerations, 6: at the end every channel has the same
// consenter set, that of the system channel.
func TestGuideAssumptions6SameConsenters(t *testing.T) {
	for _, c := range migrate(t, nil).net.States() {
		for _, n := range c.Nodes {
			require.Equal(t, runbooktest.MetadataHash(), n.MetadataHash)
		}
	}
}

// Assumptions and considerations, 7: the deployed orderers migrate on their
// ledgers; orderers are added or removed afterwards.
func TestGuideAssumptions7NoOrdererIsAddedOrRemoved(t *testing.T) {
	r := start(t, func(p *runbook.Plan) { p.Orderers = p.Orderers[:2]; p.Unattended = true })
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeFailed, s.Outcome)
	require.Contains(t, s.Problem.What, "consenter set is not the set of orderers")
}

// Preparing to migrate: make a list of all channels, system and application.
func TestGuidePrepareListOfChannels(t *testing.T) {
	g := migrate(t, nil)
	require.Less(t, g.at(of(runbook.ListChannels, runbook.StepChannels)), g.at(of(runbook.SubmitUpdate, "")))
}

// Preparing to migrate: orderer versions and both capabilities. The checks are
// made before anything is changed, and an error stops the run.
func TestGuidePrepareChecksComeFirst(t *testing.T) {
	g := migrate(t, nil)
	require.Less(t, g.at(of(runbook.GatherFacts, "")), g.at(of(runbook.SubmitUpdate, "")))
}

// Entry to maintenance mode: begin with the system channel.
func TestGuideEntrySystemChannelFirst(t *testing.T) {
	require.Equal(t, runbooktest.SystemChannel, migrate(t, nil).updates(runbook.ChangeEnterMaintenance)[0].Channel)
}

// Entry to maintenance mode: only State changes; Type and Metadata are left alone.
func TestGuideEntryOnlyState(t *testing.T) {
	for _, e := range migrate(t, nil).updates(runbook.ChangeEnterMaintenance) {
		require.Empty(t, e.Metadata)
	}
}

// Entry to maintenance mode: peers and clients had better be stopped; their
// logs are full of harmless errors otherwise.
func TestGuideEntryPeersAndClients(t *testing.T) {
	r := start(t, nil)
	require.NoError(t, r.Continue())
	require.Contains(t, r.Book.Snapshot().Gate.Text, "Stop peers and clients")
}

// Entry to maintenance mode: verify on every orderer of every channel that
// Type, Metadata and State are kafka, empty and STATE_MAINTENANCE.
func TestGuideEntryVerifiedOnEveryNode(t *testing.T) {
	g := migrate(t, nil)
	e := g.effects[g.at(of(runbook.AwaitChannels, runbook.StepVerifyMaintenance))]
	require.Equal(t, []string{runbooktest.SystemChannel, "ch1", "ch2"}, e.Channels)
	require.Equal(t, runbook.TypeKafka, e.Expect.Type)
	require.Equal(t, runbook.StateMaintenance, e.Expect.State)
	require.True(t, e.Expect.NoMetadata)
}

// Backup files and shut down servers: orderers stop first, then Kafka, then
// ZooKeeper.
func TestGuideBackupStopOrder(t *testing.T) {
	g := migrate(t, nil)
	orderers := g.at(tier(runbook.StopNodes, runbook.StepBackupStopOrderers, runbook.TierOrderers))
	brokers := g.at(tier(runbook.StopNodes, runbook.StepBackupStopBrokers, runbook.TierBrokers))
	zookeeper := g.at(tier(runbook.StopNodes, runbook.StepBackupStopBrokers, runbook.TierZooKeeper))
	backup := g.at(of(runbook.TakeBackup, ""))
	flush := g.at(of(runbook.ProveFlush, runbook.StepBackupProveFlush))
	require.IsIncreasing(t, []int{orderers, flush, brokers, zookeeper, backup})
}

// Backup files and shut down servers: restart Kafka, then the orderers.
func TestGuideBackupStartOrder(t *testing.T) {
	g := migrate(t, nil)
	backup := g.at(of(runbook.TakeBackup, ""))
	zookeeper := g.at(tier(runbook.StartNodes, runbook.StepBackupStartBrokers, runbook.TierZooKeeper))
	brokers := g.at(tier(runbook.StartNodes, runbook.StepBackupStartBrokers, runbook.TierBrokers))
	orderers := g.at(tier(runbook.StartNodes, runbook.StepBackupStartOrderers, runbook.TierOrderers))
	require.IsIncreasing(t, []int{backup, zookeeper, brokers, orderers})
}

// Switch to Raft in maintenance mode: Type becomes etcdraft, Metadata is
// filled in, State stays STATE_MAINTENANCE; the same metadata everywhere.
func TestGuideSwitchTypeAndMetadata(t *testing.T) {
	g := migrate(t, nil)
	for _, e := range g.updates(runbook.ChangeSwitchType) {
		require.Equal(t, runbooktest.Metadata, e.Metadata)
	}
	e := g.effects[g.at(of(runbook.AwaitChannels, runbook.StepSwitchVerify))]
	require.Equal(t, runbook.TypeRaft, e.Expect.Type)
	require.Equal(t, runbook.StateMaintenance, e.Expect.State)
}

// Switch to Raft in maintenance mode: verify on every orderer that the update
// was committed on every channel.
func TestGuideSwitchVerifiedOnEveryNode(t *testing.T) {
	g := migrate(t, nil)
	e := g.effects[g.at(of(runbook.AwaitChannels, runbook.StepSwitchVerify))]
	require.Len(t, e.Channels, 3)
	require.Equal(t, runbooktest.MetadataHash(), e.Expect.MetadataHash)
}

// Switch to Raft in maintenance mode, note: the type change must be the last
// configuration transaction before the restart.
func TestGuideSwitchIsTheLastConfigTransaction(t *testing.T) {
	g := migrate(t, nil)
	gate := g.at(of(runbook.ReadChannels, runbook.StepSwitchGate))
	require.True(t, g.effects[gate].Expect.TypeChangeLast)
	require.Equal(t, runbook.StepRestartStopOrderers, g.effects[gate+1].Step, "nothing comes between the gate and the stop")

	r := start(t, func(p *runbook.Plan) { p.Unattended = true })
	for len(r.Active) > 0 {
		if r.Active[0].Step == runbook.StepSwitchGate {
			r.Net.ForeignUpdate("ch1")
		}
		require.NoError(t, r.Complete(0))
	}
	require.Equal(t, "last block is not the type change", r.Book.Snapshot().Problem.What)
	requireRolledBack(t, r) // and no orderer was restarted on it
}

// Restart and validate leader: stop all orderers, all brokers and ZooKeeper;
// start only the orderers.
func TestGuideRestartOnlyOrderers(t *testing.T) {
	g := migrate(t, nil)
	var got []string
	for _, e := range g.effects {
		if strings.HasPrefix(string(e.Step), "restart.") && e.Tier != "" {
			got = append(got, string(e.Kind)+" "+string(e.Tier))
		}
	}
	require.Equal(t, []string{"stop-nodes orderers", "stop-nodes brokers", "stop-nodes zookeeper", "start-nodes orderers"}, got)
}

// Restart and validate leader: verify on each channel that a leader was elected.
func TestGuideRestartLeaderOnEveryChannel(t *testing.T) {
	g := migrate(t, nil)
	e := g.effects[g.at(of(runbook.AwaitChannels, runbook.StepRestartLeaders))]
	require.True(t, e.Expect.Leader)
	require.Len(t, e.Channels, 3)
	require.Less(t, g.at(of(runbook.AwaitChannels, runbook.StepRestartLeaders)), g.at(update(runbook.ChangeExitMaintenance, "")))
}

// Switch out of maintenance mode: begin with the system channel; only State changes.
func TestGuideExitSystemChannelFirst(t *testing.T) {
	exits := migrate(t, nil).updates(runbook.ChangeExitMaintenance)
	require.Equal(t, runbooktest.SystemChannel, exits[0].Channel)
	for _, e := range exits {
		require.Empty(t, e.Metadata)
	}
}

// Switch out of maintenance mode: verify STATE_NORMAL, for completeness on
// every orderer.
func TestGuideExitVerifiedOnEveryNode(t *testing.T) {
	g := migrate(t, nil)
	e := g.effects[g.at(of(runbook.AwaitChannels, runbook.StepExitVerify))]
	require.Equal(t, runbook.StateNormal, e.Expect.State)
	require.Len(t, e.Channels, 3)
}

// Switch out of maintenance mode: all channels take transactions again.
func TestGuideExitTransactionsAreTaken(t *testing.T) {
	g := migrate(t, nil)
	require.Greater(t, g.at(of(runbook.SendTransactions, "")), g.at(of(runbook.AwaitChannels, runbook.StepExitVerify)))
}

// Abort and rollback, 1 to 3: stop everything, restore the backup made in
// maintenance mode before the type change, start everything: the orderers come
// up on Kafka in maintenance mode.
func TestGuideAbortRestoresTheBackup(t *testing.T) {
	g := migrate(t, func(p *runbook.Plan) { p.AbortAfter = runbook.PhaseRestart })
	require.IsIncreasing(t, []int{
		g.at(tier(runbook.StopNodes, runbook.StepRollbackStopOrderers, runbook.TierOrderers)),
		g.at(tier(runbook.StopNodes, runbook.StepRollbackStopBrokers, runbook.TierBrokers)),
		g.at(tier(runbook.StopNodes, runbook.StepRollbackStopBrokers, runbook.TierZooKeeper)),
		g.at(of(runbook.RestoreBackup, "")),
		g.at(tier(runbook.StartNodes, runbook.StepRollbackStartBrokers, runbook.TierZooKeeper)),
		g.at(tier(runbook.StartNodes, runbook.StepRollbackStartBrokers, runbook.TierBrokers)),
		g.at(tier(runbook.StartNodes, runbook.StepRollbackStartOrderers, runbook.TierOrderers)),
	})
	look := g.effects[g.at(of(runbook.AwaitChannels, runbook.StepRollbackNormal))]
	require.Equal(t, runbook.TypeKafka, look.Expect.Type)
	require.Equal(t, runbook.StateMaintenance, look.Expect.State)
}

// Abort and rollback, 4: leave maintenance mode to go on with Kafka.
func TestGuideAbortLeavesMaintenanceOnKafka(t *testing.T) {
	g := migrate(t, func(p *runbook.Plan) { p.AbortAfter = runbook.PhaseSwitch })
	require.Len(t, g.updates(runbook.ChangeExitMaintenance), 3)
	for _, c := range g.net.States() {
		for _, n := range c.Nodes {
			require.Equal(t, runbook.TypeKafka, n.Type)
			require.Equal(t, runbook.StateNormal, n.State)
		}
	}
}

// Abort and rollback, 4: or repair what kept Raft from forming and migrate
// again with corrected metadata. The leftovers of the failed try are gone.
func TestGuideAbortLetsTheMigrationBeTriedAgain(t *testing.T) {
	g := migrate(t, func(p *runbook.Plan) { p.AbortAfter = runbook.PhaseRestart })
	require.Greater(t, g.at(of(runbook.RemoveRaftState, "")), g.at(of(runbook.RestoreBackup, "")))
	again, err := runbooktest.NewRun(g.net, g.net.Plan())
	require.NoError(t, err)
	require.NoError(t, again.Finish())
	require.Equal(t, runbook.OutcomeMigrated, again.Book.Snapshot().Outcome)
	require.Empty(t, g.net.Faults())
}

// Abort and rollback, signs of failure 1 and 2: nodes crash or are down; no
// leader is recorded for some channel.
func TestGuideAbortSignsNodeDownAndNoLeader(t *testing.T) {
	for name, hurt := range map[string]func(n *runbooktest.Network){
		"no leader": func(n *runbooktest.Network) { n.NoLeader("ch2", true) },
		"node down": func(n *runbooktest.Network) { n.Kill("orderer1") },
	} {
		r := start(t, nil)
		for r.Book.Snapshot().Current < 0 || r.Book.Snapshot().Steps[r.Book.Snapshot().Current].ID != runbook.StepRestartLeaders {
			if r.Book.Snapshot().Gate != nil {
				require.NoError(t, r.Pass())
				continue
			}
			require.NoError(t, r.Complete(0))
		}
		hurt(r.Net)
		require.NoError(t, r.Continue())
		s := r.Book.Snapshot()
		require.NotNil(t, s.Problem, name)
		require.True(t, s.AbortOffered, name)
	}
}

// Abort and rollback, sign of failure 3: leaving maintenance mode on the system
// channel was tried, and failed.
func TestGuideAbortSignExitRefused(t *testing.T) {
	r := start(t, nil)
	r.Net.RefuseExit(true)
	require.NoError(t, r.Finish())
	s := r.Book.Snapshot()
	require.Contains(t, s.Problem.Why, "BAD_REQUEST")
	require.True(t, s.AbortOffered)
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
}
