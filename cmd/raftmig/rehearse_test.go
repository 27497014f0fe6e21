package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/testnet"
	"raftmig/testnet/rehearsal"
	"raftmig/testnet/validate"
)

func TestContradictoryFlagsOfARehearsalAreRefused(t *testing.T) {
	for _, c := range []struct {
		f    rehearseFlags
		want string
	}{
		{rehearseFlags{}, ""},
		{rehearseFlags{abortAt: "switch", resume: true, dir: "net"}, ""},
		{rehearseFlags{abortAt: "exit"}, "--abort-at exit: expected one of [maintenance backup switch restart]"},
		{rehearseFlags{resume: true}, "--resume needs the folder of the rehearsal: --dir"},
		{rehearseFlags{transactions: -1}, "--transactions -1: it cannot be negative"},
	} {
		err := c.f.check()
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
		var coded *exitError
		require.ErrorAs(t, err, &coded)
		require.Equal(t, exitUsage, coded.code)
	}
}

func TestTheExitCodeOfARehearsalFollowsFromItsRun(t *testing.T) {
	planned := runbook.Plan{AbortAfter: runbook.PhaseBackup}
	for _, c := range []struct {
		name string
		s    *runbook.Snapshot
		want int
	}{
		{"migrated", &runbook.Snapshot{Outcome: runbook.OutcomeMigrated}, exitOK},
		{"rolled back as its plan says", &runbook.Snapshot{Outcome: runbook.OutcomeRolledBack, Plan: planned}, exitOK},
		{"rolled back at the terminal", &runbook.Snapshot{Outcome: runbook.OutcomeRolledBack}, exitOK},
		{"rolled back by itself", &runbook.Snapshot{Outcome: runbook.OutcomeRolledBack, Plan: runbook.Plan{Unattended: true}}, exitRolledBack},
		{"failed", &runbook.Snapshot{Outcome: runbook.OutcomeFailed, Plan: planned}, exitFailed},
		{"not ended", &runbook.Snapshot{}, exitStopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := judged(c.s)
			if c.want == exitOK {
				require.NoError(t, err)
				return
			}
			var coded *exitError
			require.ErrorAs(t, err, &coded)
			require.Equal(t, c.want, coded.code)
		})
	}
	require.NoError(t, unproven(nil))
	require.NoError(t, unproven(&validate.Report{}))
	err := unproven(&validate.Report{Counts: validate.Counts{Missing: 1}, Channels: []validate.ChannelReport{{Channel: "ch1", Problems: []string{"a fork"}}}})
	require.ErrorIs(t, err, errUnproven)
	require.ErrorContains(t, err, "ch1: a fork")
}

func TestARehearsalLeavesItsNetworkAsItShould(t *testing.T) {
	for _, c := range []struct {
		name string
		keep bool
		left leaving
		said string
		gone bool
	}{
		{"a run that goes on owns it", true, leaving{temporary: true}, "go on       raftmig rehearse --dir ", false},
		{"kept", true, leaving{temporary: true, ended: true, good: true}, "The network is up.", false},
		{"of nobody's wish", false, leaving{temporary: true, ended: true, good: true}, "", true},
		{"in a folder of somebody", false, leaving{ended: true, good: true}, "The network is stopped and its folder kept: ", false},
		{"bad", false, leaving{temporary: true, ended: true}, "The network is stopped and its folder kept: ", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "net")
			n, err := testnet.Init(dir, testnet.Spec{Orderers: 1})
			require.NoError(t, err)
			cmd := newRehearseCommand()
			var out, say bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetErr(&say)
			f := rehearseFlags{keep: c.keep}
			require.NoError(t, f.leave(t.Context(), cmd, &rehearsal.Rehearsal{Net: n}, c.left))
			require.Empty(t, out.String(), "standard output is for the result")
			if c.said == "" {
				require.Empty(t, say.String())
			} else {
				require.Contains(t, say.String(), c.said)
			}
			_, err = os.Stat(dir)
			require.Equal(t, c.gone, os.IsNotExist(err))
		})
	}
}
