package runbook

import (
	"slices"
	"time"
)

// stepRun is a step on the way of this run.
type stepRun struct {
	*step
	status    Status
	note      string
	startedAt time.Time
	endedAt   time.Time
	evidence  []Evidence
	problem   *Problem
	explained Explain // as of the step's start
	wave      int
	slots     []*slot
	blocked   bool // by its check, before anything was done
	failures  int  // since the run was started or resumed
}

// slot is an effect that the current wave wants.
type slot struct {
	effect Effect
	state  slotState
	// ask finds out, while the slot is unknown or asking, whether the effect
	// has reached its goal.
	ask     *Effect
	problem *Problem
	// probe marks the reading effect that follows a refused exit; see probe.
	probe bool
}

type slotState int

const (
	slotWanted  slotState = iota // not begun
	slotActive                   // intended, no result yet
	slotUnknown                  // was intended, perhaps performed: ask is wanted
	slotAsking                   // ask is intended, no result yet
	slotDone
	slotFailed
)

// wanted returns the effects to begin. After a failure nothing more of the
// wave is begun, except a probe.
func (s *stepRun) wanted() []Effect {
	var out []Effect
	failed := s.failure() != nil
	for _, sl := range s.slots {
		if failed && !sl.probe {
			continue
		}
		switch sl.state {
		case slotWanted:
			out = append(out, sl.effect)
		case slotUnknown:
			out = append(out, *sl.ask)
		}
	}
	return out
}

// active returns the effects being performed.
func (s *stepRun) active() []Effect {
	var out []Effect
	for _, sl := range s.slots {
		switch sl.state {
		case slotActive:
			out = append(out, sl.effect)
		case slotAsking:
			out = append(out, *sl.ask)
		}
	}
	return out
}

// slot finds the slot of an effect, and whether the effect is its question.
func (s *stepRun) slot(id EffectID) (sl *slot, asked bool) {
	for _, sl := range s.slots {
		if sl.effect.ID == id {
			return sl, false
		}
		if sl.ask != nil && sl.ask.ID == id {
			return sl, true
		}
	}
	return nil, false
}

// failure returns the first failed slot's problem; one that only waits for
// people comes after the others.
func (s *stepRun) failure() *Problem {
	var waits *Problem
	for _, sl := range s.slots {
		switch {
		case sl.state != slotFailed:
		case sl.problem.Waits == "":
			return sl.problem
		case waits == nil:
			waits = sl.problem
		}
	}
	return waits
}

// over reports whether every effect of the wave succeeded.
func (s *stepRun) over() bool {
	return !slices.ContainsFunc(s.slots, func(sl *slot) bool { return sl.state != slotDone })
}
