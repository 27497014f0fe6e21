package runbook

import "time"

// Event is something that happened. Events are the only input of the runbook,
// and what the journal keeps. Every event carries its time.
type Event struct {
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	// Start: the run's parameters.
	Plan *Plan `json:"plan,omitempty"`
	// Intended, Done, Failed: the effect; Intended holds it whole.
	Effect   *Effect   `json:"effect,omitempty"`
	ID       EffectID  `json:"id,omitempty"`
	Evidence *Evidence `json:"evidence,omitempty"`
	Problem  *Problem  `json:"problem,omitempty"`
	// Confirmed: the gate's step and what was typed. AbortRequested: the reason.
	Step StepID `json:"step,omitempty"`
	Text string `json:"text,omitempty"`
	By   string `json:"by,omitempty"` // user@host
}

// EventKind says what happened.
type EventKind string

// The events.
const (
	EventStarted   EventKind = "started"   // first event of a run
	EventResumed   EventKind = "resumed"   // the driver was started again on this journal; see Snapshot.Resumable
	EventIntended  EventKind = "intended"  // the driver is about to perform an effect
	EventDone      EventKind = "done"      // an effect succeeded
	EventFailed    EventKind = "failed"    // an effect failed; Evidence may tell what it found all the same
	EventConfirmed EventKind = "confirmed" // the operator passed a gate
	EventAbort     EventKind = "abort"     // the operator asked for the way back
	EventRetry     EventKind = "retry"     // the operator asked to try the failed step again
	EventGiveUp    EventKind = "give-up"   // the operator ended the run where it stands
	EventTick      EventKind = "tick"      // time passed; not journaled
)

// Plan is what a run is about; it does not change during the run.
type Plan struct {
	Run      string   `json:"run"`      // unique name of the run
	Network  string   `json:"network"`  // typed at the gate
	Orderers []string `json:"orderers"` // node names, in consenter order
	Brokers  []string `json:"brokers"`
	// Operation is what a run on Raft changes; nil for a migration.
	Operation *Operation `json:"operation,omitempty"`
	// ZooKeeper names; empty where there is none to stop.
	ZooKeeper []string `json:"zookeeper,omitempty"`
	// AbortAfter rolls back once this phase is complete; "" migrates. For rehearsals.
	AbortAfter Phase `json:"abort_after,omitempty"`
	// Unattended passes gates without asking; for rehearsals and scripts.
	Unattended bool `json:"unattended,omitempty"`
	// Admins sign the updates, in this order; the first one sends them. They
	// are for the equivalent commands only.
	Admins []Admin `json:"admins,omitempty"`
	// AwaitSignatures has the updates of a round exported and signed elsewhere
	// before the first of them is submitted.
	AwaitSignatures bool `json:"await_signatures,omitempty"`
	// IgnoreChecks names preflight checks whose errors count as warnings.
	IgnoreChecks []string `json:"ignore_checks,omitempty"`
}

// Admin is an administrator whose key is at hand.
type Admin struct {
	MSPID  string `json:"msp_id"`
	MSPDir string `json:"msp_dir"` // its MSP folder
}
