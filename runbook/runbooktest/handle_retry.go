package runbooktest

import (
	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// handleRetry tries the failed step again.
func (env *Env) handleRetry(*datadriven.TestData) error {
	return env.Run.Step(runbook.Event{Kind: runbook.EventRetry, By: "ann@bastion"})
}
