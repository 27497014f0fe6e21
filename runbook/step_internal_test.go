package runbook

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestChecksKeepStepsFromStartingWithoutWhatTheyNeed(t *testing.T) {
	k := newKnowledge(Plan{})
	require.NotNil(t, stepSwitchType.check(k))
	require.NotNil(t, stepRollbackRestore.check(k))
	k.backup = &BackupReceipt{}
	require.NotNil(t, stepSwitchType.check(k), "metadata is missing")
	require.Nil(t, stepRollbackRestore.check(k))
	k.metadata = &ConsenterMetadata{}
	require.Nil(t, stepSwitchType.check(k))
}

func TestAStepThatItsCheckBlocksFailsAndIsCheckedAgainByARetry(t *testing.T) {
	ready := false
	blocked := step{
		id:      StepSwitchType,
		check:   func(*knowledge) *Problem { return map[bool]*Problem{false: {What: "not yet"}}[ready] },
		do:      []wave{{effects: func(*knowledge) []Effect { return []Effect{{Kind: ReadChannels}} }, judge: accepted}},
		explain: func(*knowledge) Explain { return Explain{} },
	}
	r := New()
	r.k = newKnowledge(Plan{})
	r.path = []*stepRun{{step: &blocked}}
	r.enter(0)
	require.Equal(t, StatusFailed, r.path[0].status)
	require.Equal(t, "not yet", r.Snapshot().Problem.What)
	require.NoError(t, r.Step(Event{Kind: EventRetry}))
	require.Equal(t, StatusFailed, r.path[0].status)
	ready = true
	require.NoError(t, r.Step(Event{Kind: EventRetry}))
	require.Equal(t, StatusRunning, r.path[0].status)
	require.Nil(t, r.Snapshot().Problem)
	require.Len(t, r.Ready().Effects, 1)
}

func TestEveryStepOfThePhaseListIsThereOnceAndInOrder(t *testing.T) {
	var phases []Phase
	seen := map[StepID]bool{}
	for _, s := range append(steps(), rollbackSteps()...) {
		require.False(t, seen[s.id], s.id)
		seen[s.id] = true
		if len(phases) == 0 || phases[len(phases)-1] != s.phase() {
			phases = append(phases, s.phase())
		}
		if s.gate == nil {
			require.NotEmpty(t, s.do, s.id)
		}
	}
	require.Len(t, seen, 35)
	require.Equal(t, append(append([]Phase{}, Phases...), PhaseRollback), phases)
}

func TestWhatTheChecksReadIsTheFirstMatrix(t *testing.T) {
	k := newKnowledge(Plan{})
	when := time.Date(2026, 3, 14, 22, 0, 0, 0, time.UTC)
	nodes := []NodeState{{Node: "orderer0", Type: TypeKafka, State: StateNormal, Height: 7}}
	k.observe(Effect{Kind: GatherFacts}, Evidence{Facts: &Facts{Channels: []ChannelFacts{{Name: "ch1", Nodes: nodes}}}}, when)
	k.channels = []string{"ch1"}
	require.Equal(t, []ChannelState{{Name: "ch1", Nodes: nodes}}, k.matrix())
	require.Equal(t, when, k.observedAt)
}
