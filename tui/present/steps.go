package present

import (
	"fmt"
	"strings"
	"time"

	"raftmig/runbook"
)

// StatusWord is the word for a step's state.
func StatusWord(st runbook.Status) string {
	switch st {
	case runbook.StatusWaiting, runbook.StatusFailed:
		return strings.ToUpper(string(st))
	case "":
		return string(runbook.StatusPending)
	default:
		return Clean(string(st))
	}
}

// StatusTone is the tone of a step's state.
func StatusTone(st runbook.Status) Tone {
	switch st {
	case runbook.StatusDone:
		return Good
	case runbook.StatusRunning:
		return Strong
	case runbook.StatusWaiting:
		return Warn
	case runbook.StatusFailed:
		return Bad
	default:
		return Muted
	}
}

// StepName is a step's short name: its ID without the phase.
func StepName(id runbook.StepID) string {
	_, name, ok := strings.Cut(string(id), ".")
	if !ok {
		name = string(id)
	}
	return Clean(name)
}

// StepTime is how long a step took, takes, or should take; "" if unknown.
func StepTime(st runbook.StepView, now time.Time) string {
	switch {
	case st.StartedAt.IsZero():
		return ""
	case !st.EndedAt.IsZero():
		return Duration(st.EndedAt.Sub(st.StartedAt).Round(time.Second))
	case st.Status == runbook.StatusRunning:
		return Duration(now.Sub(st.StartedAt))
	default:
		return ""
	}
}

// StepRow is one row of the step list: a phase, or a step under its phase.
type StepRow struct {
	Phase  bool
	Step   int // index into Snapshot.Steps; of the phase's first step in a phase row
	Name   string
	Title  string
	Status runbook.Status
	// Detail stands at the right: "3/5" of a phase, the time or the state's word of a step.
	Detail string
}

// StepRows lays out phases and steps in at most height rows. The phase of the
// step focus and the phase of the current step are unfolded; so are others,
// from the current one on and then backwards, as long as all rows fit. A phase that is folded
// shows its count.
func StepRows(s *runbook.Snapshot, now time.Time, focus, height int) []StepRow {
	groups := groupSteps(s)
	open := make([]bool, len(groups))
	rows := len(groups)
	unfold := func(i int) {
		if !open[i] {
			open[i] = true
			rows += len(groups[i].steps)
		}
	}
	cur := 0
	for i, g := range groups {
		if g.holds(s.Current) {
			cur = i
		}
	}
	for i, g := range groups {
		if g.holds(focus) {
			unfold(i)
		}
	}
	for i := cur; i < len(groups); i++ { // onwards, then back, as far as there is room
		if !open[i] && rows+len(groups[i].steps) > height {
			break
		}
		unfold(i)
	}
	for i := cur; i >= 0; i-- {
		if !open[i] && rows+len(groups[i].steps) > height {
			break
		}
		unfold(i)
	}
	var out []StepRow
	for i, g := range groups {
		out = append(out, g.row(s))
		if !open[i] {
			continue
		}
		for _, j := range g.steps {
			out = append(out, stepRow(s.Steps[j], j, now))
		}
	}
	return out
}

type stepGroup struct {
	phase runbook.Phase
	steps []int
}

func (g stepGroup) holds(step int) bool {
	for _, i := range g.steps {
		if i == step {
			return true
		}
	}
	return false
}

// row sums a phase up. A step that had nothing to do counts as done; one that
// was left out because the run turned back does not.
func (g stepGroup) row(s *runbook.Snapshot) StepRow {
	status, done, skipped := runbook.StatusPending, 0, 0
	for _, i := range g.steps {
		switch st := s.Steps[i].Status; st {
		case runbook.StatusDone:
			done++
		case runbook.StatusSkipped:
			skipped++
		case runbook.StatusRunning, runbook.StatusWaiting, runbook.StatusFailed:
			status = st
		}
	}
	left := turnedBack(s) && g.phase != runbook.PhaseRollback && skipped > 0
	if !left {
		done += skipped
	}
	detail := fmt.Sprintf("%d/%d", done, len(g.steps))
	switch {
	case status != runbook.StatusPending:
	case skipped == len(g.steps):
		status, detail = runbook.StatusSkipped, string(runbook.StatusSkipped)
	case left:
		status = runbook.StatusSkipped
	case done == len(g.steps):
		status = runbook.StatusDone
	case done > 0:
		status = runbook.StatusRunning
	}
	name := PhaseWord(g.phase)
	return StepRow{Phase: true, Step: g.steps[0], Name: name, Title: name, Status: status, Detail: detail}
}

// turnedBack reports whether the run has left the way forward.
func turnedBack(s *runbook.Snapshot) bool {
	return s.Phase == runbook.PhaseRollback || s.Outcome == runbook.OutcomeRolledBack
}

func groupSteps(s *runbook.Snapshot) []stepGroup {
	var groups []stepGroup
	for _, i := range Visible(s) {
		p := s.Steps[i].Phase
		if len(groups) == 0 || groups[len(groups)-1].phase != p {
			groups = append(groups, stepGroup{phase: p})
		}
		g := &groups[len(groups)-1]
		g.steps = append(g.steps, i)
	}
	return groups
}

