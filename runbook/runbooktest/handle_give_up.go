package runbooktest

import (
	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// handleGiveUp ends the run where it stands.
func (env *Env) handleGiveUp(*datadriven.TestData) error {
	return env.Run.Step(runbook.Event{Kind: runbook.EventGiveUp, By: "ann@bastion"})
}
