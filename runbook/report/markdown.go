package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"raftmig/runbook"
)

// Markdown writes the evidence report as Markdown.
func Markdown(w io.Writer, s runbook.Snapshot) error {
	m := &markdown{}
	p := newPage(s)
	m.head(p)
	m.channels(p)
	m.metadata(p)
	m.findings(p)
	m.steps(p)
	if len(p.Afterwards) > 0 {
		m.line("## Afterwards", "")
		m.list(p.Afterwards)
	}
	if _, err := w.Write(m.b.Bytes()); err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}

type markdown struct{ b bytes.Buffer }

func (m *markdown) line(lines ...string) {
	for _, l := range lines {
		m.b.WriteString(l + "\n")
	}
}

func (m *markdown) list(items []string) {
	for _, i := range items {
		m.line("- " + escape(i))
	}
	m.line("")
}

func (m *markdown) table(head []string, rows [][]string) {
	m.line("| "+strings.Join(head, " | ")+" |", "|"+strings.Repeat(" --- |", len(head)))
	for _, r := range rows {
		for i := range r {
			r[i] = escape(r[i])
		}
		m.line("| " + strings.Join(r, " | ") + " |")
	}
	m.line("")
}

func (m *markdown) head(p page) {
	m.line("# "+escape(p.Title)+": "+p.Result, "", p.Sentence, "")
	items := []string{"Run: " + p.Run, "Began: " + p.Began}
	if p.Ended != "" {
		items = append(items, "Ended: "+p.Ended+", after "+p.Took)
	}
	m.list(append(items, p.Confirmations...))
	if p.Problem != nil {
		m.line("## Problem", "")
		m.problem(p.Problem)
	}
}

func (m *markdown) problem(p *runbook.Problem) {
	items := []string{p.Error()}
	if p.Hint != "" {
		items = append(items, "What to do: "+p.Hint)
	}
	if p.Ref != "" {
		items = append(items, "See: "+p.Ref)
	}
	m.list(items)
}

func (m *markdown) channels(p page) {
	if len(p.Channels) == 0 {
		return
	}
	m.line("## Channels, as seen "+p.ObservedAt, "")
	var rows [][]string
	for _, c := range p.Channels {
		name := c.Name
		if c.System {
			name += " (system)"
		}
		for _, n := range c.Nodes {
			if n.Error != "" {
				rows = append(rows, []string{name, n.Node, "not read: " + n.Error, "", "", "", "", ""})
				continue
			}
			rows = append(rows, []string{
				name, n.Node, n.Type, n.State, fmt.Sprint(n.Height), n.LastBlockHash, fmt.Sprint(n.ConfigSequence), fmt.Sprint(n.Leader),
			})
		}
	}
	m.table([]string{"Channel", "Orderer", "Type", "State", "Height", "Last block", "Config sequence", "Leader"}, rows)
}

func (m *markdown) metadata(p page) {
	if p.Metadata == nil {
		return
	}
	m.line("## Raft metadata", "", "SHA-256: `"+p.Metadata.Hash+"`", "")
	var rows [][]string
	for _, c := range p.Metadata.Consenters {
		rows = append(rows, []string{c.Node, fmt.Sprintf("%s:%d", c.Host, c.Port), c.ServerCert, c.ClientCert, stamp(c.NotAfter)})
	}
	if len(p.Metadata.Changes) > 0 {
		m.line("What changed:", "")
		m.list(p.Metadata.Changes)
	}
	m.table([]string{"Orderer", "Cluster address", "Server certificate", "Client certificate", "Valid until"}, rows)
}

func (m *markdown) findings(p page) {
	if len(p.Findings) == 0 {
		return
	}
	m.line("## Checks", "")
	var rows [][]string
	for _, f := range p.Findings {
		rows = append(rows, []string{string(f.Severity), f.Check, f.Summary})
	}
	m.table([]string{"Result", "Check", "Found"}, rows)
}

func (m *markdown) steps(p page) {
	m.line("## Steps", "")
	for _, ph := range p.Phases {
		m.line("### "+ph.Name+", "+ph.Took, "")
		for _, s := range ph.Steps {
			text := "- **" + s.ID + "** " + escape(s.Title) + ": " + s.Status
			if s.Took != "" {
				text += ", " + s.Took
			}
			if s.Note != "" {
				text += " (" + escape(s.Note) + ")"
			}
			m.line(text)
			if s.Problem != nil {
				m.line("  - failed: " + escape(s.Problem.Error()))
			}
			for _, e := range s.Evidence {
				m.line("  - " + escape(e))
			}
		}
		m.line("")
	}
}

// escape keeps text from being taken for Markdown or HTML.
func escape(s string) string {
	return strings.NewReplacer("\n", " ", "|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "'").Replace(s)
}