func stepRow(st runbook.StepView, i int, now time.Time) StepRow {
	r := StepRow{Step: i, Name: StepName(st.ID), Title: Clean(st.Explain.Title), Status: st.Status}
	if r.Title == "" {
		r.Title = r.Name
	}
	switch st.Status {
	case runbook.StatusDone:
		r.Detail = StepTime(st, now)
	case runbook.StatusRunning:
		r.Detail = strings.TrimSpace("running " + StepTime(st, now))
	case runbook.StatusPending:
	default:
		r.Detail = StatusWord(st.Status)
	}
	return r
}

// ExplainItems is what the operator reads about a step, most needed first.
func ExplainItems(st runbook.StepView, now time.Time) []Item {
	e := st.Explain
	state := StatusWord(st.Status)
	if t := StepTime(st, now); t != "" {
		state += " " + t
	}
	out := []Item{{Line: Line{{Strong, Clean(e.Title)}, {Normal, "  "}, {StatusTone(st.Status), state}}}}
	add := func(label string, tone Tone, text string) {
		if text != "" {
			out = append(out, Field(label, tone, text))
		}
	}
	add("note", Warn, st.Note)
	if st.Problem != nil {
		out = append(out, ProblemItems(st.Problem)...)
	}
	add("what", Normal, e.What)
	add("why", Normal, e.Why)
	add("proof", Normal, e.Verify)
	add("undo", Normal, e.Undo)
	add("time", Normal, About(e.Estimate))
	add("guide", Muted, e.Guide)
	return append(out, commandItems(e.Commands)...)
}

// commandItems are the equivalent commands, line by line as they stand.
func commandItems(commands []string) []Item {
	if len(commands) == 0 {
		return nil
	}
	out := []Item{Field("by hand", Muted, "the equivalent commands")}
	for _, c := range commands {
		for _, l := range strings.Split(c, "\n") {
			out = append(out, Item{Line: T(Code, l), Verbatim: true})
		}
	}
	return out
}

// ProblemItems shows a problem: what, where, why, and what to do.
func ProblemItems(p *runbook.Problem) []Item {
	if p == nil {
		return nil
	}
	out := []Item{Field("PROBLEM", Bad, p.What)}
	add := func(label string, tone Tone, text string) {
		if text != "" {
			out = append(out, Field(label, tone, text))
		}
	}
	add("where", Normal, p.Where)
	add("cause", Normal, p.Why)
	add("do", Strong, p.Hint)
	add("ref", Muted, p.Ref)
	return out
}

// ProgressText says how far an effect has come: "3/5 channels  ch1 on orderer2";
// of one that cannot go on, why.
func ProgressText(p *runbook.Progress) string {
	if p == nil {
		return ""
	}
	text := Clean(p.Text)
	if p.Total <= 0 || p.Alarm {
		return text
	}
	var count string
	if p.Unit == "bytes" {
		count = Bytes(p.Done) + " of " + Bytes(p.Total)
	} else {
		count = strings.TrimSpace(fmt.Sprintf("%d of %d %s", p.Done, p.Total, Clean(p.Unit)))
	}
	return strings.TrimSpace(count + "  " + text)
}

// Fraction is the share of an effect that is done, 0 to 1; -1 if unknown.
func Fraction(p *runbook.Progress) float64 {
	if p == nil || p.Total <= 0 || p.Alarm {
		return -1
	}
	return min(1, max(0, float64(p.Done)/float64(p.Total)))
}

// EffectText says what an effect does.
func EffectText(e runbook.Effect) string {
	words := map[runbook.EffectKind]string{
		runbook.GatherFacts:       "looking at every node",
		runbook.ListChannels:      "listing channels",
		runbook.ReadChannels:      "reading channels",
		runbook.AwaitChannels:     "waiting until every node shows it",
		runbook.BuildMetadata:     "building the consenter metadata",
		runbook.VerifyBackup:      "verifying the backup",
		runbook.ReadLedgers:       "reading the ledgers of orderers that are down",
		runbook.ProveFlush:        "comparing Kafka with the ledgers",
		runbook.ReadProcesses:     "looking at processes",
		runbook.CollectSignatures: "looking for signatures of " + strings.ReplaceAll(string(e.Change), "-", " "),
		runbook.SendTransactions:  "sending a transaction to every channel",
		runbook.StopNodes:         "stopping " + string(e.Tier),
		runbook.StartNodes:        "starting " + string(e.Tier),
		runbook.TakeBackup:        "copying the backup",
		runbook.RestoreBackup:     "restoring the backup",
		runbook.RemoveRaftState:   "removing Raft state",

		runbook.JoinChannel:         "joining a channel",
		runbook.HandOverBlock:       "handing over the newest config block",
		runbook.InstallCertificates: "installing certificates",
	}
	if e.Kind == runbook.SubmitUpdate {
		return Clean(fmt.Sprintf("%s on %s", strings.ReplaceAll(string(e.Change), "-", " "), e.Channel))
	}
	if w, ok := words[e.Kind]; ok {
		return Clean(w)
	}
	return Clean(string(e.Kind))
}
