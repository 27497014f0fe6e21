// Package tui shows a run on a terminal and asks the operator. It sees the run
// only through runbook.Client: snapshots come in, commands go out. It decides
// nothing and does no I/O but the terminal's, so closing it never harms a run.
//
// One bubbletea model holds all state; components, dialogs and pages are pure
// functions of it. View reads no clock: messages carry the time. DESIGN.md
// has the flows.
package tui
