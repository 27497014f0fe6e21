package runbooktest

import (
	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// handleFail makes the next effect of a kind fail, with "after" once it was
// performed all the same.
func (env *Env) handleFail(d *datadriven.TestData) error {
	env.Net.Fail(Failure{
		Kind:    runbook.EffectKind(argument(d, "kind", "")),
		Channel: argument(d, "channel", ""), Tier: runbook.Tier(argument(d, "tier", "")),
		After: d.HasArg("after"), What: "it broke",
	})
	return nil
}
