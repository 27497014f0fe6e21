package runbook

// procedure is one kind of run: what is done in which order, how it goes back,
// and what must hold at every moment. The plan picks it; everything else, the
// journal, waves, gates, doubts and retries, is the same for all.
type procedure struct {
	steps []*step
	// back is the way back; empty where going back only ends the run.
	back []*step
	// closed says why the way back is closed by now, "" if it is open.
	closed func(k *knowledge) string
	// cost says what going back takes now.
	cost func(k *knowledge) string
	// done is how the run ends once all steps are done.
	done  Outcome
	rules []Rule
}

// procedureOf returns what a run of the plan does.
func procedureOf(p Plan) procedure {
	if p.Operation != nil {
		return operationOf(*p.Operation)
	}
	return procedure{
		steps: steps(), back: rollbackSteps(), done: OutcomeMigrated, rules: Rules(),
		closed: migrationClosed, cost: wayBack,
	}
}
