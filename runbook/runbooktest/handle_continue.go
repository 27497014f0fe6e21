package runbooktest

import "github.com/cockroachdb/datadriven"

// handleContinue performs effects until the run waits or has ended.
func (env *Env) handleContinue(*datadriven.TestData) error { return env.Run.Continue() }
