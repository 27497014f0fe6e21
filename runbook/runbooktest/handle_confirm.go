package runbooktest

import (
	"fmt"

	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// handleConfirm passes the gate with a text; "typed" stands for what is asked for.
func (env *Env) handleConfirm(d *datadriven.TestData) error {
	g := env.Run.Book.Snapshot().Gate
	if g == nil {
		return fmt.Errorf("the run waits at no gate")
	}
	text := argument(d, "text", "")
	if d.HasArg("typed") {
		text = g.Typed
	}
	return env.Run.Step(runbook.Event{Kind: runbook.EventConfirmed, Step: g.Step, Text: text, By: "ann@bastion"})
}
