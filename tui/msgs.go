package tui

import (
	"time"

	"raftmig/runbook"
	"raftmig/tui/present"
)

// batchMsg is what came from the run within one frame.
type batchMsg struct {
	gen      int // of the connection it came by
	at       time.Time
	snapshot *runbook.Snapshot // the newest, nil if unchanged
	progress map[runbook.EffectID]runbook.Progress
	log      []present.LogRow
	clients  int
	closed   bool // the connection has ended
}

// tickMsg moves the clock on.
type tickMsg struct {
	seq int
	at  time.Time
}

// graceMsg says that the keyboard was quiet for a while.
type graceMsg struct{ seq int }

// sentMsg is the run's reply to a command.
type sentMsg struct {
	kind runbook.EventKind
	err  error
}

// reattachedMsg is the result of connecting anew.
type reattachedMsg struct {
	link *link
	at   time.Time
	err  error
}
