package present

import (
	"fmt"
	"slices"
	"strings"

	"raftmig/runbook"
)

// Announce tells what changed between two snapshots, one line per event, for
// prompts and headless runs. prev is nil at the first. verbose adds what each
// step does before it does it.
func Announce(prev, next *runbook.Snapshot, verbose bool) []string {
	if next == nil {
		return nil
	}
	var out []string
	if prev == nil {
		out = append(out, opening(next)...)
	}
	for i, st := range next.Steps {
		var was runbook.StepView
		if prev != nil && i < len(prev.Steps) && prev.Steps[i].ID == st.ID {
			was = prev.Steps[i]
		}
		again := st.Status == runbook.StatusFailed && !st.EndedAt.Equal(was.EndedAt)
		if st.Status == was.Status && !again || was.Status == "" && st.Status == runbook.StatusPending {
			continue
		}
		if prev == nil && (st.Status == runbook.StatusDone || st.Status == runbook.StatusSkipped) && next.Current != i {
			continue // told in the opening
		}
		if st.Status == runbook.StatusSkipped {
			if skippedLikeBefore(prev, next, i) {
				continue
			}
			out = append(out, skippedLine(prev, next, i))
			continue
		}
		out = append(out, stepEvents(next, i, verbose)...)
	}
	if before, now := wayBackText(prev), wayBackText(next); before != now {
		out = append(out, now)
	}
	if next.Problem != nil && (prev == nil || prev.Problem == nil || *prev.Problem != *next.Problem) && !failedNow(next) {
		out = append(out, problemLines("", next.Problem)...)
	}
	if o := Outcome(next); o != "" && (prev == nil || prev.Outcome == "") {
		out = append(out, "result: "+o)
	}
	return out
}

func opening(s *runbook.Snapshot) []string {
	out := []string{fmt.Sprintf("network %s, run %s: %s, %s", Clean(s.Plan.Network), dash(s.Plan.Run), PhaseWord(s.Phase), StepCount(s))}
	done := 0
	for _, st := range s.Steps {
		if st.Status == runbook.StatusDone || st.Status == runbook.StatusSkipped {
			done++
		}
	}
	if done > 0 {
		out = append(out, Plural(done, "step")+" done before this terminal came")
	}
	return out
}

// freshlySkipped reports whether step i is skipped now and was not before.
func freshlySkipped(prev, next *runbook.Snapshot, i int) bool {
	if i < 0 || i >= len(next.Steps) || next.Steps[i].Status != runbook.StatusSkipped {
		return false
	}
	return prev == nil || i >= len(prev.Steps) || prev.Steps[i].Status != runbook.StatusSkipped
}

func skippedLikeBefore(prev, next *runbook.Snapshot, i int) bool {
	return freshlySkipped(prev, next, i-1) && next.Steps[i-1].Note == next.Steps[i].Note
}

// skippedLine tells of step i and of those after it that were skipped with it, for the same reason.
func skippedLine(prev, next *runbook.Snapshot, i int) string {
	last := i
	for freshlySkipped(prev, next, last+1) && next.Steps[last+1].Note == next.Steps[i].Note {
		last++
	}
	head := stepHead(next, i)
	if last > i {
		head = strings.TrimSuffix(head, ": ") + " to " + stepHead(next, last)
	}
	return strings.TrimRight(head+"skipped: "+Clean(next.Steps[i].Note), ": ")
}

func stepEvents(s *runbook.Snapshot, i int, verbose bool) []string {
	st := s.Steps[i]
	head := stepHead(s, i)
	switch st.Status {
	case runbook.StatusRunning:
		line := head + "started: " + Clean(st.Explain.Title)
		if a := About(st.Explain.Estimate); a != "" {
			line += " (" + a + ")"
		}
		out := []string{line}
		if verbose {
			out = append(out, explainLines(st)...)
		}
		return out
	case runbook.StatusDone:
		line := head + "done"
		if !st.StartedAt.IsZero() && !st.EndedAt.IsZero() {
			line += " in " + Seconds(st.EndedAt.Sub(st.StartedAt).Seconds())
		}
		return append([]string{line}, evidenceLines(st)...)
	case runbook.StatusFailed:
		p := st.Problem
		if p == nil {
			p = s.Problem
		}
		if p != nil && p.Waits != "" {
			out := problemLines(head+"WAITS for "+Clean(p.Waits), p)
			if i == s.Current {
				out = append(out, awaitedLines(s)...)
			}
			return out
		}
		out := problemLines(head+"FAILED", p)
		if st.ID == runbook.StepPreflight {
			out = append(out, findingLines(s.Findings)...)
		}
		return out
	case runbook.StatusWaiting:
		return []string{head + "WAITING for you: " + Clean(st.Explain.Title)}
	case runbook.StatusPending:
		return []string{head + "back to pending"}
	}
	return nil
}

func stepHead(s *runbook.Snapshot, i int) string {
	vis := Visible(s)
	for k, j := range vis {
		if j == i {
			return fmt.Sprintf("[%d/%d] %s: ", k+1, len(vis), Clean(string(s.Steps[i].ID)))
		}
	}
	return Clean(string(s.Steps[i].ID)) + ": "
}

