package runbook

import (
	"fmt"
	"slices"
	"time"
)

// The way back: whether it is open, and turning into it.

// abortable says whether the run can be rolled back now, and if not, why (R9).
func (r *Runbook) abortable() (open bool, why string) {
	switch {
	case r.k == nil:
		return false, "the run has not started"
	case r.outcome != "":
		return false, "the run has ended"
	case r.k.rollingBack:
		return false, "the run is on its way back already"
	case r.abort != nil:
		return false, "the way back was asked for already; what is being done ends first"
	default:
		why = procedureOf(r.k.plan).closed(r.k)
		return why == "", why
	}
}

// migrationClosed is R9.
func migrationClosed(k *knowledge) string {
	if k.exiting && !k.stayed {
		return "an update that leaves maintenance mode on Raft was submitted: from then on clients " +
			"may have transactions on Raft that Kafka does not have (guide, Abort and rollback)"
	}
	return ""
}

// abortNote tells the operator what going back costs now, or why it is closed.
func (r *Runbook) abortNote() string {
	open, why := r.abortable()
	switch {
	case r.k == nil:
		return ""
	case !open:
		return "No way back: " + why + "."
	case r.k.exiting:
		return "The update that leaves maintenance mode was refused, and every node of every channel was " +
			"seen to be in maintenance still. Going back restores the backup and starts Kafka again."
	default:
		return procedureOf(r.k.plan).cost(r.k)
	}
}

// wayBack says what going back takes from what has been done so far.
func wayBack(k *knowledge) string {
	switch {
	case !k.changed:
		return "Nothing has been changed. Going back only ends the run."
	case k.switching():
		return "Going back stops everything, restores the backup, removes the Raft folders, starts Kafka " +
			"and the orderers and leaves maintenance mode on Kafka. No transaction is lost: none was accepted since."
	case k.stopped:
		return "Going back starts what was stopped and leaves maintenance mode on Kafka. Nothing is restored."
	default:
		return "Going back takes one update per channel that entered maintenance mode. Nothing is stopped or restored."
	}
}

// turnBack leaves the way forward for the way back.
func (r *Runbook) turnBack() {
	for _, run := range r.path {
		switch run.status {
		case StatusPending:
			run.status, run.note = StatusSkipped, "not reached: the run was rolled back"
		case StatusRunning, StatusWaiting:
			run.status, run.endedAt = StatusSkipped, r.last
			run.note = "left for the way back"
			if r.abort.reason != "" {
				run.note += ": " + r.abort.reason
			}
		}
		run.slots = nil
	}
	r.k.rollingBack = true
	first := len(r.path)
	for _, s := range procedureOf(r.k.plan).back {
		r.path = append(r.path, &stepRun{step: s, status: StatusPending})
	}
	if first == len(r.path) {
		r.end(OutcomeRolledBack)
		return
	}
	r.enter(first)
}

// revive lets a failed step of the way back, from the starting of brokers on,
// be tried again from that step: something may have died since, and on the way
// back it is started again wherever it lies down. What is in force or runs
// already is found so by the steps. It reports whether it did.
func (r *Runbook) revive() bool {
	first := slices.IndexFunc(r.path, func(s *stepRun) bool { return s.id == StepRollbackStartBrokers })
	if !r.k.rollingBack || first < 0 || r.cur < first {
		return false
	}
	for _, run := range r.path[first : r.cur+1] {
		run.status, run.note, run.slots, run.endedAt = StatusPending, "", nil, time.Time{}
	}
	r.enter(first)
	return true
}

// cause returns the failure that the run is going back for, if any.
func (r *Runbook) cause() *Problem {
	if r.abort == nil {
		return nil
	}
	return cloneProblem(r.abort.cause)
}

// probe looks, after an update that was to leave maintenance failed, whether
// the channels are in maintenance still. Only if every node of every channel
// says so is the way back open again: the guide counts a failed exit of the
// system channel among the signs that the backup is needed. It reports whether
// there is something to wait for.
func (r *Runbook) probe(run *stepRun) bool {
	if run.id != StepExitNormal || !r.k.exiting || len(r.k.settled[ChangeExitMaintenance]) > 0 {
		return false
	}
	for _, sl := range run.slots {
		if sl.probe {
			return sl.state != slotDone
		}
	}
	x := Expectation{State: StateNormal}
	e := Effect{Kind: AwaitChannels, Channels: allChannels(r.k), Expect: &x, Timeout: settle}
	r.number(run, &e)
	run.slots = append(run.slots, &slot{effect: e, probe: true})
	return true
}

// stillInMaintenance reports whether every node of every channel shows Raft in
// maintenance.
func stillInMaintenance(k *knowledge, ev Evidence) bool {
	if unseen(k.plan.Orderers, k.channels, ev.Channels) != nil {
		return false
	}
	return len(expectAfter(k, ChangeSwitchType).Judge(ev.Channels)) == 0
}

// String says what the effect does, in a few words.
func (e Effect) String() string { return describe(e) }

func describe(e Effect) string {
	switch {
	case e.Kind == SubmitUpdate:
		return fmt.Sprintf("update %s on %s", e.Change, e.Channel)
	case e.Kind == CollectSignatures:
		return fmt.Sprintf("%s for %s", e.Kind, e.Change)
	case e.Kind == JoinChannel:
		return fmt.Sprintf("%s %s on %s", e.Kind, e.Channel, list(e.Nodes))
	case e.Kind.Mutating() && len(e.Nodes) > 0:
		return fmt.Sprintf("%s %s", e.Kind, list(e.Nodes))
	case e.Tier != "":
		return fmt.Sprintf("%s %s", e.Kind, e.Tier)
	default:
		return string(e.Kind)
	}
}
