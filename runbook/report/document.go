package report

import (
	"math"
	"time"

	"raftmig/runbook"
)

// Unfinished is the result of a run that has not ended.
const Unfinished = "unfinished"

// Document is the JSON document of a headless run.
type Document struct {
	// Result is "migrated", "done" (an operation on Raft), "rolled-back", "failed" or "unfinished".
	Result    string           `json:"result"`
	Network   string           `json:"network"`
	Run       string           `json:"run"`
	StartedAt time.Time        `json:"started_at"`
	EndedAt   time.Time        `json:"ended_at,omitzero"`
	Problem   *runbook.Problem `json:"problem,omitempty"`
	// Awaited are the updates whose signatures the run stands still for.
	Awaited      []runbook.SignatureState `json:"awaited,omitempty"`
	Steps        []Step                   `json:"steps"`
	Channels     []Channel                `json:"channels"`
	Findings     []runbook.Finding        `json:"findings,omitempty"`
	Transactions *Transactions            `json:"transactions,omitempty"`
	Seconds      map[string]float64       `json:"seconds"` // by phase
}

// Step is one step with its evidence.
type Step struct {
	ID       runbook.StepID     `json:"id"`
	Phase    runbook.Phase      `json:"phase"`
	Status   runbook.Status     `json:"status"`
	Seconds  float64            `json:"seconds"`
	Note     string             `json:"note,omitempty"`
	Evidence []runbook.Evidence `json:"evidence"`
	Problem  *runbook.Problem   `json:"problem,omitempty"`
}

// Channel is a channel as it was observed last.
type Channel struct {
	Name   string `json:"name"`
	System bool   `json:"system"`
	Nodes  []Node `json:"nodes"`
}

// Node is a channel on one node.
type Node struct {
	Node           string `json:"node"`
	Type           string `json:"type"`
	State          string `json:"state"`
	Height         uint64 `json:"height"`
	LastBlockHash  string `json:"last_block_hash"`
	ConfigSequence uint64 `json:"config_sequence"`
	Leader         uint64 `json:"leader"`
	Error          string `json:"error,omitempty"`
}

// Transactions are counted from the ledgers, against those that were
// acknowledged to the clients.
type Transactions struct {
	Acknowledged int `json:"acknowledged"`
	Committed    int `json:"committed"`
	Missing      int `json:"missing"`
	Duplicated   int `json:"duplicated"`
}

// New makes the document of a run. tx may be nil where nobody counted.
func New(s runbook.Snapshot, tx *Transactions) Document {
	d := Document{
		Result: string(s.Outcome), Network: s.Plan.Network, Run: s.Plan.Run,
		StartedAt: s.StartedAt, EndedAt: s.EndedAt, Problem: s.Problem, Awaited: s.Awaited,
		Steps: []Step{}, Channels: []Channel{}, Findings: s.Findings, Transactions: tx,
		Seconds: phases(s),
	}
	if d.Result == "" {
		d.Result = Unfinished
	}
	for _, v := range s.Steps {
		step := Step{
			ID: v.ID, Phase: v.Phase, Status: v.Status, Note: v.Note, Problem: v.Problem,
			Seconds: seconds(v.StartedAt, v.EndedAt), Evidence: []runbook.Evidence{},
		}
		for _, ev := range v.Evidence {
			ev.Facts = nil // the findings say what they mean; the journal has them
			step.Evidence = append(step.Evidence, ev)
		}
		d.Steps = append(d.Steps, step)
	}
	for _, c := range s.Channels {
		d.Channels = append(d.Channels, channel(c))
	}
	return d
}

func channel(c runbook.ChannelState) Channel {
	out := Channel{Name: c.Name, System: c.System, Nodes: []Node{}}
	for _, n := range c.Nodes {
		out.Nodes = append(out.Nodes, Node{
			Node: n.Node, Type: n.Type, State: n.State, Height: n.Height, LastBlockHash: n.LastBlockHash,
			ConfigSequence: n.ConfigSequence, Leader: n.Leader, Error: n.Error,
		})
	}
	return out
}

// phases returns how long each phase took, from the beginning of its first
// step to the end of its last one.
func phases(s runbook.Snapshot) map[string]float64 {
	out := map[string]float64{}
	begin, end := map[runbook.Phase]time.Time{}, map[runbook.Phase]time.Time{}
	for _, v := range s.Steps {
		if v.StartedAt.IsZero() || v.EndedAt.IsZero() {
			continue
		}
		if begin[v.Phase].IsZero() {
			begin[v.Phase] = v.StartedAt
		}
		end[v.Phase] = v.EndedAt
	}
	for p := range begin {
		out[string(p)] = seconds(begin[p], end[p])
	}
	return out
}

// seconds rounds to milliseconds; 0 if the time is not known.
func seconds(from, to time.Time) float64 {
	if from.IsZero() || to.Before(from) {
		return 0
	}
	return math.Round(to.Sub(from).Seconds()*1000) / 1000
}
