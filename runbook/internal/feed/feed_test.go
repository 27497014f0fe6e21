package feed

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// all finishes the hub and returns everything that a subscriber still gets.
func all(h *Hub, s *Subscriber) []runbook.Update {
	h.Close()
	var out []runbook.Update
	for u := range s.Updates() {
		out = append(out, u)
	}
	return out
}

func TestASubscriberThatFetchesLateGetsTheNewestOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub()
		s := h.Subscribe()
		synctest.Wait() // the number of subscribers is on its way
		for i := range 10 {
			h.Snapshot(runbook.Snapshot{Current: i})
			h.Progress(runbook.Progress{Effect: "a", Done: int64(i)})
			h.Progress(runbook.Progress{Effect: "b", Done: int64(100 + i)})
			h.Log(runbook.LogLine{Text: fmt.Sprint(i)})
		}
		got := all(h, s)
		require.Len(t, got, 3)
		require.Equal(t, 1, got[0].Clients)
		require.Equal(t, 9, got[1].Snapshot.Current)
		require.Len(t, got[1].Log, 10)
		require.Equal(t, runbook.Progress{Effect: "a", Done: 9}, *got[1].Progress)
		require.Equal(t, runbook.Progress{Effect: "b", Done: 109}, *got[2].Progress)
	})
}

func TestProgressOfManyEffectsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub()
		s := h.Subscribe()
		synctest.Wait()
		for i := range 3 * progressKept {
			h.Progress(runbook.Progress{Effect: runbook.EffectID(fmt.Sprint(i))})
		}
		got := all(h, s)
		require.Len(t, got, 1+progressKept)
		require.Equal(t, runbook.EffectID(fmt.Sprint(3*progressKept-1)), got[len(got)-1].Progress.Effect)
	})
}

func TestASubscriberThatComesAfterTheEndGetsTheLastState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub()
		h.Snapshot(runbook.Snapshot{Current: 5})
		h.Close()
		s := h.Subscribe()
		u, ok := <-s.Updates()
		require.True(t, ok)
		require.Equal(t, 5, u.Snapshot.Current)
		_, ok = <-s.Updates()
		require.False(t, ok)
	})
}

func TestASubscriberThatLeavesEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub()
		s := h.Subscribe()
		h.Snapshot(runbook.Snapshot{})
		h.Unsubscribe(s)
		h.Unsubscribe(s)
		synctest.Wait() // a goroutine that stays would fail the test
		h.Snapshot(runbook.Snapshot{})
	})
}
