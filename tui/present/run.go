package present

import (
	"fmt"
	"strings"
	"time"

	"raftmig/runbook"
)

// Mood is the state of the whole run in the one word that the header shows.
type Mood string

// The moods.
const (
	MoodConnecting  Mood = "CONNECTING"
	MoodRunning     Mood = "RUNNING"
	MoodRollingBack Mood = "ROLLING BACK"
	MoodWaiting     Mood = "WAITING FOR YOU"
	MoodStill       Mood = "STANDS STILL"
	MoodMigrated    Mood = "MIGRATED"
	MoodDone        Mood = "DONE"
	MoodRolledBack  Mood = "ROLLED BACK"
	MoodFailed      Mood = "FAILED"
	MoodLost        Mood = "CONNECTION LOST"
)

// MoodOf reads the mood off a snapshot; lost says that the connection to the
// run is gone while the run has not ended as far as is known.
func MoodOf(s *runbook.Snapshot, lost bool) Mood {
	switch {
	case s != nil && s.Outcome == runbook.OutcomeMigrated:
		return MoodMigrated
	case s != nil && s.Outcome == runbook.OutcomeDone:
		return MoodDone
	case s != nil && s.Outcome == runbook.OutcomeRolledBack:
		return MoodRolledBack
	case s != nil && s.Outcome != "":
		return MoodFailed
	case lost:
		return MoodLost
	case s == nil:
		return MoodConnecting
	case Waits(s):
		return MoodWaiting
	case Still(s):
		return MoodStill
	case s.Phase == runbook.PhaseRollback:
		return MoodRollingBack
	default:
		return MoodRunning
	}
}

// Waits reports whether the run waits at a gate for a person. One that is
// unattended passes its gates by itself.
func Waits(s *runbook.Snapshot) bool {
	return s != nil && s.Outcome == "" && s.Gate != nil && !s.Plan.Unattended
}

// Still reports whether the run stands still on a problem, waiting for retry,
// abort or give up. A run that rolls back keeps the problem it rolls back for;
// that does not stop it. One that is unattended rolls back or ends by itself,
// unless it stands still for what people bring.
func Still(s *runbook.Snapshot) bool {
	if s == nil || s.Outcome != "" || s.Gate != nil || s.Plan.Unattended && len(s.Awaited) == 0 {
		return false
	}
	if s.Current < 0 || s.Current >= len(s.Steps) {
		return s.Problem != nil && len(s.Active) == 0
	}
	return s.Steps[s.Current].Status == runbook.StatusFailed
}

// ProblemOf is the problem that the run stands still on, or failed with.
func ProblemOf(s *runbook.Snapshot) *runbook.Problem {
	if s == nil {
		return nil
	}
	if s.Current >= 0 && s.Current < len(s.Steps) && s.Steps[s.Current].Status == runbook.StatusFailed && s.Steps[s.Current].Problem != nil {
		return s.Steps[s.Current].Problem
	}
	return s.Problem
}

// Tone is the tone of the mood's word.
func (m Mood) Tone() Tone {
	switch m {
	case MoodMigrated, MoodDone, MoodRolledBack:
		return Good
	case MoodFailed, MoodStill, MoodLost:
		return Bad
	case MoodWaiting, MoodRollingBack:
		return Warn
	default:
		return Strong
	}
}

// PhaseWord is the phase as the operator speaks of it.
func PhaseWord(p runbook.Phase) string {
	if p == "" {
		return "start"
	}
	return Clean(string(p))
}

// Visible are the indexes of the steps to show. The steps of the rollback are
// left out while no rollback is on; the rest stays, so that the list never jumps.
func Visible(s *runbook.Snapshot) []int {
	if s == nil {
		return nil
	}
	back := s.Phase == runbook.PhaseRollback
	for _, st := range s.Steps {
		back = back || st.Phase == runbook.PhaseRollback && st.Status != runbook.StatusPending
	}
	var out []int
	for i, st := range s.Steps {
		if st.Phase == runbook.PhaseRollback && !back {
			continue
		}
		out = append(out, i)
	}
	return out
}

// LastStep is the index of the current step or, where there is none, of the
// last one that was begun or left out; 0 if none was.
func LastStep(s *runbook.Snapshot) int {
	if s.Current >= 0 {
		return min(s.Current, max(0, len(s.Steps)-1))
	}
	last := 0
	for i, st := range s.Steps {
		if st.Status != runbook.StatusPending {
			last = i
		}
	}
	return last
}

