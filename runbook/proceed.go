package runbook

import (
	"fmt"
	"time"
)

// proceed goes on from step to step as far as the state allows. It is called
// after every event.
func (r *Runbook) proceed() {
	for r.outcome == "" {
		run := r.path[r.cur]
		switch {
		case len(run.active()) > 0:
			return
		case r.abort != nil && !r.k.rollingBack:
			r.turnBack()
		case run.status == StatusDone || run.status == StatusSkipped:
			if !r.next() {
				return
			}
		case run.status == StatusRunning && run.failure() != nil:
			if r.closedAgain() {
				r.turnForward(run.failure())
				continue
			}
			if r.probe(run) {
				return
			}
			r.fail(run, run.failure())
		case run.status == StatusRunning && run.over():
			r.nextWave(run)
		default:
			return
		}
	}
}

// enter begins the step at index i of the path.
func (r *Runbook) enter(i int) {
	r.cur = i
	run := r.path[i]
	run.startedAt, run.endedAt = r.last, time.Time{}
	run.explained = explainStep(run.step, r.k)
	if run.skip != nil {
		if why := run.skip(r.k); why != "" {
			run.status, run.note, run.endedAt = StatusSkipped, why, r.last
			return
		}
	}
	if run.check != nil {
		if p := run.check(r.k); p != nil {
			run.blocked = true
			r.fail(run, p)
			return
		}
	}
	switch {
	case run.gate != nil && r.k.plan.Unattended:
		run.note = "passed without asking: the run is unattended"
		r.finish(run)
	case run.gate != nil:
		run.status = StatusWaiting
	default:
		run.status, run.wave = StatusRunning, -1
		r.nextWave(run)
	}
}

// nextWave plans the next wave that has effects, or finishes the step.
func (r *Runbook) nextWave(run *stepRun) {
	for run.wave++; run.wave < len(run.do); run.wave++ {
		run.slots = nil
		for _, e := range run.do[run.wave].effects(r.k) {
			r.number(run, &e)
			sl := &slot{effect: e}
			run.slots = append(run.slots, sl)
			if run.id == StepExitNormal && e.Kind == SubmitUpdate && r.k.intended[e.Change][e.Channel] {
				r.doubt(run, sl) // before a way back that was closed again
			}
		}
		if len(run.slots) > 0 {
			return
		}
	}
	run.slots = nil
	r.finish(run)
}

func (r *Runbook) finish(run *stepRun) {
	run.status, run.endedAt = StatusDone, r.last
	r.k.resumed = false
}

// next enters the step after the current one; false if the run has ended.
func (r *Runbook) next() bool {
	run := r.path[r.cur]
	last := r.cur == len(r.path)-1 || r.path[r.cur+1].phase() != run.phase()
	switch {
	case !r.k.rollingBack && last && run.phase() == r.k.plan.AbortAfter:
		r.abort = &abortRequest{reason: fmt.Sprintf("the plan asks for it after phase %s", run.phase())}
		r.turnBack()
	case r.cur < len(r.path)-1:
		r.enter(r.cur + 1)
	case r.k.rollingBack:
		r.end(OutcomeRolledBack)
		return false
	default:
		r.end(procedureOf(r.k.plan).done)
		return false
	}
	return true
}

// attempts is how often an unattended run tries a step where it cannot go back
// any more, or is on its way back.
const attempts = 3

// fail lets the run stand still at a step; an unattended run goes back by
// itself as long as it can, unless it only waits for what people bring.
func (r *Runbook) fail(run *stepRun, p *Problem) {
	run.status, run.problem, run.endedAt = StatusFailed, cloneProblem(p), r.last
	r.problem = cloneProblem(p)
	if p.Waits != "" {
		return
	}
	run.failures++
	if !r.k.plan.Unattended {
		return
	}
	open, _ := r.abortable()
	switch {
	case !open && run.failures < attempts:
		r.again(run)
	case open && r.k.changed:
		r.abort = &abortRequest{reason: "step " + string(run.id) + " failed", cause: r.problem}
	default:
		r.end(OutcomeFailed)
	}
}

func (r *Runbook) end(o Outcome) {
	r.outcome, r.endedAt = o, r.last
}
