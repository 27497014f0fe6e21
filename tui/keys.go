package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"raftmig/runbook"
	"raftmig/tui/dialog"
	"raftmig/tui/keymap"
	"raftmig/tui/present"
)

// onKeys handles what the keyboard sent. On a slow line several keys come as
// one message; outside of inputs they are taken one by one, and what was
// pasted is not taken for keys.
func (m *model) onKeys(k tea.KeyMsg) tea.Cmd {
	if k.Alt { // no key needs alt: this is esc, and a key so soon after it that they came together
		k.Alt = false
		return tea.Batch(m.onKey(tea.KeyMsg{Type: tea.KeyEsc}), m.onKeys(k))
	}
	typing := m.filtering || m.dlg != nil && m.dlg.Typing
	switch {
	case typing || k.Type != tea.KeyRunes:
		return m.onKey(k)
	case k.Paste:
		m.tell("Pasted text is ignored here.")
		return nil
	}
	var cmds []tea.Cmd
	for i, r := range k.Runes {
		if m.filtering || m.dlg != nil && m.dlg.Typing { // a key before opened an input
			k.Runes = k.Runes[i:]
			return tea.Batch(append(cmds, m.onKey(k))...)
		}
		cmds = append(cmds, m.onKey(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}}))
	}
	return tea.Batch(cmds...)
}

// onKey handles one key: by the open dialog, by the filter, or by the page.
func (m *model) onKey(k tea.KeyMsg) tea.Cmd {
	m.notice = ""
	switch {
	case m.dlg != nil:
		return m.dialogKey(k)
	case m.filtering:
		return m.filterKey(k)
	}
	b := keymap.Find(m.keys(), k)
	if b == nil {
		return nil
	}
	if !b.Enabled() {
		m.tell(b.Help().Key + ": " + b.Help().Desc + ": not now, " + b.Off + ".")
		return nil
	}
	return m.do(b.Action)
}

func (m *model) do(a keymap.Action) tea.Cmd {
	switch a {
	case keymap.Leave:
		return m.leave()
	case keymap.Redraw:
		return tea.ClearScreen
	case keymap.Help:
		m.show(keymap.PageHelp)
	case keymap.Steps:
		m.show(keymap.PageSteps)
	case keymap.Channels:
		m.show(keymap.PageChannels)
	case keymap.Log:
		m.show(keymap.PageLog)
	case keymap.Evidence:
		m.show(keymap.PageEvidence)
	case keymap.Findings:
		m.show(keymap.PageFindings)
	case keymap.NextPage:
		m.show((m.page + 1) % keymap.PageHelp)
	case keymap.Open:
		m.show(keymap.PageStep)
	case keymap.Back:
		m.goBack()
	case keymap.Answer:
		m.openQuestion()
	case keymap.Abort:
		m.dlg = &dialog.State{Kind: dialog.Abort}
	case keymap.GiveUp:
		m.dlg = &dialog.State{Kind: dialog.GiveUp}
	case keymap.Retry:
		m.openQuestion()
		m.dlg.Choice = 1
	default:
		m.move(a)
	}
	return nil
}

func (m *model) show(p keymap.Page) {
	if p == m.page {
		return
	}
	if p == keymap.PageHelp || p == keymap.PageStep {
		m.back = m.page
	}
	m.page, m.scroll = p, 0
}

func (m *model) goBack() {
	switch {
	case m.page == keymap.PageLog && m.logBack > 0:
		m.logBack = 0
	case m.page == keymap.PageLog && m.filter.Value() != "":
		m.filter.Reset()
		m.applyFilter(present.ShowUsual)
	case m.page == keymap.PageHelp || m.page == keymap.PageStep:
		m.page, m.scroll = m.back, 0
	default:
		m.show(keymap.PageSteps)
	}
}

