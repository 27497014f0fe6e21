package runbook

import (
	"context"
	"time"
)

// Operator performs effects on a network. Package fabricops implements it.
//
// Every call has a deadline and returns evidence. A mutating effect first
// looks whether its goal is reached already and then changes nothing
// (Evidence.AlreadyDone); so an effect may be performed again after a crash.
type Operator interface {
	// Perform carries out one effect. progress may be called at any time, from
	// any goroutine, until Perform returns. An error that is a *Problem is
	// shown to the operator as it is.
	Perform(ctx context.Context, e Effect, progress func(Progress)) (Evidence, error)
}

// Progress tells how far an effect has come.
type Progress struct {
	Effect EffectID `json:"effect"`
	Text   string   `json:"text"`            // "ch1 on orderer2: STATE_MAINTENANCE"
	Done   int64    `json:"done,omitempty"`  // of Total, in Unit
	Total  int64    `json:"total,omitempty"` // 0 if unknown
	Unit   string   `json:"unit,omitempty"`  // "channels", "bytes"
	// Alarm is set where something keeps the effect from going on, and Text says
	// what it is and how long it is waited for.
	Alarm bool `json:"alarm,omitempty"`
}

// LogLine is a line of an orderer's log.
type LogLine struct {
	Node    string    `json:"node"`
	At      time.Time `json:"at,omitzero"` // zero if the line has no readable time
	Level   string    `json:"level"`       // DEBUG INFO WARN ERROR PANIC FATAL, "" if unknown
	Text    string    `json:"text"`        // the whole line, colours removed
	Channel string    `json:"channel,omitempty"`
	// Leader is set on lines that report a change of leader.
	Leader *LeaderChange `json:"leader,omitempty"`
	// Expected is set on lines that are alarming but normal in the current
	// phase (client refusals in maintenance).
	Expected bool `json:"expected,omitempty"`
}

// LeaderChange is the content of a "Raft leader changed" line.
type LeaderChange struct {
	Channel string `json:"channel"`
	From    uint64 `json:"from"`
	To      uint64 `json:"to"`
	RaftID  uint64 `json:"raft_id"` // of the node that logged it
}

// Update is what a client of a run receives: the newest snapshot, and what
// came up since the last update.
type Update struct {
	Snapshot *Snapshot `json:"snapshot,omitempty"` // nil if unchanged
	Progress *Progress `json:"progress,omitempty"`
	Log      []LogLine `json:"log,omitempty"`
	Clients  int       `json:"clients,omitempty"` // terminals attached to this run
}

// Command is what a client of a run may ask for.
type Command struct {
	Kind EventKind `json:"kind"` // EventConfirmed, EventAbort, EventRetry or EventGiveUp
	Step StepID    `json:"step,omitempty"`
	Text string    `json:"text,omitempty"`
	By   string    `json:"by,omitempty"`
}

// Client is a connection to a run, in this process or in another one. It is
// what the screens work with.
type Client interface {
	// Send asks for something; the error says why it was refused.
	Send(ctx context.Context, c Command) error
	// Updates delivers the current snapshot and then every change. It is closed
	// when the run ends or the connection is lost.
	Updates() <-chan Update
	// Close ends the connection, not the run.
	Close() error
}
