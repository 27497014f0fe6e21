package tui

import (
	"math"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"raftmig/tui/dialog"
	"raftmig/tui/keymap"
	"raftmig/tui/present"
)

// move handles the actions that move about on a page.
func (m *model) move(a keymap.Action) {
	switch a {
	case keymap.Up:
		m.moveBy(-1)
	case keymap.Down:
		m.moveBy(1)
	case keymap.PageUp:
		m.moveBy(-max(1, m.height/2))
	case keymap.PageDown:
		m.moveBy(max(1, m.height/2))
	case keymap.Top:
		m.moveBy(math.MinInt / 2)
	case keymap.Bottom:
		m.moveBy(math.MaxInt / 2)
	case keymap.Next:
		m.selectStep(1)
	case keymap.Prev:
		m.selectStep(-1)
	case keymap.Current:
		m.following = true
		if m.snap != nil {
			m.step, m.scroll = present.LastStep(m.snap), 0
		}
	case keymap.Filter:
		m.filtering = true
	case keymap.Follow:
		if m.logBack > 0 {
			m.logBack = 0
		} else {
			m.logBack = 1
		}
	case keymap.Marks:
		_, show := m.log.Filter()
		m.applyFilter(show.Next())
	case keymap.Wrap:
		m.logWrap = !m.logWrap
	}
}

func (m *model) moveBy(n int) {
	switch m.page {
	case keymap.PageSteps:
		m.selectStep(n)
	case keymap.PageChannels:
		if m.snap != nil {
			m.channelKept = true
			m.channel = max(0, min(m.channel+n, len(m.snap.Channels)-1))
		}
	case keymap.PageLog:
		m.logBack = max(0, min(m.logBack-n, max(0, len(m.log.Shown())-1)))
	default:
		v := m.textView(m.width, m.height-len(m.top())-1)
		v.SetYOffset(m.scroll + n) // stops at the ends
		m.scroll = v.YOffset
	}
}

// selectStep moves the selection along the visible steps.
func (m *model) selectStep(n int) {
	vis := present.Visible(m.snap)
	if len(vis) == 0 {
		return
	}
	at := 0
	for k, i := range vis {
		if i <= m.step {
			at = k
		}
	}
	m.step = vis[max(0, min(at+n, len(vis)-1))]
	m.following = present.LastStep(m.snap) == m.step
	m.scroll = 0
}

func (m *model) applyFilter(show present.LogShow) {
	m.log.SetFilter(m.filter.Value(), show)
	m.logBack = 0
}

// The keys while the filter is typed.
var (
	keepFilter  = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "keep"))
	clearFilter = key.NewBinding(key.WithKeys("esc"), key.WithHelp("esc", "clear"))
)

// filterKey handles a key while the filter is typed. The filter is applied as it is typed.
func (m *model) filterKey(k tea.KeyMsg) tea.Cmd {
	_, show := m.log.Filter()
	switch {
	case key.Matches(k, dialog.Break):
		m.filtering = false
		return m.leave()
	case key.Matches(k, keepFilter):
		m.filtering = false
		return m.ask()
	case key.Matches(k, clearFilter):
		m.filtering = false
		m.filter.Reset()
		m.applyFilter(show)
		return m.ask()
	default:
		m.filter = dialog.Edit(m.filter, k)
		m.applyFilter(show)
		return nil
	}
}
