package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"raftmig/runbook"
)

//go:embed report.html
var source string

// HTML writes the evidence report as one self-contained page: no script, no
// picture, nothing fetched.
func HTML(w io.Writer, s runbook.Snapshot) error {
	t, err := template.New("report").Parse(source)
	if err != nil {
		return fmt.Errorf("parsing the report's template: %w", err)
	}
	if err := t.Execute(w, newPage(s)); err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}
