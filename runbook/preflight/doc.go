// Package preflight judges the facts of a network before its migration: what
// would fail inside the maintenance window is found before it. Every check is
// pure, has a stable ID and gives one finding. The IDs are what
// Plan.IgnoreChecks names.
package preflight
