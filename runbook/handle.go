package runbook

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The handlers of Step, one per kind of event. They return an error without
// having changed anything, or nil.

func (r *Runbook) start(ev Event) error {
	if ev.Plan == nil {
		return fmt.Errorf("%w: the run has no plan", ErrUnexpected)
	}
	if err := ev.Plan.Validate(); err != nil {
		return err
	}
	r.k = newKnowledge(clonePlan(*ev.Plan))
	r.startedAt = ev.At
	for _, s := range procedureOf(r.k.plan).steps {
		r.path = append(r.path, &stepRun{step: s, status: StatusPending})
	}
	r.enter(0)
	return nil
}

// resume makes every effect that has no result unknown. Reading ones are
// wanted again; of changing ones the step's verification is asked first.
func (r *Runbook) resume() {
	r.k.resumed = true
	clear(r.cancelled)
	run := r.path[r.cur]
	if r.outcome != "" { // it failed where nobody was there to decide
		r.outcome, r.endedAt = "", time.Time{}
		run.failures = 0
		r.again(run)
		return
	}
	run.failures = 0
	if run.afresh && run.status == StatusRunning {
		run.wave = -1
		r.nextWave(run)
		return
	}
	for _, sl := range run.slots {
		if sl.state == slotActive || sl.state == slotAsking {
			r.doubt(run, sl)
		}
	}
}

// doubt prepares an effect of which it is unknown whether it was performed.
func (r *Runbook) doubt(run *stepRun, sl *slot) {
	sl.problem = nil
	if sl.effect.Kind.Mutating() && run.verify.ask != nil {
		if ask := run.verify.ask(r.k, sl.effect); ask != nil {
			r.number(run, ask)
			sl.ask, sl.state = ask, slotUnknown
			return
		}
	}
	r.number(run, &sl.effect)
	sl.ask, sl.state = nil, slotWanted
}

// number gives an effect its identity.
func (r *Runbook) number(run *stepRun, e *Effect) {
	r.seq[run.id]++
	e.Step = run.id
	e.ID = EffectID(fmt.Sprintf("%s#%d", run.id, r.seq[run.id]))
}

func (r *Runbook) intend(ev Event) error {
	if ev.Effect == nil || r.cur < 0 {
		return fmt.Errorf("%w: intended without an effect", ErrUnexpected)
	}
	sl, asked := r.path[r.cur].slot(ev.Effect.ID)
	switch {
	case sl == nil:
		return fmt.Errorf("%w: effect %s is not wanted", ErrUnexpected, ev.Effect.ID)
	case asked && sl.state == slotUnknown && sl.ask.Kind == ev.Effect.Kind:
		sl.state = slotAsking
	case !asked && sl.state == slotWanted && sl.effect.Kind == ev.Effect.Kind:
		sl.state = slotActive
		r.k.intend(sl.effect)
	default:
		return fmt.Errorf("%w: effect %s is not wanted", ErrUnexpected, ev.Effect.ID)
	}
	return nil
}

// settle takes the result of an effect.
func (r *Runbook) settle(ev Event) error {
	if r.cur < 0 {
		return fmt.Errorf("%w: no step runs", ErrUnexpected)
	}
	run := r.path[r.cur]
	sl, asked := run.slot(ev.ID)
	if sl == nil || (asked && sl.state != slotAsking) || (!asked && sl.state != slotActive) {
		return fmt.Errorf("%w: effect %q is not being performed", ErrUnexpected, ev.ID)
	}
	var found *Evidence
	if ev.Evidence != nil {
		c := cloneEvidence(*ev.Evidence)
		found = &c
		performed := sl.effect
		if asked {
			performed = *sl.ask
		}
		r.k.observe(performed, c, ev.At)
		run.evidence = append(lookedAgain(run.evidence, c), c)
	}
	problem := ev.Problem
	if ev.Kind == EventFailed && problem == nil {
		problem = &Problem{What: "the effect failed without a reason"}
	}
	delete(r.cancelled, ev.ID)
	if sl.probe {
		r.k.stayed = ev.Kind == EventDone && found != nil && stillInMaintenance(r.k, *found)
		sl.state = slotDone
		return nil
	}
	if asked {
		if ev.Kind == EventFailed {
			found = nil
		}
		r.answer(run, sl, found, problem)
		return nil
	}
	if ev.Kind == EventFailed {
		sl.state, sl.problem = slotFailed, cloneProblem(problem)
		return nil
	}
	if found == nil {
		found = &Evidence{}
	}
	if problem = r.judge(run, sl.effect, *found); problem != nil {
		sl.state, sl.problem = slotFailed, problem
		return nil
	}
	r.k.accept(sl.effect, *found)
	sl.state = slotDone
	if x := sl.effect.Expect; x != nil && ev.Evidence != nil && len(x.Judge(found.Channels)) == 0 {
		last := &run.evidence[len(run.evidence)-1]
		last.Summary = strings.TrimPrefix(last.Summary+"; proven everywhere: "+x.String(), "; ")
	}
	return nil
}

