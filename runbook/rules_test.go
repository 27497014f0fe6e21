package runbook_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// journalOf returns the journal of a run without incidents.
func journalOf(t *testing.T, change func(*runbook.Plan)) []runbook.Event {
	t.Helper()
	r := start(t, func(p *runbook.Plan) {
		p.Unattended = true
		if change != nil {
			change(p)
		}
	})
	require.NoError(t, r.Continue())
	return r.Journal
}

// first returns the position of the first intent that satisfies a condition.
func first(t *testing.T, events []runbook.Event, holds func(runbook.Effect) bool) int {
	t.Helper()
	i := slices.IndexFunc(events, func(ev runbook.Event) bool { return ev.Kind == runbook.EventIntended && holds(*ev.Effect) })
	require.GreaterOrEqual(t, i, 0)
	return i
}

// without leaves out an effect: its intent and its result.
func without(events []runbook.Event, holds func(runbook.Effect) bool) []runbook.Event {
	var ids []runbook.EffectID
	return slices.DeleteFunc(slices.Clone(events), func(ev runbook.Event) bool {
		if ev.Kind == runbook.EventIntended && holds(*ev.Effect) {
			ids = append(ids, ev.ID)
			return true
		}
		return slices.Contains(ids, ev.ID)
	})
}

func of(kind runbook.EffectKind, step runbook.StepID) func(runbook.Effect) bool {
	return func(e runbook.Effect) bool { return e.Kind == kind && (step == "" || e.Step == step) }
}

func update(c runbook.Change, channel string) func(runbook.Effect) bool {
	return func(e runbook.Effect) bool { return e.Change == c && (channel == "" || e.Channel == channel) }
}

// TestEveryRuleFindsWhatBreaksIt tampers with the journal of a good run.
func TestEveryRuleFindsWhatBreaksIt(t *testing.T) {
	for _, test := range []struct {
		rule, name string
		tamper     func(t *testing.T, events []runbook.Event) []runbook.Event
	}{
		{"R1", "a channel enters maintenance before the system channel is proven", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.AwaitChannels, runbook.StepEnterMaintenance))
		}},
		{"R1", "a channel is switched before the system channel", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.AwaitChannels, runbook.StepSwitchType))
		}},
		{"R1", "a channel leaves maintenance before the system channel", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.AwaitChannels, runbook.StepExitNormal))
		}},
		{"R2", "the channels are not listed again", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.ListChannels, runbook.StepRelistChannels))
		}},
		{"R2", "a channel is forgotten", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, update(runbook.ChangeSwitchType, "ch2"))
		}},
		{"R3", "leaving maintenance carries metadata", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return edit(t, ev, update(runbook.ChangeExitMaintenance, "ch1"), func(e *runbook.Effect) { e.Metadata = []byte("x") })
		}},
		{"R3", "the type is changed without metadata", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return edit(t, ev, update(runbook.ChangeSwitchType, "ch1"), func(e *runbook.Effect) { e.Metadata = nil })
		}},
		{"R4", "no backup is taken", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.TakeBackup, ""))
		}},
		{"R4", "the backup is not verified", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.VerifyBackup, ""))
		}},
		{"R4", "brokers stop before orderers", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.StopNodes, runbook.StepBackupStopOrderers))
		}},
		{"R4", "ZooKeeper stops before brokers", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, func(e runbook.Effect) bool {
				return e.Kind == runbook.StopNodes && e.Step == runbook.StepRestartStopBrokers && e.Tier == runbook.TierBrokers
			})
		}},
		{"R4", "the flush is not proven", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.ProveFlush, ""))
		}},
		{"R4", "the flush is looked at before the orderers are down", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.StopNodes, runbook.StepBackupStopOrderers))
		}},
		{"R4", "brokers stop with records that no ledger has", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return found(t, ev, of(runbook.ProveFlush, ""), func(e *runbook.Evidence) {
				e.Flush = slices.Clone(e.Flush)
				e.Flush[1].Behind.Pending = 1
			})
		}},
		{"R4", "brokers stop although one had died", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return found(t, ev, of(runbook.ProveFlush, ""), func(e *runbook.Evidence) {
				e.Processes = slices.Clone(e.Processes)
				e.Processes[0].Running = false
			})
		}},
		{"R5", "a channel gets other metadata", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return edit(t, ev, update(runbook.ChangeSwitchType, "ch2"), func(e *runbook.Effect) { e.Metadata = []byte("other") })
		}},
		{"R6", "the last block is not looked at", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			ev = without(ev, of(runbook.ReadChannels, runbook.StepSwitchGate))
			return without(ev, of(runbook.AwaitChannels, runbook.StepSwitchVerify))
		}},
		{"R6", "another block follows on one orderer", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return observed(t, ev, of(runbook.ReadChannels, runbook.StepSwitchGate), func(n *runbook.NodeState) { n.ConsenterMetadataEmpty = false })
		}},
		{"R7", "orderers are not restarted", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.StartNodes, runbook.StepRestartStartOrderers))
		}},
		{"R7", "one orderer names no leader", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			ev = without(ev, of(runbook.AwaitChannels, runbook.StepExitNormal))
			return observed(t, ev, of(runbook.AwaitChannels, runbook.StepRestartLeaders), func(n *runbook.NodeState) { n.Leader = 0 })
		}},
		{"R8", "maintenance is proven on too few orderers", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return observed(t, ev, of(runbook.AwaitChannels, runbook.StepVerifyMaintenance), func(n *runbook.NodeState) { n.State = runbook.StateNormal })
		}},
		{"R8", "transactions are sent before normal operation is proven", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return without(ev, of(runbook.AwaitChannels, runbook.StepExitVerify))
		}},
		{"R9", "the run goes back after leaving maintenance", func(t *testing.T, ev []runbook.Event) []runbook.Event {
			return append(ev, runbook.Event{Kind: runbook.EventIntended, ID: "x", Effect: &runbook.Effect{
				ID: "x", Step: runbook.StepRollbackStopOrderers, Kind: runbook.StopNodes, Tier: runbook.TierOrderers,
			}})
		}},
	} {
		t.Run(test.rule+" "+test.name, func(t *testing.T) {
			events := journalOf(t, nil)
			require.Empty(t, runbook.Broken(events))
			var ids []string
			for _, how := range runbook.Broken(test.tamper(t, events)) {
				id, _, _ := strings.Cut(how, ":")
				ids = append(ids, id)
			}
			require.Contains(t, ids, test.rule)
		})
	}
}

