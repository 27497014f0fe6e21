package runbooktest

import (
	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// handleFail makes the next effect of a kind fail, with "after" once it was
// performed all the same, with "late" before it is, as the orderers stop.
func (env *Env) handleFail(d *datadriven.TestData) error {
	env.Net.Fail(Failure{
		Kind:    runbook.EffectKind(argument(d, "kind", "")),
		Channel: argument(d, "channel", ""), Tier: runbook.Tier(argument(d, "tier", "")),
		Change: runbook.Change(argument(d, "change", "")),
		After:  d.HasArg("after"), Late: d.HasArg("late"), What: "it broke",
	})
	return nil
}