// answer settles whether an effect in doubt has reached its goal.
func (r *Runbook) answer(run *stepRun, sl *slot, found *Evidence, failure *Problem) {
	holds, problem := run.verify.holds(r.k, sl.effect, found)
	switch {
	case problem != nil:
		if failure != nil {
			problem.Why = strings.TrimPrefix(problem.Why+"; "+failure.Error(), "; ")
		}
		sl.state, sl.problem = slotFailed, problem
	case holds:
		r.k.accept(sl.effect, *found)
		for _, c := range found.Channels {
			r.k.raise(c.Name, highest(c))
		}
		run.evidence = append(run.evidence, Evidence{
			Summary: describe(sl.effect) + " was done already", AlreadyDone: true,
		})
		sl.state = slotDone
	default:
		r.number(run, &sl.effect)
		sl.ask, sl.state = nil, slotWanted
	}
}

func (r *Runbook) judge(run *stepRun, e Effect, ev Evidence) *Problem {
	if p := wellFormed(e, ev); p != nil {
		return p
	}
	return run.do[run.wave].judge(r.k, e, ev)
}

func (r *Runbook) confirm(ev Event) error {
	run := r.path[r.cur]
	if run.status != StatusWaiting || ev.Step != run.id {
		return fmt.Errorf("%w: nothing waits to be confirmed at %q", ErrRefused, ev.Step)
	}
	if want := run.gate(r.k).Typed; want != "" && strings.TrimSpace(ev.Text) != want {
		return fmt.Errorf("%w: type %q to confirm", ErrRefused, want)
	}
	run.note = "confirmed"
	if ev.By != "" {
		run.note += " by " + ev.By
	}
	r.finish(run)
	return nil
}

func (r *Runbook) requestAbort(ev Event) error {
	if open, why := r.abortable(); !open {
		return fmt.Errorf("%w: %s", ErrRefused, why)
	}
	r.abort = &abortRequest{reason: ev.Text, by: ev.By, cause: r.problem}
	return nil
}

func (r *Runbook) retry() error {
	run := r.path[r.cur]
	if run.status != StatusFailed {
		return fmt.Errorf("%w: no step has failed", ErrRefused)
	}
	r.again(run)
	return nil
}

// again wants the failed effects of a step again. Changing ones may have had
// an effect although they failed, so they are in doubt.
func (r *Runbook) again(run *stepRun) {
	waited := run.problem != nil && run.problem.Waits != ""
	run.problem, r.problem = nil, r.cause()
	if run.blocked {
		run.blocked = false
		r.enter(r.cur)
		return
	}
	if !waited && r.revive() {
		return
	}
	run.status, run.endedAt = StatusRunning, time.Time{}
	run.slots = slices.DeleteFunc(run.slots, func(sl *slot) bool { return sl.probe })
	for _, sl := range run.slots {
		if sl.state == slotFailed {
			r.doubt(run, sl)
		}
	}
}

func (r *Runbook) giveUp(ev Event) error {
	run := r.path[r.cur]
	if len(run.active()) > 0 {
		return fmt.Errorf("%w: %s is still being done", ErrRefused, describe(run.active()[0]))
	}
	if r.problem == nil {
		r.problem = &Problem{What: "the operator gave up", Where: string(run.id), Why: ev.Text}
	}
	r.gaveUp = true
	r.end(OutcomeFailed)
	return nil
}

// Validate says what is wrong with a plan.
func (p Plan) Validate() error {
	switch {
	case p.Network == "":
		return fmt.Errorf("%w: the plan names no network", ErrUnexpected)
	case len(p.Orderers) == 0:
		return fmt.Errorf("%w: the plan names no orderer", ErrUnexpected)
	case p.Operation == nil && p.AbortAfter != "" && !slices.Contains(Phases[:slices.Index(Phases, PhaseExit)], p.AbortAfter):
		return fmt.Errorf("%w: a run cannot be rolled back after phase %q", ErrUnexpected, p.AbortAfter)
	}
	if p.Operation != nil {
		if err := p.Operation.validate(p); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, n := range slices.Concat(p.Orderers, p.Brokers, p.ZooKeeper) {
		if n == "" || seen[n] {
			return fmt.Errorf("%w: the plan names node %q twice or not at all", ErrUnexpected, n)
		}
		seen[n] = true
	}
	return nil
}
