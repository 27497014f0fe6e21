package runbooktest

import (
	"context"
	"fmt"

	"github.com/cockroachdb/datadriven"
)

// handleCrash ends the process and starts it again. Of the effects that were
// begun, none or all were performed, or they are still under way.
func (env *Env) handleCrash(d *datadriven.TestData) error {
	for _, e := range env.Run.Active {
		switch how := argument(d, "performed", "none"); how {
		case "none":
		case "all":
			if _, err := env.Net.Perform(context.Background(), e, nil); err != nil {
				return err
			}
		case "under-way":
			env.Net.PerformLater(e)
		default:
			return fmt.Errorf("performed=%s: none, all or under-way", how)
		}
	}
	return env.Run.Recover(len(env.Run.Journal))
}
