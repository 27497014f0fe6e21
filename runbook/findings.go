package runbook

import "slices"

// Downgrade returns a copy of findings in which the errors of the checks named
// in ignore are warnings that say so.
func Downgrade(findings []Finding, ignore []string) []Finding {
	out := slices.Clone(findings)
	for i, f := range out {
		if f.Severity == SeverityError && slices.Contains(ignore, f.Check) {
			out[i].Severity = SeverityWarn
			out[i].Summary = f.Summary + " (error ignored by the plan)"
		}
	}
	return out
}

// Worst returns the highest severity among findings, SeverityOK if there are none.
func Worst(findings []Finding) Severity {
	worst := SeverityOK
	for _, f := range findings {
		switch {
		case f.Severity == SeverityError:
			return SeverityError
		case f.Severity == SeverityWarn:
			worst = SeverityWarn
		}
	}
	return worst
}