// leave ends the screen, not the run. Where the run lives in this process it asks first.
func (m *model) leave() tea.Cmd {
	if m.opts.InProcess && !m.lost && (m.snap == nil || m.snap.Outcome == "") && (m.dlg == nil || m.dlg.Kind != dialog.Leave) {
		m.dlg = &dialog.State{Kind: dialog.Leave}
		return nil
	}
	m.left = true
	return tea.Quit
}

// dialogText is what the open dialog reads now.
func (m *model) dialogText() present.DialogText {
	off := func(a keymap.Action) string {
		for _, b := range m.keys() {
			if b.Action == a {
				return b.Off
			}
		}
		return ""
	}
	readOnly := ""
	if m.opts.ReadOnly {
		readOnly = "this terminal is read-only"
	}
	switch m.dlg.Kind {
	case dialog.Gate:
		return present.GateDialog(m.snap, m.opts.local(), readOnly)
	case dialog.Problem:
		return present.ProblemDialog(m.snap, off(keymap.Retry), off(keymap.Abort), off(keymap.GiveUp))
	case dialog.Abort:
		return present.AbortDialog(m.snap, off(keymap.Abort))
	case dialog.GiveUp:
		return present.GiveUpDialog(m.snap, off(keymap.GiveUp))
	case dialog.Leave:
		return present.LeaveDialog()
	default:
		reattach := ""
		if m.reattach == nil {
			reattach = "use the command above in a shell"
		}
		return present.LostDialog(m.snap, m.lostWhy, m.lostAt, m.opts.local(), reattach, m.opts.AttachHint)
	}
}

func (m *model) dialogKey(k tea.KeyMsg) tea.Cmd {
	d := *m.dlg // the old state stays what it was
	m.dlg = &d
	switch d.Key(k, m.dialogText()) {
	case dialog.Swallow:
		m.graced++
		return grace(m.graced)
	case dialog.Quit:
		if d.Kind == dialog.Leave { // asked twice is an answer
			m.left = true
			return tea.Quit
		}
		return m.leave()
	case dialog.Close:
		m.dlg = nil
		if q := m.question(); q != "" {
			m.tell("The run waits. Press g to answer.")
			return m.ask()
		}
	case dialog.Chosen:
		return m.chosen(&d)
	}
	return nil
}

// chosen acts on the answer to a dialog.
func (m *model) chosen(d *dialog.State) tea.Cmd {
	send := func(c runbook.Command) tea.Cmd {
		d.Sending, d.Refused = true, ""
		c.By = m.opts.By
		return m.link.send(c)
	}
	step := runbook.StepID("")
	if s := m.snap; s != nil && s.Current >= 0 && s.Current < len(s.Steps) {
		step = s.Steps[s.Current].ID
	}
	switch d.Kind {
	case dialog.Gate:
		text := d.Input.Value()
		if text == "" {
			text = "yes"
		}
		return send(runbook.Command{Kind: runbook.EventConfirmed, Step: m.snap.Gate.Step, Text: text})
	case dialog.Abort:
		why := present.Clean(strings.TrimSpace(d.Input.Value()))
		if why == "" {
			why = "asked for at the terminal"
		}
		return send(runbook.Command{Kind: runbook.EventAbort, Step: step, Text: why})
	case dialog.GiveUp:
		return send(runbook.Command{Kind: runbook.EventGiveUp, Step: step, Text: "given up at the terminal"})
	case dialog.Leave:
		m.left = true
		return tea.Quit
	case dialog.Problem:
		switch d.Choice {
		case 1:
			return send(runbook.Command{Kind: runbook.EventRetry, Step: step})
		case 2:
			m.dlg = &dialog.State{Kind: dialog.Abort}
		default:
			m.dlg = &dialog.State{Kind: dialog.GiveUp}
		}
	case dialog.Lost:
		if d.Choice == 1 && m.reattach != nil {
			d.Sending = true
			return m.reattach()
		}
		return m.leave()
	}
	return nil
}
