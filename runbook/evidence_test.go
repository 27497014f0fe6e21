package runbook_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// TestEvidenceThatDoesNotProveItsStepStopsTheRunThere lets one effect return
// evidence that says something else than it should.
func TestEvidenceThatDoesNotProveItsStepStopsTheRunThere(t *testing.T) {
	channel := func(ev *runbook.Evidence) *runbook.ChannelState { return &ev.Channels[len(ev.Channels)-1] }
	for _, test := range []struct {
		name   string
		step   runbook.StepID
		kind   runbook.EffectKind
		tamper func(ev *runbook.Evidence)
		want   string
	}{
		{"a process was not seen", runbook.StepReach, runbook.ReadProcesses, func(ev *runbook.Evidence) { ev.Processes = ev.Processes[1:] }, "orderer0: process was not seen"},
		{"a process does not run", runbook.StepReach, runbook.ReadProcesses, func(ev *runbook.Evidence) { ev.Processes[1].Running = false }, "orderer1: process does not run"},
		{"no process was seen", runbook.StepReach, runbook.ReadProcesses, func(ev *runbook.Evidence) { ev.Processes = nil }, "the evidence of read-processes is incomplete: it describes no process"},
		{"no list of channels", runbook.StepChannels, runbook.ListChannels, func(ev *runbook.Evidence) { ev.ChannelList = nil }, "the evidence of list-channels is incomplete: it names no system channel"},
		{"no system channel", runbook.StepChannels, runbook.ListChannels, func(ev *runbook.Evidence) { ev.ChannelList.System = "" }, "the evidence of list-channels is incomplete: it names no system channel"},
		{"facts that nobody judged", runbook.StepPreflight, runbook.GatherFacts, func(ev *runbook.Evidence) { ev.Findings = nil }, "the evidence of gather-facts is incomplete: the facts were not judged by the checks"},
		{"a check that found an error", runbook.StepPreflight, runbook.GatherFacts, func(ev *runbook.Evidence) {
			ev.Findings = append(ev.Findings, runbook.Finding{Check: "a.b", Severity: runbook.SeverityError, Summary: "bad", Evidence: []string{"really"}})
		}, "1 check found an error: bad: really"},
		{"metadata with another hash", runbook.StepConsenters, runbook.BuildMetadata, func(ev *runbook.Evidence) { ev.Metadata.Hash = "00" }, "the evidence of build-metadata is incomplete: the hash of the consensus metadata is wrong"},
		{"metadata without bytes", runbook.StepConsenters, runbook.BuildMetadata, func(ev *runbook.Evidence) { ev.Metadata.Bytes = nil }, "the evidence of build-metadata is incomplete: it has no consensus metadata"},
		{"another set of consenters", runbook.StepConsenters, runbook.BuildMetadata, func(ev *runbook.Evidence) { ev.Metadata.Consenters[0].Node = "x" }, "the consenter set is not the set of orderers: it has x, orderer1, orderer2; the orderers are orderer0, orderer1, orderer2"},
		{"a channel is gone", runbook.StepRelistChannels, runbook.ListChannels, func(ev *runbook.Evidence) { ev.ChannelList.Names = ev.ChannelList.Names[:2] }, "ch2: channel is gone from the list"},
		{"another system channel", runbook.StepRelistChannels, runbook.ListChannels, func(ev *runbook.Evidence) { ev.ChannelList.System = "ch1" }, "ch1: the system channel has another name now: it was syschan"},
		{"a node was left out", runbook.StepVerifyMaintenance, runbook.AwaitChannels, func(ev *runbook.Evidence) { c := channel(ev); c.Nodes = c.Nodes[:2] }, "ch2 on orderer2: channel was not read"},
		{"a channel was left out", runbook.StepVerifyMaintenance, runbook.AwaitChannels, func(ev *runbook.Evidence) { ev.Channels = ev.Channels[:2] }, "ch2: channel was not read"},
		{"a node is in another state, and logged why", runbook.StepVerifyMaintenance, runbook.AwaitChannels, func(ev *runbook.Evidence) {
			channel(ev).Nodes[1].State = runbook.StateNormal
			ev.Findings = []runbook.Finding{{Check: "log.panic", Severity: runbook.SeverityError, Summary: "orderer1 logged a panic", Evidence: []string{"PANI boom"}}}
		}, `ch2 on orderer1: wrong consensus state: it is "STATE_NORMAL", expected "STATE_MAINTENANCE"; orderer1 logged a panic: PANI boom`},
		{"a process runs again", runbook.StepBackupStopOrderers, runbook.StopNodes, func(ev *runbook.Evidence) { ev.Processes[2].Running = true }, "orderer2: process still runs"},
		{"no receipt of the backup", runbook.StepBackupCopy, runbook.TakeBackup, func(ev *runbook.Evidence) { ev.Backup = nil }, "the evidence of take-backup is incomplete: it describes no backup"},
		{"a channel is missing in the backup", runbook.StepBackupCopy, runbook.TakeBackup, func(ev *runbook.Evidence) { delete(ev.Backup.Heights, "ch1") }, "ch1: channel is missing in the backup"},
		{"the backup is behind", runbook.StepBackupCopy, runbook.TakeBackup, func(ev *runbook.Evidence) { ev.Backup.Heights["ch1"]-- }, "ch1: the backup is behind: its height is 2, 3 was proven on every orderer"},
		{"another backup is read back", runbook.StepBackupVerify, runbook.VerifyBackup, func(ev *runbook.Evidence) { ev.Backup.Manifest = "other" }, "backup: the backup is not the one that was taken: its manifest is other, taken was manifest-1-3"},
		{"Kafka lost a block", runbook.StepBackupRecheck, runbook.AwaitChannels, func(ev *runbook.Evidence) { channel(ev).Nodes[0].Height-- }, "ch2 on orderer0: node is behind: its height is 2, expected at least 3; and 1 more"},
		{"other metadata came out", runbook.StepSwitchVerify, runbook.AwaitChannels, func(ev *runbook.Evidence) { channel(ev).Nodes[0].MetadataHash = "x" }, "ch2 on orderer0: wrong consensus metadata: its hash is x, expected 8e8b2e633f0e"},
		{"a block came after the type change", runbook.StepSwitchGate, runbook.ReadChannels, func(ev *runbook.Evidence) { channel(ev).Nodes[0].LastBlockIsConfig = false }, "ch2 on orderer0: last block is not the type change: something was ordered after it, or it is missing"},
		{"two leaders", runbook.StepRestartLeaders, runbook.AwaitChannels, func(ev *runbook.Evidence) { channel(ev).Nodes[0].Leader = 9 }, "ch2: nodes name different leaders: orderer0 names 9, orderer1 names 1"},
		{"a channel without transaction", runbook.StepVerifyTransactions, runbook.SendTransactions, func(ev *runbook.Evidence) { ev.Transactions = ev.Transactions[:2] }, "ch2: no transaction was proven"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, nil)
			tampered := false
			r.Tamper = func(e runbook.Effect, ev *runbook.Evidence) {
				if !tampered && e.Step == test.step && e.Kind == test.kind {
					tampered = true
					test.tamper(ev)
				}
			}
			require.NoError(t, r.Finish())
			s := r.Book.Snapshot()
			require.NotNil(t, s.Problem)
			require.Equal(t, test.want, s.Problem.Error())
			require.Equal(t, test.step, s.Steps[s.Current].ID)
			require.Equal(t, runbook.StatusFailed, s.Steps[s.Current].Status)

			require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
			require.NoError(t, r.Finish())
			requireMigrated(t, r)
		})
	}
}

