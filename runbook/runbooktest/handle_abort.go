package runbooktest

import (
	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// handleAbort asks for the way back.
func (env *Env) handleAbort(d *datadriven.TestData) error {
	return env.Run.Step(runbook.Event{Kind: runbook.EventAbort, Text: argument(d, "reason", ""), By: "ann@bastion"})
}
