package runbook_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

func operationJournal(t *testing.T, name string) []runbook.Event {
	t.Helper()
	r := operate(t, raftNetwork(3), operations()[name], isUnattended)
	require.NoError(t, r.Continue())
	requireOperated(t, r)
	return r.Journal
}

func TestEveryOperationRuleFindsWhatBreaksIt(t *testing.T) {
	is := func(kind runbook.EffectKind) func(runbook.Effect) bool {
		return func(e runbook.Effect) bool { return e.Kind == kind }
	}
	for _, tc := range []struct {
		name   string
		broken func(t *testing.T) []runbook.Event
		rule   string
	}{
		{"no checks", func(t *testing.T) []runbook.Event {
			return without(operationJournal(t, "options"), is(runbook.GatherFacts))
		}, "O1"},
		{"a check that found an error", func(t *testing.T) []runbook.Event {
			return found(t, operationJournal(t, "options"), is(runbook.GatherFacts), func(ev *runbook.Evidence) {
				ev.Findings[0].Severity = runbook.SeverityError
			})
		}, "O1"},
		{"other metadata on one channel", func(t *testing.T) []runbook.Event {
			return edit(t, operationJournal(t, "options"), update(runbook.ChangeSetOptions, "ch2"), func(e *runbook.Effect) { e.Metadata = []byte("other") })
		}, "O2"},
		{"a change that is not the plan's", func(t *testing.T) []runbook.Event {
			return edit(t, operationJournal(t, "options"), update(runbook.ChangeSetOptions, "ch2"), func(e *runbook.Effect) { e.Change = runbook.ChangeExitMaintenance })
		}, "O2"},
		{"another endpoint", func(t *testing.T) []runbook.Event {
			return edit(t, operationJournal(t, "add"), update(runbook.ChangeAddConsenter, "ch2"), func(e *runbook.Effect) { e.Endpoint = "x:1" })
		}, "O2"},
		{"an endpoint that is not the plan's", func(t *testing.T) []runbook.Event {
			return edit(t, operationJournal(t, "add"), update(runbook.ChangeAddEndpoint, "ch2"), func(e *runbook.Effect) { e.Endpoint = "x:1" })
		}, "O2"},
		{"the endpoint of a node that was not proven", func(t *testing.T) []runbook.Event {
			return without(operationJournal(t, "add"), func(e runbook.Effect) bool { return e.Step == runbook.StepNodeFollow })
		}, "O6"},
		{"the endpoint of a node that was not started", func(t *testing.T) []runbook.Event {
			return without(operationJournal(t, "add"), is(runbook.StartNodes))
		}, "O6"},
		{"the system channel was not proven", func(t *testing.T) []runbook.Event {
			return without(operationJournal(t, "options"), func(e runbook.Effect) bool {
				return e.Kind == runbook.AwaitChannels && e.Step == runbook.StepUpdateSubmit
			})
		}, "O3"},
		{"a witness that shows something else", func(t *testing.T) []runbook.Event {
			return observed(t, operationJournal(t, "rotate"), func(e runbook.Effect) bool {
				return e.Kind == runbook.AwaitChannels && e.Step == runbook.StepUpdateVerify
			}, func(n *runbook.NodeState) { n.MetadataHash = "other" })
		}, "O4"},
		{"another node is stopped", func(t *testing.T) []runbook.Event {
			return edit(t, operationJournal(t, "rotate"), is(runbook.StopNodes), func(e *runbook.Effect) { e.Nodes = []string{"orderer2"} })
		}, "O4"},
		{"all nodes are stopped", func(t *testing.T) []runbook.Event {
			return edit(t, operationJournal(t, "rotate"), is(runbook.StopNodes), func(e *runbook.Effect) { e.Nodes = nil })
		}, "O4"},
		{"a node is stopped without an update", func(t *testing.T) []runbook.Event {
			return without(operationJournal(t, "rotate"), func(e runbook.Effect) bool { return e.Kind == runbook.SubmitUpdate })
		}, "O4"},
		{"a backup is restored", func(t *testing.T) []runbook.Event {
			return edit(t, operationJournal(t, "rotate"), is(runbook.StartNodes), func(e *runbook.Effect) { e.Kind = runbook.RestoreBackup })
		}, "O4"},
		{"certificates of a node that runs", func(t *testing.T) []runbook.Event {
			return without(operationJournal(t, "rotate"), is(runbook.StopNodes))
		}, "O5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			broken := runbook.Broken(tc.broken(t))
			require.NotEmpty(t, broken)
			require.True(t, strings.HasPrefix(broken[0], tc.rule+": "), "%v", broken)
		})
	}
	require.Empty(t, runbook.Broken(operationJournal(t, "rotate")))
	require.Len(t, runbook.OperationRules(), 6)
}

func TestOperationRulesHoldForEveryBeginningOfAJournal(t *testing.T) {
	for name := range operations() {
		journal := operationJournal(t, name)
		for i := range journal {
			require.Empty(t, runbook.Broken(journal[:i]), name)
		}
	}
}