func TestFindingsAreKeptAndIgnoredErrorsDoNotStop(t *testing.T) {
	r := start(t, func(p *runbook.Plan) { p.IgnoreChecks = []string{"a.b"} })
	r.Tamper = func(e runbook.Effect, ev *runbook.Evidence) {
		switch e.Kind {
		case runbook.GatherFacts:
			ev.Findings = append(ev.Findings, runbook.Finding{Check: "a.b", Severity: runbook.SeverityError, Summary: "bad"})
		case runbook.AwaitChannels:
			ev.Findings = []runbook.Finding{{Check: "log.panic", Severity: runbook.SeverityWarn, Summary: "odd"}}
		}
	}
	require.NoError(t, r.Finish())
	requireMigrated(t, r)
	var got []string
	for _, f := range r.Book.Snapshot().Findings {
		got = append(got, string(f.Severity)+" "+f.Check)
	}
	require.Equal(t, []string{"ok simulated", "warn a.b", "warn log.panic"}, got)
}

// upTo drives an attended run until an effect that satisfies a condition is
// being performed.
func upTo(t *testing.T, r *runbooktest.Run, holds func(runbook.Effect) bool) {
	t.Helper()
	for !slices.ContainsFunc(r.Active, holds) {
		if r.Book.Snapshot().Gate != nil {
			require.NoError(t, r.Pass())
			continue
		}
		require.NotEmpty(t, r.Active)
		require.NoError(t, r.Complete(0))
	}
}

func TestTheGateIsPassedAgainIfTheRunWasResumedBeforeTheStop(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, of(runbook.StopNodes, runbook.StepRestartStopOrderers))
	r.Net.ForeignUpdate("ch1")
	require.NoError(t, r.Recover(len(r.Journal)))
	require.NoError(t, r.Continue())
	require.Equal(t, "last block is not the type change", r.Book.Snapshot().Problem.What)
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
}

func TestNothingIsStoppedAgainThatIsDown(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, of(runbook.StopNodes, runbook.StepRestartStopOrderers))
	_, err := r.Net.Perform(t.Context(), r.Active[0], nil)
	require.NoError(t, err)
	require.NoError(t, r.Recover(len(r.Journal)))
	require.NoError(t, r.Finish())
	requireMigrated(t, r)
	stops := 0
	for _, ev := range r.Journal {
		if ev.Kind == runbook.EventIntended && of(runbook.StopNodes, runbook.StepRestartStopOrderers)(*ev.Effect) {
			stops++
		}
	}
	require.Equal(t, 1, stops)
}

