package runbook

import "slices"

// Snapshot returns the whole state of the run. It shares nothing with the runbook.
func (r *Runbook) Snapshot() Snapshot {
	s := Snapshot{Current: r.current()}
	if r.k == nil {
		return s
	}
	s.Plan = clonePlan(r.k.plan)
	s.Outcome, s.Resumable = r.outcome, r.resumable()
	s.StartedAt, s.EndedAt = r.startedAt, r.endedAt
	s.Problem = cloneProblem(r.problem)
	s.Channels, s.ObservedAt = r.k.matrix(), r.k.observedAt
	s.Metadata = clonePtr(r.k.metadata, cloneMetadata)
	s.Findings = cloneFindings(r.k.findings)
	s.AbortOffered, _ = r.abortable()
	s.AbortNote = r.abortNote()
	s.AbortAsked = r.outcome == "" && r.abort != nil && !r.k.rollingBack
	for _, run := range r.path {
		s.Steps = append(s.Steps, r.view(run))
	}
	run := r.path[r.cur]
	if run.status == StatusFailed && run.problem.Waits == WaitsForSignatures {
		s.Awaited = r.k.awaited()
	}
	s.Phase = run.phase()
	s.Active = cloneEffects(run.active())
	if run.status == StatusWaiting && r.outcome == "" {
		g := run.gate(r.k)
		g.Step = run.id
		s.Gate = &g
	}
	return s
}

// Outcome returns how the run ended, "" if it has not. It costs nothing, unlike
// Snapshot.
func (r *Runbook) Outcome() Outcome { return r.outcome }

// current returns the index of the step that runs, waits or failed, -1 if none.
func (r *Runbook) current() int {
	if r.cur < 0 {
		return -1
	}
	switch r.path[r.cur].status {
	case StatusRunning, StatusWaiting, StatusFailed:
		return r.cur
	default:
		return -1
	}
}

func (r *Runbook) view(run *stepRun) StepView {
	v := StepView{
		ID: run.id, Phase: run.phase(), Status: run.status, Note: run.note,
		StartedAt: run.startedAt, EndedAt: run.endedAt,
		Explain: run.explained,
		Problem: cloneProblem(run.problem),
	}
	if run.status == StatusPending || v.Explain.Title == "" {
		v.Explain = explainStep(run.step, r.k)
	}
	if run == r.path[r.cur] && r.current() >= 0 && run.undo != nil {
		v.Explain.Undo = run.undo(r.k)
	}
	v.Explain.Commands = slices.Clone(v.Explain.Commands)
	for _, ev := range run.evidence {
		v.Evidence = append(v.Evidence, cloneEvidence(ev))
	}
	return v
}

func cloneEffects(in []Effect) []Effect {
	var out []Effect
	for _, e := range in {
		out = append(out, cloneEffect(e))
	}
	return out
}
