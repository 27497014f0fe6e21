package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"raftmig/runbook"
	"raftmig/tui/dialog"
	"raftmig/tui/present"
)

// onBatch takes in what came from the run.
func (m *model) onBatch(b batchMsg) tea.Cmd {
	m.setNow(b.at)
	if b.clients != 0 {
		m.clients = b.clients
	}
	for id, p := range b.progress {
		m.progress[id], m.newest = p, id
	}
	if len(b.log) > 0 {
		before := len(m.log.Shown())
		m.log.Append(b.log...)
		if m.logBack > 0 { // keep the sight where it is
			m.logBack = min(len(m.log.Shown()), m.logBack+max(0, len(m.log.Shown())-before))
		}
	}
	var cmds []tea.Cmd
	if b.snapshot != nil {
		cmds = append(cmds, m.onSnapshot(b.snapshot))
	}
	if b.closed {
		m.lost = m.snap == nil || m.snap.Outcome == ""
		m.lostAt = b.at
		if m.lost {
			cmds = append(cmds, m.ask())
		}
	} else {
		cmds = append(cmds, m.link.listen(m.gen))
	}
	return tea.Batch(append(cmds, m.keepTicking())...)
}

func (m *model) onSnapshot(s *runbook.Snapshot) tea.Cmd {
	m.snap = s
	for id := range m.progress { // progress of what is over
		active := false
		for _, e := range s.Active {
			active = active || e.ID == id
		}
		if !active {
			delete(m.progress, id)
		}
	}
	if m.following {
		m.step = present.LastStep(s)
	}
	m.step = max(0, min(m.step, len(s.Steps)-1))
	if !m.channelKept {
		m.channel = present.WorstChannel(s, 1)
	}
	m.channel = max(0, min(m.channel, len(s.Channels)-1))
	if m.dlg != nil && !m.stillAsked(m.dlg) {
		if m.dlg.Kind == dialog.Gate || m.dlg.Kind == dialog.Problem {
			m.tell("The run went on; the question is no longer open.")
		}
		m.dlg = nil
	}
	if s.Outcome != "" { // and no clock ticks any more
		m.notice = ""
	}
	return m.ask()
}

// stillAsked reports whether an open dialog still makes sense.
func (m *model) stillAsked(d *dialog.State) bool {
	switch d.Kind {
	case dialog.Gate, dialog.Problem:
		return d.ID == m.question()
	case dialog.Abort:
		return m.snap.Outcome == "" && m.snap.Phase != runbook.PhaseRollback
	case dialog.GiveUp:
		return m.snap.Outcome == ""
	default:
		return true
	}
}

// question names what the run waits for, "" if nothing. The same question has
// the same name; a step that fails again asks anew.
func (m *model) question() string {
	s := m.snap
	switch {
	case m.lost:
		return "lost " + m.lostAt.String()
	case s == nil || s.Outcome != "":
		return ""
	case present.Waits(s):
		return "gate " + string(s.Gate.Step)
	case present.Still(s):
		id := "problem "
		if s.Current >= 0 && s.Current < len(s.Steps) {
			st := s.Steps[s.Current]
			id += string(st.ID) + st.EndedAt.String()
		}
		if p := present.ProblemOf(s); p != nil {
			id += p.Error()
		}
		return id
	default:
		return ""
	}
}

// ask opens the dialog of what the run waits for, once, and only if the
// operator is not in the middle of something. It opens with a grace period.
func (m *model) ask() tea.Cmd {
	q := m.question()
	if q == "" {
		m.asked = ""
		return nil
	}
	if q == m.asked || m.dlg != nil && m.dlg.Kind != dialog.Problem && !m.lost || m.filtering {
		return nil
	}
	m.openQuestion()
	m.dlg.Grace = true
	m.graced++
	return grace(m.graced)
}

// openQuestion opens the dialog of what the run waits for.
func (m *model) openQuestion() {
	q := m.question()
	d := &dialog.State{ID: q}
	switch {
	case m.lost:
		d.Kind = dialog.Lost
	case m.snap.Gate != nil:
		d.Kind = dialog.Gate
	default:
		d.Kind = dialog.Problem
	}
	m.dlg, m.asked, m.notice = d, q, ""
}

func (m *model) onSent(msg sentMsg) {
	if msg.err != nil {
		text := "Refused: " + present.Clean(msg.err.Error())
		if m.dlg != nil && m.dlg.Sending {
			m.dlg.Sending, m.dlg.Refused = false, text
			if m.dlg.Kind == dialog.Gate { // a reason may be sent again
				m.dlg.Input.Reset()
			}
		} else {
			m.tell(text)
		}
		return
	}
	if m.dlg != nil && m.dlg.Sending {
		m.dlg = nil
	}
	m.tell(map[runbook.EventKind]string{
		runbook.EventConfirmed: "Confirmed; the run goes on.",
		runbook.EventAbort:     "Asked for the way back; what is being done ends first.",
		runbook.EventRetry:     "Asked to try the step again.",
		runbook.EventGiveUp:    "Gave up; the run ends where it stands.",
	}[msg.kind])
}

func (m *model) onReattached(msg reattachedMsg) tea.Cmd {
	if msg.err != nil {
		text := "Could not reattach: " + present.Clean(msg.err.Error())
		if m.dlg != nil && m.dlg.Kind == dialog.Lost {
			m.dlg.Sending, m.dlg.Refused = false, text
		} else {
			m.tell(text)
		}
		return nil
	}
	m.link.close()
	m.link, m.gen = msg.link, m.gen+1
	m.lost, m.dlg, m.asked = false, nil, ""
	m.tell("Reattached to the run.")
	return tea.Batch(m.link.listen(m.gen), m.keepTicking())
}
