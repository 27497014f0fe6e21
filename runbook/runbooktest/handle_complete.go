package runbooktest

import (
	"fmt"

	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// handleComplete performs one of the effects that were begun; without an id,
// the oldest.
func (env *Env) handleComplete(d *datadriven.TestData) error {
	if len(env.Run.Active) == 0 {
		return fmt.Errorf("no effect was begun")
	}
	i := 0
	if id := argument(d, "id", ""); id != "" {
		if i = env.Run.index(runbook.EffectID(id)); i < 0 {
			return fmt.Errorf("effect %s was not begun", id)
		}
	}
	return env.Run.Complete(i)
}
