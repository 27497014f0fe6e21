package present

import (
	"fmt"
	"strings"

	"raftmig/runbook"
)

// SeverityWord is the word for a finding's severity, all of one width.
func SeverityWord(s runbook.Severity) string {
	switch s {
	case runbook.SeverityOK:
		return "OK  "
	case runbook.SeverityWarn:
		return "WARN"
	default:
		return "FAIL"
	}
}

// SeverityTone is the tone of a severity.
func SeverityTone(s runbook.Severity) Tone {
	switch s {
	case runbook.SeverityOK:
		return Good
	case runbook.SeverityWarn:
		return Warn
	default:
		return Bad
	}
}

// FindingsLine counts findings: "12 checks: 1 FAIL, 2 WARN, 9 OK".
func FindingsLine(fs []runbook.Finding) Line {
	if len(fs) == 0 {
		return T(Muted, "no check has run yet")
	}
	n := map[string]int{}
	for _, f := range fs {
		n[strings.TrimSpace(SeverityWord(f.Severity))]++
	}
	line := Line{{Normal, Plural(len(fs), "check") + ": "}}
	if n["FAIL"] > 0 {
		line = append(line, Span{Bad, fmt.Sprintf("%d FAIL", n["FAIL"])}, Span{Normal, ", "})
	}
	if n["WARN"] > 0 {
		line = append(line, Span{Warn, fmt.Sprintf("%d WARN", n["WARN"])}, Span{Normal, ", "})
	}
	return append(line, Span{Good, fmt.Sprintf("%d OK", n["OK"])})
}

// FindingItems lists the findings, the worst first: each with its evidence and
// what to do. Checks that passed take one line.
func FindingItems(fs []runbook.Finding) []Item {
	var out []Item
	for _, want := range []runbook.Severity{runbook.SeverityError, runbook.SeverityWarn, runbook.SeverityOK} {
		for _, f := range fs {
			if f.Severity != want && !(want == runbook.SeverityError && SeverityWord(f.Severity) == "FAIL") {
				continue
			}
			out = append(out, findingItems(f)...)
		}
	}
	return out
}

func findingItems(f runbook.Finding) []Item {
	if f.Severity == runbook.SeverityOK {
		return []Item{{Label: SeverityWord(f.Severity), Line: Line{{Normal, fmt.Sprintf("%-22s  %s", Clean(f.Check), Clean(f.Summary))}}}}
	}
	out := []Item{{Label: SeverityWord(f.Severity), Line: Line{{Strong, Clean(f.Check)}, {Normal, "  " + Clean(f.Summary)}}}}
	for _, e := range f.Evidence {
		out = append(out, Item{Indent: 9, Line: T(Normal, "- "+Clean(e))})
	}
	if f.Hint != "" {
		out = append(out, Item{Indent: 9, Line: Line{{Strong, "do: "}, {Normal, Clean(f.Hint)}}})
	}
	return out
}