func TestOrderersThatAreHalfStoppedAreStoppedWithoutTheGate(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, of(runbook.StopNodes, runbook.StepRestartStopOrderers))
	r.Net.Kill("orderer1") // it cannot be read any more, and passed the gate before
	require.NoError(t, r.Recover(len(r.Journal)))
	require.NoError(t, r.Finish())
	requireMigrated(t, r)
}

func TestNothingIsSubmittedWhileItCannotBeToldWhetherItIsInForce(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, update(runbook.ChangeEnterMaintenance, "ch1"))
	r.Net.Kill("orderer2")
	require.NoError(t, r.Recover(len(r.Journal)))
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.Equal(t, "cannot tell whether the update is in force", s.Problem.What)
	require.Zero(t, r.Net.Submitted("ch1", runbook.ChangeEnterMaintenance))

	r.Net.Revive("orderer2")
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	require.NoError(t, r.Finish())
	requireMigrated(t, r)
}

func TestOneNodeThatShowsAnUpdateIsProofEvenIfAnotherCannotBeRead(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, update(runbook.ChangeEnterMaintenance, "ch1"))
	for _, e := range r.Active {
		_, err := r.Net.Perform(t.Context(), e, nil)
		require.NoError(t, err)
	}
	r.Net.Kill("orderer2")
	require.NoError(t, r.Recover(len(r.Journal)))
	upTo(t, r, of(runbook.AwaitChannels, runbook.StepVerifyMaintenance))
	r.Net.Revive("orderer2")
	require.NoError(t, r.Finish())
	requireMigrated(t, r)
}

func TestARefusedExitLeavesTheWayBackClosedIfANodeCannotBeRead(t *testing.T) {
	r := start(t, nil)
	r.Net.RefuseExit(true)
	upTo(t, r, update(runbook.ChangeExitMaintenance, runbooktest.SystemChannel))
	r.Net.Kill("orderer2")
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.NotNil(t, s.Problem)
	require.False(t, s.AbortOffered)
	require.Contains(t, s.AbortNote, "No way back")

	r.Net.Revive("orderer2")
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	require.NoError(t, r.Continue())
	require.True(t, r.Book.Snapshot().AbortOffered, "all nodes were read this time")
}

func TestAnExitThatFailedButTookEffectLeavesTheWayBackClosed(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, update(runbook.ChangeExitMaintenance, runbooktest.SystemChannel))
	r.Net.Fail(runbooktest.Failure{Kind: runbook.SubmitUpdate, After: true, What: "the line broke"})
	require.NoError(t, r.Continue())
	require.False(t, r.Book.Snapshot().AbortOffered)
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	require.NoError(t, r.Finish())
	requireMigrated(t, r)
}

func TestAnUpdateUnderWayWhenTheRunGoesBackIsWaitedFor(t *testing.T) {
	r := start(t, nil)
	upTo(t, r, update(runbook.ChangeEnterMaintenance, runbooktest.SystemChannel))
	r.Net.PerformLater(r.Active[0])
	require.NoError(t, r.Recover(len(r.Journal)))
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	require.NoError(t, r.Continue())
	requireRolledBack(t, r)
}

func TestWhatWasNotStoppedIsNotStartedOnTheWayBack(t *testing.T) {
	g := migrate(t, func(p *runbook.Plan) { p.AbortAfter = runbook.PhaseBackup })
	for _, e := range g.effects {
		require.False(t, e.Kind == runbook.StartNodes && e.Step == runbook.StepRollbackStartOrderers)
	}
}

func TestGivingUpIsPossibleOnlyWhereNothingIsBeingDone(t *testing.T) {
	r := start(t, nil)
	require.NotEmpty(t, r.Active)
	require.ErrorIs(t, r.Step(runbook.Event{Kind: runbook.EventGiveUp}), runbook.ErrRefused)
	require.NoError(t, r.Continue())
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventGiveUp, Text: "too late tonight"}))
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeFailed, s.Outcome)
	require.Equal(t, "too late tonight", s.Problem.Why)
}

func TestTheFinalPictureDemandsOfEveryNodeWhatAnyHad(t *testing.T) {
	r := start(t, nil)
	r.Tamper = func(e runbook.Effect, ev *runbook.Evidence) {
		if e.Step == runbook.StepVerifyFinal && e.Kind == runbook.ReadChannels {
			ev.Channels[1].Nodes[2].Height += 5 // clients are at work
			ev.Channels[1].Nodes[2].LastBlockHash = "ahead"
		}
	}
	upTo(t, r, of(runbook.AwaitChannels, runbook.StepVerifyFinal))
	require.Equal(t, uint64(11), r.Active[0].Expect.MinHeights["ch1"])
}
