package runbook

import "strings"

// Problem is an error as the operator sees it. What is always set.
type Problem struct {
	What  string `json:"what"`            // what failed
	Where string `json:"where,omitempty"` // node, channel, file
	Why   string `json:"why,omitempty"`   // the cause, as far as it is known
	Hint  string `json:"hint,omitempty"`  // what to do about it
	Ref   string `json:"ref,omitempty"`   // section of the guide, or check ID
	// Waits says what people have to bring, where the run has not failed but
	// stands still until they have: WaitsForSignatures. An unattended run stands
	// still there too.
	Waits string `json:"waits,omitempty"`
}

// Error puts the problem on one line.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Where != "" {
		b.WriteString(p.Where + ": ")
	}
	b.WriteString(p.What)
	if p.Why != "" {
		b.WriteString(": " + p.Why)
	}
	return b.String()
}

// Severity says what a finding means for the run.
type Severity string

// Severities of findings.
const (
	SeverityOK    Severity = "ok"
	SeverityWarn  Severity = "warn"  // shown and kept; does not stop the run
	SeverityError Severity = "error" // the run does not go on
)

// Finding is the result of one preflight check.
type Finding struct {
	Check    string   `json:"check"` // stable ID of the check, e.g. "capabilities.orderer"
	Severity Severity `json:"severity"`
	Summary  string   `json:"summary"`
	Evidence []string `json:"evidence,omitempty"`
	Hint     string   `json:"hint,omitempty"`
}
