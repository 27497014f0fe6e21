package runbook

// Rule is one of the invariants of a migration, as a predicate over the events
// of a journal. It looks at what was done and found, not at the runbook's
// state, so that it can find the runbook wrong.
type Rule struct {
	ID   string
	Text string
	// Broken says how the events break the rule, "" if they do not.
	Broken func(events []Event) string
}

// Rules returns the invariants of every run.
func Rules() []Rule {
	return nil
}

// Broken returns, for each rule that the events break, its ID and how.
func Broken(events []Event) []string {
	var out []string
	for _, r := range Rules() {
		if how := r.Broken(events); how != "" {
			out = append(out, r.ID+": "+how)
		}
	}
	return out
}