// StepCount says where the run is: "step 7 of 27", "rollback step 2 of 7".
func StepCount(s *runbook.Snapshot) string {
	if s == nil || len(s.Steps) == 0 {
		return ""
	}
	of := func(name string, in func(runbook.StepView) bool) string {
		n, at := 0, 0
		for i, st := range s.Steps {
			if !in(st) {
				continue
			}
			n++
			if i == s.Current {
				at = n
			}
		}
		if at == 0 {
			return fmt.Sprintf("%d %ss", n, name)
		}
		return fmt.Sprintf("%s %d of %d", name, at, n)
	}
	back := func(st runbook.StepView) bool { return st.Phase == runbook.PhaseRollback }
	if s.Phase == runbook.PhaseRollback {
		return of("rollback step", back)
	}
	return of("step", func(st runbook.StepView) bool { return !back(st) })
}

// Elapsed is how long the run took so far, or took.
func Elapsed(s *runbook.Snapshot, now time.Time) time.Duration {
	if s == nil || s.StartedAt.IsZero() {
		return 0
	}
	if !s.EndedAt.IsZero() {
		now = s.EndedAt
	}
	return max(0, now.Sub(s.StartedAt))
}

// Remaining sums the estimates of the steps that are still to come in this
// direction; 0 if the run has ended or nothing is known.
func Remaining(s *runbook.Snapshot, now time.Time) time.Duration {
	if s == nil || s.Outcome != "" {
		return 0
	}
	var left time.Duration
	for _, st := range s.Steps {
		if (st.Phase == runbook.PhaseRollback) != (s.Phase == runbook.PhaseRollback) {
			continue
		}
		switch st.Status {
		case runbook.StatusPending, runbook.StatusFailed:
			left += st.Explain.Estimate
		case runbook.StatusRunning:
			left += max(0, st.Explain.Estimate-now.Sub(st.StartedAt))
		}
	}
	return left
}

// WayBack is the line about the last rollback point. It is on the screen at
// all times.
func WayBack(s *runbook.Snapshot) Line {
	label := Span{Label, "way back: "}
	if s == nil {
		return Line{label, {Muted, "not known yet"}}
	}
	note := strings.TrimPrefix(strings.TrimPrefix(Clean(s.AbortNote), "No way back: "), "Going back ")
	if len(note) > 1 && note[1] >= 'a' && note[1] <= 'z' { // it goes on after a dash
		note = strings.ToLower(note[:1]) + note[1:]
	}
	join := func(word string, tone Tone) Line {
		if note == "" || strings.EqualFold(note, word) {
			return Line{label, {tone, word}}
		}
		return Line{label, {tone, word}, {Normal, " - " + note}}
	}
	switch {
	case s.Outcome == runbook.OutcomeRolledBack && s.Plan.Operation != nil:
		return Line{label, {Good, "taken"}, {Normal, " - nothing was changed"}}
	case s.Outcome == runbook.OutcomeRolledBack:
		return Line{label, {Good, "taken"}, {Normal, " - the network is back on Kafka"}}
	case s.AbortOffered:
		return join("open", Good)
	case s.AbortAsked:
		return Line{label, {Warn, "asked for"}, {Normal, " - what is being done ends first"}}
	case s.Phase == runbook.PhaseRollback:
		return join("being taken", Warn)
	default:
		return join("closed", Strong)
	}
}

// FirstSentence cuts a line after its first sentence.
func FirstSentence(l Line) Line {
	var out Line
	for _, s := range l {
		if i := strings.Index(s.Text, ". "); i >= 0 {
			return append(out, Span{s.Tone, s.Text[:i+1]})
		}
		out = append(out, s)
	}
	return out
}

// Outcome is the sentence about the end of a run; "" while it has not ended.
func Outcome(s *runbook.Snapshot) string {
	if s == nil {
		return ""
	}
	took := ""
	if !s.EndedAt.IsZero() {
		took = " in " + Duration(Elapsed(s, s.EndedAt))
	}
	switch s.Outcome {
	case "":
		return ""
	case runbook.OutcomeMigrated:
		return fmt.Sprintf("Migrated%s: %s on Raft, in normal operation.", took, Plural(len(s.Channels), "channel"))
	case runbook.OutcomeDone:
		return fmt.Sprintf("Done%s: %s, proven on %s.", took, Clean(s.Plan.Operation.String()), Plural(len(s.Channels), "channel"))
	case runbook.OutcomeRolledBack:
		if s.Plan.Operation != nil {
			return fmt.Sprintf("Ended%s as asked for: nothing was changed.", took)
		}
		return fmt.Sprintf("Rolled back%s: the network is on Kafka again.", took)
	default:
		return fmt.Sprintf("Ended without success%s. Read the problem and the evidence before anything else.", took)
	}
}