func explainLines(st runbook.StepView) []string {
	var out []string
	add := func(label, text string) {
		if text != "" {
			out = append(out, "    "+label+": "+Clean(text))
		}
	}
	e := st.Explain
	add("what", e.What)
	add("why", e.Why)
	add("proof", e.Verify)
	add("undo", e.Undo)
	for _, it := range commandItems(e.Commands) {
		out = append(out, "    "+strings.TrimSpace(it.Label+" ")+map[bool]string{true: "  ", false: ": "}[it.Verbatim]+it.Line.String())
	}
	return out
}

func evidenceLines(st runbook.StepView) []string {
	var out []string
	for _, e := range st.Evidence {
		line := "    evidence: " + Clean(e.Summary)
		if e.AlreadyDone {
			line += " (already so, nothing changed)"
		}
		out = append(out, line)
		out = append(out, findingLines(e.Findings)...)
	}
	return out
}

// mostAwaited is how many updates are told of one by one.
const mostAwaited = 10

// awaitedLines tells which updates lack signatures, and of whom.
func awaitedLines(s *runbook.Snapshot) []string {
	var out []string
	for i, a := range s.Awaited {
		if i == mostAwaited {
			return append(out, fmt.Sprintf("    and %s more", Plural(len(s.Awaited)-i, "update")))
		}
		out = append(out, "    update: "+Clean(signaturesText(a)))
	}
	return out
}

// signaturesText says who has signed an update and, if that is not enough, who
// has not and where it lies.
func signaturesText(a runbook.SignatureState) string {
	by := "nobody"
	if len(a.SignedBy) > 0 {
		by = strings.Join(a.SignedBy, ", ")
	} else if a.Why == "" {
		return a.Channel + ": in force already"
	}
	line := fmt.Sprintf("%s: signed by %s", a.Channel, by)
	if a.Why == "" {
		return line + ", which is enough"
	}
	if len(a.Missing) > 0 {
		line += ", not by " + strings.Join(a.Missing, ", ")
	}
	if a.Renewed {
		line += "; exported anew"
	}
	return line + "; " + a.File
}

// findingLines tells of the findings that are not ok.
func findingLines(fs []runbook.Finding) []string {
	var out []string
	for _, f := range fs {
		if f.Severity == runbook.SeverityOK {
			continue
		}
		out = append(out, fmt.Sprintf("    %s %s: %s", strings.TrimSpace(SeverityWord(f.Severity)), Clean(f.Check), Clean(f.Summary)))
		for _, e := range f.Evidence {
			out = append(out, "         "+Clean(e))
		}
		if f.Hint != "" {
			out = append(out, "         do: "+Clean(f.Hint))
		}
	}
	return out
}

func problemLines(head string, p *runbook.Problem) []string {
	var out []string
	if head != "" {
		out = append(out, head)
	}
	for _, it := range ProblemItems(p) {
		label := it.Label
		if label == "PROBLEM" {
			label = "problem"
		}
		out = append(out, "    "+label+": "+it.Line.String())
	}
	return out
}

func failedNow(s *runbook.Snapshot) bool {
	return s.Current >= 0 && s.Current < len(s.Steps) && s.Steps[s.Current].Status == runbook.StatusFailed
}

func wayBackText(s *runbook.Snapshot) string {
	if s == nil {
		return ""
	}
	return WayBack(s).String()
}

// Quarter tells that an effect that moves bytes has come through another
// quarter; "" otherwise. Copying and restoring take long enough to be told of.
func Quarter(prev, next *runbook.Progress) string {
	if next == nil || next.Unit != "bytes" || next.Total <= 0 {
		return ""
	}
	before := int64(0)
	if prev != nil && prev.Effect == next.Effect {
		before = 4 * prev.Done / next.Total
	}
	if now := 4 * next.Done / next.Total; now > before {
		return fmt.Sprintf("    %d%%: %s", 25*now, ProgressText(next))
	}
	return ""
}

// Notices picks what is told of progress, for prompts and headless runs: the
// quarters of what moves bytes, and once each what keeps effects from going on
// and that it is over. The zero value is ready.
type Notices struct {
	last    *runbook.Progress
	alarmed map[runbook.EffectID]bool
}

// Progress takes in progress; "" if there is nothing to tell.
func (n *Notices) Progress(p *runbook.Progress) string {
	if p == nil {
		return ""
	}
	line := Quarter(n.last, p)
	n.last = p
	switch {
	case p.Alarm && len(n.alarmed) == 0:
		line = "    WAITS: " + ProgressText(p)
	case !p.Alarm && n.alarmed[p.Effect] && len(n.alarmed) == 1:
		line = "    " + Clean(p.Text)
	}
	if p.Alarm {
		if n.alarmed == nil {
			n.alarmed = map[runbook.EffectID]bool{}
		}
		n.alarmed[p.Effect] = true
	} else {
		delete(n.alarmed, p.Effect)
	}
	return line
}

// Snapshot forgets the effects that have ended.
func (n *Notices) Snapshot(s *runbook.Snapshot) {
	for id := range n.alarmed {
		if !slices.ContainsFunc(s.Active, func(e runbook.Effect) bool { return e.ID == id }) {
			delete(n.alarmed, id)
		}
	}
}

// LogText is a log line for prompts and headless runs.
func LogText(r LogRow) string {
	parts := []string{}
	for _, p := range []string{r.Time, r.Node, r.Label, r.Text} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return "log: " + strings.Join(parts, " ")
}
