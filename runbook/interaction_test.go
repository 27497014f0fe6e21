package runbook_test

import (
	"testing"

	"github.com/cockroachdb/datadriven"

	"raftmig/runbook/runbooktest"
)

// TestInteraction runs the scripts in testdata. Run it with -rewrite to accept
// what they show now; commit only what you can explain.
func TestInteraction(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		env := runbooktest.NewEnv()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return env.Handle(d)
		})
	})
}
