package runbook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// finalSteps returns the steps of a run with many channels that went all the
// way back, so that every step has its text.
func finalSteps(t *testing.T) []runbook.StepView {
	t.Helper()
	var channels []string
	for i := range 100 {
		channels = append(channels, fmt.Sprintf("channel-%02d", i))
	}
	n := runbooktest.New(runbooktest.Options{Channels: channels, ZooKeeper: 3})
	p := n.Plan()
	p.Unattended, p.AbortAfter = true, runbook.PhaseRestart
	r, err := runbooktest.NewRun(n, p)
	require.NoError(t, err)
	require.NoError(t, r.Continue())
	return r.Book.Snapshot().Steps
}

func TestEveryStepSaysWhatWhyHowVerifiedAndWhatGoingBackCosts(t *testing.T) {
	steps := finalSteps(t)
	require.Len(t, steps, 35)
	for _, s := range steps {
		x := s.Explain
		for field, text := range map[string]string{"title": x.Title, "what": x.What, "why": x.Why, "verify": x.Verify, "undo": x.Undo, "guide": x.Guide} {
			require.NotEmpty(t, text, "%s of %s", field, s.ID)
		}
		require.LessOrEqual(t, len(x.Title), 40, s.ID)
		require.Positive(t, x.Estimate, s.ID)
		require.Contains(t, x.Guide, "Migrating from Kafka to Raft: ")
		gate := s.ID == runbook.StepConfirmPlan || s.ID == runbook.StepExitConfirm
		require.Equal(t, gate, len(x.Commands) == 0, "%s: only gates have no equivalent command", s.ID)
	}
}

func TestSentencesAreShort(t *testing.T) {
	for _, s := range finalSteps(t) {
		x := s.Explain
		for _, text := range []string{x.What, x.Why, x.Verify, x.Undo} {
			for _, sentence := range strings.Split(text, ". ") {
				require.LessOrEqual(t, len(strings.Fields(sentence)), 35, "%s: %s", s.ID, sentence)
			}
		}
	}
}

func TestCommandsFitAn80ColumnTerminalAndNameEveryChannel(t *testing.T) {
	for _, s := range finalSteps(t) {
		all := strings.Join(s.Explain.Commands, "\n")
		for _, line := range strings.Split(all, "\n") {
			require.LessOrEqual(t, len(line), 80, "%s: %s", s.ID, line)
		}
		if strings.Contains(all, "peer channel update") {
			for i := range 100 {
				require.Contains(t, all, fmt.Sprintf("channel-%02d", i))
			}
			require.Less(t, strings.Index(all, runbooktest.SystemChannel), strings.Index(all, "channel-00"), "the system channel comes first")
		}
	}
}

func TestUpdatesShowTheCommandsOfFabricsOwnTools(t *testing.T) {
	for _, s := range finalSteps(t) {
		all := strings.Join(s.Explain.Commands, "\n")
		switch s.ID {
		case runbook.StepEnterMaintenance:
			require.Contains(t, all, "STATE_MAINTENANCE")
		case runbook.StepExitNormal, runbook.StepRollbackNormal:
			require.Contains(t, all, "STATE_NORMAL")
		case runbook.StepSwitchType:
			require.Contains(t, all, "etcdraft")
		default:
			continue
		}
		for _, tool := range []string{"peer channel fetch config", "configtxlator compute_update", "peer channel update"} {
			require.Contains(t, all, tool, s.ID)
		}
	}
}

// A step's commands, in a plan with these administrators.
func commandsOf(t *testing.T, id runbook.StepID, change func(*runbook.Plan)) []string {
	t.Helper()
	r := start(t, change)
	require.NoError(t, r.Finish())
	for _, s := range r.Book.Snapshot().Steps {
		if s.ID == id {
			return s.Explain.Commands
		}
	}
	t.Fatalf("no step %s", id)
	return nil
}

func TestUpdatesShowWhoSigns(t *testing.T) {
	admins := []runbook.Admin{
		{MSPID: "Org1MSP", MSPDir: "/crypto/admin1/msp"}, {MSPID: "Org2MSP", MSPDir: "/crypto/admin 2/msp"}, {MSPID: "Org3MSP", MSPDir: "/crypto/admin3/msp"},
	}
	identify := "export CORE_PEER_LOCALMSPID=Org1MSP\nexport CORE_PEER_MSPCONFIGPATH=/crypto/admin1/msp"
	for _, c := range []struct {
		name     string
		change   func(*runbook.Plan)
		commands int
		end      []string // of the loops, without the sending
	}{
		{"one administrator", func(p *runbook.Plan) { p.Admins = admins[:1] }, 3, []string{
			"    configtxlator proto_encode --type common.Envelope --output $CH.tx\n  peer channel update"}},
		{"three", func(p *runbook.Plan) { p.Admins = admins }, 3, []string{
			"--output $CH.tx\n  CORE_PEER_LOCALMSPID=Org2MSP \\\n  CORE_PEER_MSPCONFIGPATH='/crypto/admin 2/msp' \\\n    peer channel signconfigtx -f $CH.tx\n" +
				"  CORE_PEER_LOCALMSPID=Org3MSP \\\n  CORE_PEER_MSPCONFIGPATH=/crypto/admin3/msp \\\n    peer channel signconfigtx -f $CH.tx\n  peer channel update"}},
		{"two, and others elsewhere", func(p *runbook.Plan) { p.Admins, p.AwaitSignatures = admins[:2], true }, 5, []string{
			"    peer channel signconfigtx -f $CH.tx\ndone", "# elsewhere, as an administrator", "for CH in syschan ch1 ch2; do\n  peer channel update"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			commands := commandsOf(t, runbook.StepEnterMaintenance, c.change)
			require.Len(t, commands, c.commands)
			require.Equal(t, identify, commands[1])
			for i, end := range c.end {
				require.Contains(t, commands[2+i], end)
			}
			require.Contains(t, commandsOf(t, runbook.StepVerifyMaintenance, c.change), identify, "it reads as the first one, too")
		})
	}
}
