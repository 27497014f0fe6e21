// Package runbooktest is the test kit of package runbook: a simulated network
// that behaves like a real one as far as a migration can tell, and an
// interaction environment that runs scripts against a runbook on it.
package runbooktest