// edit changes the first intent that satisfies a condition.
func edit(t *testing.T, events []runbook.Event, holds func(runbook.Effect) bool, change func(*runbook.Effect)) []runbook.Event {
	t.Helper()
	events = slices.Clone(events)
	i := first(t, events, holds)
	e := *events[i].Effect
	change(&e)
	events[i].Effect = &e
	return events
}

// found changes the evidence of the first effect that satisfies a condition.
func found(t *testing.T, events []runbook.Event, holds func(runbook.Effect) bool, change func(*runbook.Evidence)) []runbook.Event {
	t.Helper()
	events = slices.Clone(events)
	id := events[first(t, events, holds)].ID
	i := slices.IndexFunc(events, func(ev runbook.Event) bool { return ev.Kind == runbook.EventDone && ev.ID == id })
	evidence := *events[i].Evidence
	change(&evidence)
	events[i].Evidence = &evidence
	return events
}

// observed changes what one orderer showed of the last channel, in the result
// of the first effect that satisfies a condition.
func observed(t *testing.T, events []runbook.Event, holds func(runbook.Effect) bool, change func(*runbook.NodeState)) []runbook.Event {
	t.Helper()
	events = slices.Clone(events)
	id := events[first(t, events, holds)].ID
	i := slices.IndexFunc(events, func(ev runbook.Event) bool { return ev.Kind == runbook.EventDone && ev.ID == id })
	found := *events[i].Evidence
	found.Channels = slices.Clone(found.Channels)
	last := &found.Channels[len(found.Channels)-1]
	last.Nodes = slices.Clone(last.Nodes)
	change(&last.Nodes[1])
	events[i].Evidence = &found
	return events
}

func TestRulesHoldForEveryBeginningOfAJournal(t *testing.T) {
	for _, after := range []runbook.Phase{"", runbook.PhaseMaintenance, runbook.PhaseBackup, runbook.PhaseSwitch, runbook.PhaseRestart} {
		events := journalOf(t, func(p *runbook.Plan) { p.AbortAfter = after })
		for n := range events {
			require.Empty(t, runbook.Broken(events[:n]))
		}
	}
}
