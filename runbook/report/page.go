package report

import (
	"fmt"
	"strings"
	"time"

	"raftmig/runbook"
)

// page is what both reports show.
type page struct {
	Title         string
	Network, Run  string
	Result        string
	Sentence      string
	Began, Ended  string
	Took          string
	Problem       *runbook.Problem
	Phases        []phase
	Channels      []runbook.ChannelState
	ObservedAt    string
	Findings      []runbook.Finding
	Metadata      *runbook.ConsenterMetadata
	Backup        *runbook.BackupReceipt
	Afterwards    []string
	Confirmations []string
}

type phase struct {
	Name  string
	Took  string
	Steps []stepLine
}

type stepLine struct {
	ID, Title, Status, Took, Note string
	Verify                        string
	Evidence                      []string
	Problem                       *runbook.Problem
}

func newPage(s runbook.Snapshot) page {
	p := page{
		Network: s.Plan.Network, Run: s.Plan.Run, Result: string(s.Outcome), Sentence: sentence(s),
		Began: stamp(s.StartedAt), Ended: stamp(s.EndedAt), Took: took(s.StartedAt, s.EndedAt),
		Problem: s.Problem, Channels: s.Channels, ObservedAt: stamp(s.ObservedAt),
		Findings: s.Findings, Metadata: s.Metadata, Title: title(s),
	}
	if p.Result == "" {
		p.Result = Unfinished
	}
	spent := phases(s)
	for _, v := range s.Steps {
		if len(p.Phases) == 0 || p.Phases[len(p.Phases)-1].Name != string(v.Phase) {
			p.Phases = append(p.Phases, phase{Name: string(v.Phase), Took: duration(spent[string(v.Phase)])})
		}
		last := &p.Phases[len(p.Phases)-1]
		last.Steps = append(last.Steps, newStepLine(v))
		for _, ev := range v.Evidence {
			if ev.Backup != nil {
				p.Backup = ev.Backup
			}
		}
		if strings.HasPrefix(v.Note, "confirmed") {
			p.Confirmations = append(p.Confirmations, fmt.Sprintf("%s: %s, %s", v.Explain.Title, v.Note, stamp(v.EndedAt)))
		}
	}
	p.Afterwards = afterwards(s, p.Backup)
	return p
}

func title(s runbook.Snapshot) string {
	if o := s.Plan.Operation; o != nil {
		return s.Plan.Network + ": " + o.String()
	}
	return "Migration of " + s.Plan.Network + " from Kafka to Raft"
}

func newStepLine(v runbook.StepView) stepLine {
	l := stepLine{
		ID: string(v.ID), Title: v.Explain.Title, Status: string(v.Status), Note: v.Note,
		Verify: v.Explain.Verify, Took: took(v.StartedAt, v.EndedAt), Problem: v.Problem,
	}
	if v.Status == runbook.StatusSkipped {
		l.Took = ""
	}
	for _, ev := range v.Evidence {
		if ev.Summary != "" {
			l.Evidence = append(l.Evidence, evidenceLine(ev))
		}
		for _, f := range ev.Flush {
			if f.Error == "" {
				l.Evidence = append(l.Evidence, f.String())
			}
		}
	}
	return l
}

func evidenceLine(ev runbook.Evidence) string {
	line := ev.Summary
	if u := ev.Update; u != nil && u.Hash != "" {
		line += fmt.Sprintf(" (block %d, config sequence %d, hash %s)", u.Block, u.Sequence, u.Hash)
	}
	if b := ev.Backup; b != nil {
		line += fmt.Sprintf(" (%s, %d files, %d bytes, manifest %s)", b.Dir, b.Files, b.Bytes, b.Manifest)
	}
	for _, t := range ev.Transactions {
		line += fmt.Sprintf("; %s: transaction %s in block %d", t.Channel, t.TxID, t.Block)
	}
	return line
}

func sentence(s runbook.Snapshot) string {
	switch s.Outcome {
	case runbook.OutcomeMigrated:
		return fmt.Sprintf("All %d channels run on Raft, proven on every orderer.", len(s.Channels))
	case runbook.OutcomeDone:
		return fmt.Sprintf("Done on all %d channels, proven on every consenter.", len(s.Channels))
	case runbook.OutcomeRolledBack:
		if s.Plan.Operation != nil {
			return "The run was ended before anything was changed."
		}
		if s.Problem != nil {
			return "The migration failed, and the network was taken back to where it was before."
		}
		return "The network was taken back to where it was before."
	case runbook.OutcomeFailed:
		return "The run ended without reaching its goal. Read the problem below before anything else."
	default:
		return "The run has not ended."
	}
}

// afterwards says what is left to do.
func afterwards(s runbook.Snapshot, b *runbook.BackupReceipt) []string {
	switch s.Outcome {
	case runbook.OutcomeDone:
		return afterOperation(*s.Plan.Operation)
	case runbook.OutcomeMigrated:
		out := []string{
			"Start the peers and clients that were stopped, and look that their heights grow. Peers before 1.4.5 that are static leaders may have to be restarted.",
			"Kafka and ZooKeeper are stopped and may stay so. Keep their data and the backup until you are sure.",
			"Orderers are added or removed one at a time, from now on.",
		}
		if b != nil {
			out = append(out, "The backup is in "+b.Dir+". It cannot bring Kafka back any more: Raft has taken transactions that it does not have.")
		}
		return out
	case runbook.OutcomeRolledBack:
		if s.Plan.Operation != nil {
			return nil
		}
		return []string{
			"Start the peers and clients that were stopped.",
			"A new run begins with the checks again.",
		}
	case runbook.OutcomeFailed:
		if s.Plan.Operation != nil {
			return []string{"Channels that were updated keep the new configuration. A new run of the same operation goes on from there."}
		}
		return []string{"The state of the network is what the table of channels shows. Keep the backup and the journal."}
	default:
		return nil
	}
}

// afterOperation says what is left to do after an operation on Raft.
func afterOperation(o runbook.Operation) []string {
	switch o.Kind {
	case runbook.AddConsenter:
		return []string{"Peers and clients with a list of orderers of their own learn of " + o.Node + " only from you. One consenter at a time: the next one is a run of its own."}
	case runbook.RemoveConsenter:
		return []string{
			"Take " + o.Node + " out of raftmig.yaml, and out of the lists of orderers that peers and clients have of their own.",
			"Its ledger is not needed any more. Keep it from being started again: it would look for its channels in vain.",
		}
	case runbook.RotateCertificates:
		if o.ByHand {
			return []string{"serverCert and clientCert of " + o.Node + " in raftmig.yaml must name the new certificates from now on. Remove the old keys."}
		}
		return []string{"The old certificates and keys lie beside the new ones, with .old at the end, where raftmig put the new ones in place. Remove them."}
	default:
		return []string{"The snapshot interval is in effect. The other options take effect at the next start of each orderer: restart them one after another, each only once the last one follows."}
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func took(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return duration(seconds(from, to))
}

func duration(s float64) string {
	switch {
	case s <= 0:
		return "0 s"
	case s < 60:
		return fmt.Sprintf("%.1f s", s)
	default:
		return time.Duration(s * float64(time.Second)).Round(time.Second).String()
	}
}
