package runbook

import (
	"strings"
	"time"
)

// step is one step of the procedure. Its functions are pure: they look at what
// is known and return data.
type step struct {
	id StepID
	// skip says why there is nothing to do, "" if there is. nil never skips.
	skip func(k *knowledge) string
	// check says why the step may not start, nil if it may.
	check func(k *knowledge) *Problem
	// gate makes the step wait for the operator; such steps have no waves.
	gate func(k *knowledge) Gate
	// do are the step's effects: the waves run one after another, the effects
	// of one wave independently of each other.
	do []wave
	// verify tells how to find out whether a mutating effect of the step, of
	// which it is unknown whether it was performed, has reached its goal.
	verify verification
	// afresh makes a resumption begin the step again instead of verifying its
	// effects in doubt; its waves find out themselves.
	afresh bool
	// undo says what going back costs once the step has begun.
	undo    func(k *knowledge) string
	explain func(k *knowledge) Explain
}

// wave is a set of independent effects, and how their evidence is judged.
type wave struct {
	// effects may return none; the wave is then over. IDs and Step are set by
	// the runbook.
	effects func(k *knowledge) []Effect
	// judge says why the evidence does not prove what it should; nil if it does.
	judge func(k *knowledge, e Effect, ev Evidence) *Problem
}

// verification finds out whether an effect's goal is reached.
type verification struct {
	// ask returns the reading effect to perform; nil means that the effect is
	// simply performed again, because doing so changes nothing if it was done.
	ask func(k *knowledge, e Effect) *Effect
	// holds judges the answer. A problem means that it cannot be told.
	// It is called with a nil answer if the reading effect failed.
	holds func(k *knowledge, e Effect, answer *Evidence) (bool, *Problem)
}

func (s *step) phase() Phase { return phaseOf(s.id) }

func phaseOf(id StepID) Phase {
	phase, _, _ := strings.Cut(string(id), ".")
	return Phase(phase)
}

// steps returns the procedure, in order.
func steps() []*step {
	return []*step{
		&stepReach, &stepChannels, &stepPreflight, &stepConsenters, &stepConfirmPlan,
		&stepEnterMaintenance, &stepRelistChannels, &stepVerifyMaintenance,
		&stepBackupStopOrderers, &stepBackupProveFlush, &stepBackupStopBrokers, &stepBackupCopy, &stepBackupVerify,
		&stepBackupStartBrokers, &stepBackupStartOrderers, &stepBackupRecheck,
		&stepSwitchType, &stepSwitchVerify, &stepSwitchGate,
		&stepRestartStopOrderers, &stepRestartStopBrokers, &stepRestartStartOrderers, &stepRestartLeaders,
		&stepExitConfirm, &stepExitNormal, &stepExitVerify,
		&stepVerifyTransactions, &stepVerifyFinal,
	}
}

// rollbackSteps returns the way back, in order.
func rollbackSteps() []*step {
	return []*step{
		&stepRollbackStopOrderers, &stepRollbackStopBrokers, &stepRollbackRestore,
		&stepRollbackStartBrokers, &stepRollbackStartOrderers,
		&stepRollbackNormal, &stepRollbackVerify,
	}
}

// settle is how long a verification waits for an update that was perhaps
// submitted a moment ago to come into force.
const settle = 3 * time.Second

// patience is how long a condition on all channels is waited for.
func patience(k *knowledge) time.Duration {
	return time.Minute + time.Duration(len(k.channels))*time.Second
}

// explainStep returns a step's text, with what going back costs.
func explainStep(s *step, k *knowledge) Explain {
	x := s.explain(k)
	if s.undo != nil {
		x.Undo = s.undo(k)
	}
	return x
}
