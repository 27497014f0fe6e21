package runner

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// standing is a snapshot of a run that stands still at a step for two updates.
func standing(step runbook.StepID) runbook.Update {
	return runbook.Update{Snapshot: &runbook.Snapshot{
		Steps: []runbook.StepView{{ID: step}},
		Awaited: []runbook.SignatureState{
			{Channel: "ch1", File: "signatures/ch1.tx", Why: "one is not enough", SignedBy: []string{"Org1MSP"}},
			{Channel: "ch2", File: "signatures/ch2.tx", Why: "one is not enough", SignedBy: []string{"Org1MSP"}},
		},
	}}
}

// rig is an awaiter in a bubble whose files and channels the test controls.
type rig struct {
	*awaiter
	mu      sync.Mutex // guards what follows
	updates chan runbook.Update
	ended   chan *runbook.Problem
	files   string
	found   []runbook.SignatureState // nil: nothing is new
	fails   bool
	looks   int
	retries int
	told    []string
}

func watched(t *testing.T, timeout time.Duration) *rig {
	r := &rig{updates: make(chan runbook.Update), ended: make(chan *runbook.Problem, 1), files: "a"}
	r.awaiter = &awaiter{
		timeout: timeout, tell: func(s string) { r.set(func() { r.told = append(r.told, s) }) },
		stamp: func() (files string) { r.set(func() { files = r.files }); return files },
		look: func(_ context.Context, states []runbook.SignatureState) ([]runbook.SignatureState, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.looks++; r.fails {
				return nil, errors.New("no node could be read")
			}
			if r.found != nil {
				return r.found, nil
			}
			return states, nil
		},
		retry: func(context.Context) error { r.set(func() { r.retries++ }); return nil },
	}
	go func() { r.ended <- r.watch(t.Context(), r.updates) }()
	return r
}

func (r *rig) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}

func TestTheRunGoesOnWhenTheFilesAreThereAndQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := watched(t, time.Hour)
		r.updates <- standing("maintenance.enter")
		r.pass(10 * time.Second)
		require.Equal(t, 1, r.looks, "at what may have come while nobody was there")
		require.Zero(t, r.retries)
		for range 5 { // somebody copies file after file
			r.set(func() { r.files += "b" })
			r.pass(time.Second)
		}
		require.Equal(t, 1, r.looks)
		signed := standing("maintenance.enter").Snapshot.Awaited
		signed[0].Why, signed[0].SignedBy = "", []string{"Org1MSP", "Org2MSP"}
		r.set(func() { r.found = signed })
		r.pass(4 * time.Second)
		require.Equal(t, 1, r.retries)
		r.updates <- standing("maintenance.enter")
		r.pass(time.Minute)
		require.Equal(t, 1, r.retries, "one retry for one thing that is new")
		require.Len(t, r.told, 1)
		require.Contains(t, r.told[0], "--signatures-timeout 1h0m0s")
		close(r.updates)
		require.Nil(t, <-r.ended)
	})
}

// A channel whose configuration changes makes the file useless: that is found
// although no file changes. One that cannot be read is looked at again.
func TestAChannelThatMovesOnIsFoundWithoutAnyFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := watched(t, time.Hour)
		r.set(func() { r.fails = true })
		r.updates <- standing("switch.type")
		r.pass(10 * time.Second)
		moved := standing("switch.type").Snapshot.Awaited
		moved[1].Sequence = 7
		r.set(func() { r.found = moved })
		r.pass(20 * time.Second)
		require.Zero(t, r.retries)
		r.set(func() { r.fails = false })
		r.pass(2 * lookEvery)
		require.Equal(t, 1, r.retries)
		close(r.updates)
		require.Nil(t, <-r.ended)
	})
}

func TestTheTimeIsOverForEachStepByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := watched(t, time.Minute)
		r.updates <- standing("maintenance.enter")
		r.pass(50 * time.Second)
		r.updates <- runbook.Update{Snapshot: &runbook.Snapshot{}}
		r.pass(2 * time.Minute)
		r.updates <- standing("switch.type")
		r.pass(50 * time.Second)
		require.Empty(t, r.ended)
		r.pass(20 * time.Second)
		p := <-r.ended
		require.Contains(t, p.What, "and they have not come in 1m0s")
		require.Contains(t, p.Hint, "--resume")
		require.Equal(t, runbook.WaitsForSignatures, p.Waits)
	})
}
