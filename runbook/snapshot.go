package runbook

import "time"

// Snapshot is the whole state of a run, as shown and reported. It shares
// nothing with the runbook that made it.
type Snapshot struct {
	Plan    Plan    `json:"plan"`
	Phase   Phase   `json:"phase"`
	Outcome Outcome `json:"outcome,omitempty"`
	// Resumable says that the run can be driven on: it has not ended, or it was
	// unattended and failed where it could not go back, with the network changed.
	Resumable bool       `json:"resumable"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   time.Time  `json:"ended_at,omitzero"`
	Steps     []StepView `json:"steps"`
	// Current is the index into Steps of the step that runs, waits or failed; -1 if none.
	Current int `json:"current"`
	// Gate is set while the run waits for the operator.
	Gate *Gate `json:"gate,omitempty"`
	// Problem is why the run stands still or failed.
	Problem *Problem `json:"problem,omitempty"`
	// Awaited are the updates whose signatures the run stands still for.
	Awaited []SignatureState `json:"awaited,omitempty"`
	// Channels is the matrix channel × node as last observed, at ObservedAt.
	Channels   []ChannelState     `json:"channels"`
	ObservedAt time.Time          `json:"observed_at,omitzero"`
	Metadata   *ConsenterMetadata `json:"metadata,omitempty"`
	Findings   []Finding          `json:"findings,omitempty"`
	// AbortOffered says whether the way back is open; AbortNote what it costs
	// now, or why it is closed (invariant R9).
	AbortOffered bool   `json:"abort_offered"`
	AbortNote    string `json:"abort_note"`
	// AbortAsked says that the way back was asked for and begins once what is
	// being done has ended.
	AbortAsked bool `json:"abort_asked,omitempty"`
	// Active are the effects being performed.
	Active []Effect `json:"active,omitempty"`
}

// StepView is one step as shown.
type StepView struct {
	ID        StepID     `json:"id"`
	Phase     Phase      `json:"phase"`
	Status    Status     `json:"status"`
	Note      string     `json:"note,omitempty"` // e.g. why it was skipped
	StartedAt time.Time  `json:"started_at,omitzero"`
	EndedAt   time.Time  `json:"ended_at,omitzero"` // of a failed step: when it failed last
	Explain   Explain    `json:"explain"`
	Evidence  []Evidence `json:"evidence,omitempty"`
	Problem   *Problem   `json:"problem,omitempty"`
}

// Explain is the text of a step: what the operator reads before it runs.
type Explain struct {
	Title    string        `json:"title"`
	What     string        `json:"what"`     // what will happen
	Why      string        `json:"why"`      // why, in the guide's terms
	Verify   string        `json:"verify"`   // how it is proven
	Undo     string        `json:"undo"`     // what going back costs from here
	Estimate time.Duration `json:"estimate"` // how long it should take
	Guide    string        `json:"guide"`    // section of the guide
	Commands []string      `json:"commands"` // equivalent commands, each complete, for the operator who doubts; one may have several lines
}

// Gate is a point where the run waits for the operator.
type Gate struct {
	Step   StepID   `json:"step"`
	Title  string   `json:"title"`
	Text   string   `json:"text"`
	Severe bool     `json:"severe"` // the point of no return
	Typed  string   `json:"typed"`  // what must be typed; "" for a plain yes
	Facts  []string `json:"facts"`  // evidence to read before confirming
}
